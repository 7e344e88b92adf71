"""A terminal in which somebody follows a page, and whether what it shows is what the page shows."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from tests.end_to_end.stand_in_support import wait_for

SECONDS = 60.0
DONE = re.compile(r"^-- done: (\d+) --$", re.MULTILINE)


class Terminal:
    """A shell that goes on from block to block, 80 columns wide. Use it as a context."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._name, self._folder, self._typed = name, folder, 0
        self._log = folder / f"{name}.log"
        looks = {"FORCE_COLOR": "1", "TERM": "dumb", "PYTHONUNBUFFERED": "1"}
        with self._log.open("wb") as log:
            self._shell = subprocess.Popen(
                ["bash", "--norc", "--noprofile"],
                cwd=folder,
                env={**environment, **looks},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        self._say("set -E; trap 'failed=$?' ERR")
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever still runs there ends, too."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.communicate()

    def type(self, text: str) -> None:
        self._typed += 1
        block = self._folder / f"{self._name}-{self._typed}.sh"
        block.write_text(text, encoding="utf-8")
        self._begin = len(self._log.read_bytes())
        self._say(f"failed=0; . {shlex.quote(str(block))} < /dev/null; echo; echo -- done: $failed --")

    def _say(self, command: str) -> None:
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{command}\n".encode())
        self._shell.stdin.flush()

    @property
    def shown(self) -> str:
        """What is shown of the last block so far."""
        return self._log.read_bytes()[self._begin :].decode(errors="replace")

    def wait(self) -> int:
        """The exit code of the last block, once it has ended: of its last command that failed, else 0."""
        done = wait_for(lambda: DONE.search(self.shown), f"the end of {self.shown!r}", seconds=SECONDS)
        return int(done[1])

    def run(self, text: str) -> int:
        self.type(text)
        return self.wait()


# --- what a page shows -----------------------------------------------------------------------------------

GAP = "..."
LINE = re.compile(r"[─━█▓▒·]+")
# What is another each time: times, spans, estimates, shares, addresses, numbers of many digits, users.
VARIES = re.compile(
    r"""
    .*\d[:.%]\d.*|\d+(\.\d+)?%              # 20:40:05, 3.7, 127.0.0.1:80, 28%
    | [~<]?(\d+(ms|[smhd]))+                 # 2m09s
    | \d+(ms|[smhd]\d*|)*-(\d+(ms|[smhd]))+  # 94s-12m, 2-23m
    | \d{4}-\d\d-\d\d                        # 2026-11-25
    | .*\d{5}.*|demo-[0-9a-f]{8}             # ids
    | \w+@\S+
    """,
    re.VERBOSE,
)


def missing(shown: str, output: str) -> str | None:
    """What the page shows and the output does not: words in their order, `...` for any number of others."""
    words, at = _words(output), 0
    for part in _parts(shown):
        found = next((n for n in range(at, len(words)) if words[n : n + len(part)] == part), None)
        if found is None:
            return " ".join(part)
        at = found + len(part)
    return None


def _parts(shown: str) -> Iterator[list[str]]:
    for is_gap, words in itertools.groupby(_words(shown), lambda word: word == GAP):
        if not is_gap:
            yield [*words]


def _words(text: str) -> list[str]:
    """How wide a column is, and where a line breaks, is as it happens."""
    words = (word for word in text.split() if not LINE.fullmatch(word))
    return [_without_what_varies(word) for word in words]


def _without_what_varies(word: str) -> str:
    bare = word.strip("(),;:")
    return word.replace(bare, "#") if bare and VARIES.fullmatch(bare) else word
