"""Messages that could not be used: kept with their bytes, to be read and published again."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from poolqueue.ports import Conflict, Create, Document, Documents, Query
from poolqueue.records.expiry import expiring
from poolqueue.records.names import SCHEMA
from poolqueue.scheduling.problems import Problem
from poolqueue.system import System

KEPT_BYTES = 800_000  # beside a hundred attributes and fifty problems, within a document's 1 MiB

_COLLECTION = "dead_letters"
_DESCRIBING = ("at", "topic", "message_id", "size", "problems", "job", "command")
_CONTENT = ("data", "attributes")

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """`job` or `command` names the record of the refusal, if the message belongs to one. `data` and
    `attributes` are the message's, None and empty where they were not asked for; `size` is that of all of it.
    """

    id: str
    at: datetime
    topic: str
    message_id: str
    size: int
    problems: tuple[Problem, ...]
    job: str | None = None
    command: str | None = None
    data: bytes | None = None
    attributes: Mapping[str, str]

    @property
    def is_cut(self) -> bool:
        return self.data is not None and len(self.data) < self.size


def bury(
    system: System,
    *,
    topic: str,
    message_id: str,
    data: bytes,
    attributes: Mapping[str, str],
    problems: Iterable[Problem],
    job: str | None = None,
    command: str | None = None,
) -> None:
    """Keep a message that could not be used, with why and when. Once per message."""
    id_ = hashlib.sha256(f"{topic}\n{message_id}\n".encode() + data[:4096]).hexdigest()[:32]
    listed = [problem_fields(problem) for problem in problems]
    at = system.clock()
    fields = {
        "schema": SCHEMA,
        "at": at,
        **expiring(at, system.settings.retention),
        "topic": topic,
        "message_id": message_id,
        "data": data[:KEPT_BYTES],
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        # As a list: Firestore does not take every attribute's name for a field's.
        "attributes": [{"name": name, "value": value} for name, value in attributes.items()],
        "problems": listed,
        **({} if job is None else {"job": job}),
        **({} if command is None else {"command": command}),
    }
    try:
        system.documents.commit([Create(path=f"{_COLLECTION}/{id_}", fields=fields)])
    except Conflict:
        return
    # Whoever sent it is told of a refused job or command; of anything else only we learn.
    level = logging.ERROR if job is None and command is None else logging.INFO
    log.log(level, "dead_letter", extra={"dead_letter": id_, "topic": topic, "problems": listed})


def latest(documents: Documents, *, limit: int, with_content: bool = False) -> list[DeadLetter]:
    """The dead letters, the latest first; with the messages themselves only if asked for."""
    chosen = (*_DESCRIBING, *_CONTENT) if with_content else _DESCRIBING
    found = documents.find(Query(collection=_COLLECTION, newest_first="at", select=chosen, limit=limit))
    return [_letter(document, document.fields) for document in found if document.fields is not None]


def problem_fields(problem: Problem) -> dict[str, str]:
    return {
        "path": problem.path,
        "value": problem.value,
        "problem": problem.problem,
        "remedy": problem.remedy,
    }


def _letter(document: Document, fields: Mapping[str, Any]) -> DeadLetter:
    return DeadLetter(
        id=document.path.removeprefix(f"{_COLLECTION}/"),
        at=fields["at"],
        topic=fields["topic"],
        message_id=fields["message_id"],
        size=fields["size"],
        problems=tuple(Problem(**each) for each in fields["problems"]),
        job=fields.get("job"),
        command=fields.get("command"),
        data=fields.get("data"),
        attributes={each["name"]: each["value"] for each in fields.get("attributes", ())},
    )
