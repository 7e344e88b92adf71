"""Runs many commands in one gcloud, because starting it takes a second. Its launcher starts this file in
place of its own program, whose path it gives first. Imports nothing of ours: Python is gcloud's own.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import IO


def main(program: str) -> None:
    """A command is a line of input, its words; its exit code and what it said are a line of output."""
    library = Path(program).parent
    sys.path[:1] = [str(library / "third_party"), str(library)]
    from googlecloudsdk.gcloud_main import CreateCLI  # noqa: PLC0415

    gcloud, answers = CreateCLI([]), os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        out, err = _redirected(1), _redirected(2)
        code = _run(gcloud, json.loads(line))
        sys.stdout.flush()
        sys.stderr.flush()
        print(json.dumps([code, _read(out), _read(err)]), file=answers, flush=True)


def _redirected(descriptor: int) -> IO[str]:
    """gcloud keeps the streams that it began with: they write to this file."""
    file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  closed when it is read
    os.dup2(file.fileno(), descriptor)
    return file


def _read(file: IO[str]) -> str:
    with file:
        file.seek(0)
        return file.read()


def _run(gcloud, words: list[str]) -> object:
    try:
        gcloud.Execute(words)
    except SystemExit as end:
        return end.code
    return 0


if __name__ == "__main__":
    main(sys.argv[1])
