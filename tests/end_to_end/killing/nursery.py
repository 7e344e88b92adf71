"""Makes processes that handle one pushed message each, and may die of it; imports are paid for only once.

As a command it reads one victim per line from its input, forks, and answers with how that process ended.
It never talks to a service itself: gRPC's channels do not survive a fork.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from handlers import job_ended, job_requested
from handlers.serving import serve
from infra.local.processes import ROOT
from poolqueue import wiring
from poolqueue.adapters import firestore, pubsub, vertex, vertex_rest
from poolqueue.announced import AnnouncedChanges
from poolqueue.cycle import settle
from poolqueue.observation import look, reserved_tokens
from poolqueue.records import ResourceName, read_resource
from tests.end_to_end.killing.deadly import Death, Fate, deadly

HANDLERS = {"job_requested": job_requested.handle, "job_ended": job_ended.handle}
NEEDED_BY_VICTIMS = (firestore, pubsub, vertex, vertex_rest)


@dataclass(frozen=True, kw_only=True)
class Victim:
    """What a process is to handle. Without a death it lives, and tells how often it called what."""

    function: str
    path: str
    body: str
    death: str | None = None
    meets_rival: bool = False


@dataclass(frozen=True, kw_only=True)
class Ended:
    """`signal` is what killed it; `counts` are its calls, if it lived."""

    signal: int
    exit_code: int
    counts: Mapping[str, int] = field(default_factory=dict)


class Nursery:
    """A started nursery; use it as a context."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.killing.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env={**os.environ, **environment},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=20)
        self._log.close()

    def run(self, victim: Victim) -> Ended:
        """Returns when the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(victim)).encode() + b"\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


@dataclass(frozen=True, kw_only=True)
class _Request:
    """As much of an HTTP request as a function looks at."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def get_data(self) -> bytes:
        return self.body


def _live(victim: Victim) -> dict[str, int]:
    death = None if victim.death is None else Death.from_json(victim.death)
    fate = Fate(lambda: death, rival=_look_at if victim.meets_rival else None)
    request = _Request(path=victim.path, body=victim.body.encode())
    serve(deadly(wiring.system(), fate), request, HANDLERS[victim.function])
    return dict(fate.counts)


def _look_at(path: str) -> None:
    """The rival: what a sweep does with a persistent resource on which nothing is wrong."""
    system = replace(wiring.system(), announced=AnnouncedChanges())
    name = ResourceName.from_key(path.removeprefix("resources/"))
    fields = system.documents.read([path])[0].fields
    ours = reserved_tokens(read_resource(fields)) if fields else ()
    installation = system.settings.installation
    seen = look(system.observer, name, ours=ours, installation=installation, now=system.clock())
    settle(system, name, [], events=[seen], deadline=system.deadline())


def _fork(victim: Victim) -> Ended:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _be(victim, theirs)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    return Ended(
        signal=os.WTERMSIG(status) if killed else 0,
        exit_code=0 if killed else os.WEXITSTATUS(status),
        counts=json.loads(told or "{}"),
    )


def _be(victim: Victim, out: int) -> Any:
    """Never returns: a victim that lives must not go on as a second nursery."""
    try:
        os.write(out, json.dumps(_live(victim)).encode())
    except BaseException:  # noqa: BLE001  the log tells
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what victims log goes to the log
    for line in sys.stdin:
        ended = _fork(Victim(**json.loads(line)))
        print(json.dumps(asdict(ended)), file=answers, flush=True)


if __name__ == "__main__":
    main()
