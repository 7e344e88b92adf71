"""A process that handles one pushed message, and may die of it.

As a command it takes the victim as JSON, and the file into which one that lives writes how often it called
what.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from handlers import job_ended, job_requested
from handlers.serving import serve
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

    def as_json(self) -> str:
        return json.dumps(asdict(self))


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


def main() -> None:
    victim, counts = Victim(**json.loads(sys.argv[1])), Path(sys.argv[2])
    counts.write_text(json.dumps(_live(victim)))


if __name__ == "__main__":
    main()
