"""Carries out operators' commands: those about jobs, pools, teams and settings.

A command is recorded before it is carried out, and its result after; what is delivered again is carried out
again unless its result is there, which changes nothing the second time.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from poolqueue.commanding.applying import Applying
from poolqueue.commanding.draining import drain_stop_or_resume
from poolqueue.commanding.of_jobs import JOB_KINDS, JobCommander
from poolqueue.commanding.pausing import pause_or_unpause
from poolqueue.commanding.records import Begun, Record, Result, refused
from poolqueue.messages import BadCommand, Command, CommandKind, Running
from poolqueue.system import System

log = logging.getLogger(__name__)


def refuse(system: System, command: BadCommand, *, published: datetime) -> bool:
    """Record a malformed command's problems as its result; False if its id is another command's."""
    message = "; ".join(f"{p.path}: {p.problem} ({p.remedy})" for p in command.problems)
    content = {"kind": "unknown", "result": "refused", "message": message}
    return Record(system, command.id, published=published).create(content) is not Begun.TAKEN


class Commander:
    """Carries out one command within one invocation."""

    def __init__(self, system: System, *, deadline: datetime) -> None:
        self._system = system
        self._deadline = deadline

    def carry_out(self, command: Command, *, owner: str | None, published: datetime) -> bool:
        """`owner` is the team whose topic the command came from, None on an administrators' topic.

        False if its id is another command's: then nothing was done.
        """
        record = Record(self._system, command.id, published=published)
        content = {
            "kind": command.kind.value,
            "team": owner or command.team,
            "job_id": command.job_id,
            "persistent_resource": command.persistent_resource,
            "pool": command.pool,
            "reason": command.reason,
            "author": command.author,
            **_own_fields(command),
        }
        begun = record.create({**content, "result": None})
        if begun is not Begun.OPEN:
            return begun is not Begun.TAKEN
        result = self._carried_out(command, owner, record)
        log.info(
            "command_carried_out",
            extra={"command": command.id, "kind": command.kind.value, "result": result.status},
        )
        return True

    def _carried_out(self, command: Command, owner: str | None, record: Record) -> Result:
        if command.kind is CommandKind.APPLY and owner is None:
            return Applying(self._system, command, record).run()
        result = self._result(command, owner, record.published)
        record.finish(result)
        return result

    def _result(self, command: Command, owner: str | None, published: datetime) -> Result:
        if command.kind in JOB_KINDS:
            return JobCommander(self._system, deadline=self._deadline).carry_out(command, owner)
        if owner is not None:
            return refused(f"only an administrators' topic may {command.kind}; publish it there")
        if command.kind in {CommandKind.PAUSE, CommandKind.UNPAUSE}:
            return pause_or_unpause(self._system, command, published=published, deadline=self._deadline)
        return drain_stop_or_resume(self._system, command, published=published, deadline=self._deadline)


def _own_fields(command: Command) -> dict[str, Any]:
    """What only some kinds have: other commands' records stay as they are."""
    match command.kind:
        case CommandKind.APPLY:
            return {"settings": command.settings, "base_version": command.base_version}
        case CommandKind.CHANGE | CommandKind.RETRY:
            return {"changes": command.changes.canonical()}
        case CommandKind.REQUEUE:
            return {"hold": command.hold}
        case CommandKind.STOP:
            return {"running": (command.running or Running.REQUEUE).value}
        case _:
            return {}
