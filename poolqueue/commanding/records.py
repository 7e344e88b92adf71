"""The documents `commands/{id}`: a command, recorded once, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any

from poolqueue.cycle.retrying import until_settled
from poolqueue.ports import Conflict, Create, Replace
from poolqueue.records.expiry import expiring
from poolqueue.records.names import SCHEMA
from poolqueue.system import System


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a command: `done`, or `refused` with what is wrong and what to do. `details` are fields
    of the record beside them.
    """

    status: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


def refused(message: str, **details: Any) -> Result:
    return Result(status="refused", message=message, details=details)


class Begun(Enum):
    """What a command's document says about it: to be carried out, done already, or of another command."""

    OPEN = auto()
    DONE = auto()
    TAKEN = auto()


class Record:
    """The document `commands/{id}`. `published` is when the message was that is recorded there: whoever
    publishes a command once more, to be sure, does not make it a later one.
    """

    def __init__(self, system: System, id_: str, *, published: datetime) -> None:
        self._system = system
        self._path = f"commands/{id_}"
        self.published = published

    def create(self, content: Mapping[str, Any]) -> Begun:
        """Record the command once; a `result` of None is still to come."""
        at = self._system.clock()
        fields = {"schema": SCHEMA, **content, "published": self.published, "at": at}
        if content["result"] is not None:
            fields |= expiring(at, self._system.settings.retention)
        try:
            self._system.documents.commit([Create(path=self._path, fields=fields)])
        except Conflict:
            return self._existing(content)
        return Begun.OPEN if content["result"] is None else Begun.DONE

    def _existing(self, content: Mapping[str, Any]) -> Begun:
        existing = self._system.documents.read([self._path])[0].fields
        assert existing is not None
        same = all(existing.get(name) == content[name] for name in content if name != "result")
        if not same:
            return Begun.TAKEN
        self.published = existing.get("published", existing["at"])
        return Begun.OPEN if existing["result"] is None else Begun.DONE

    def finish(self, result: Result) -> None:
        def attempt() -> None:
            write = self.finishing(result)
            if write is not None:
                self._system.documents.commit([write])

        until_settled(self._system, attempt)

    def finishing(self, result: Result) -> Replace | None:
        """The write that records the result; None when there is one already."""
        document = self._system.documents.read([self._path])[0]
        assert document.fields is not None
        if document.fields["result"] is not None:
            return None
        at = self._system.clock()
        fields = {
            **document.fields,
            "result": result.status,
            "message": result.message,
            **result.details,
            "finished_at": at,
            **expiring(at, self._system.settings.retention),
        }
        return Replace(path=self._path, fields=fields, version=document.version)
