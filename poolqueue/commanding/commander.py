"""Carries out operators' commands: those about jobs, pools, teams and settings.

A command is recorded before it is carried out, and its result after; what is delivered again is carried out
again unless its result is there, which changes nothing the second time.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from poolqueue.commanding.applying import Applying
from poolqueue.commanding.of_jobs import JOB_KINDS, JobCommander
from poolqueue.commanding.pausing import pause_or_unpause
from poolqueue.commanding.records import Begun, Record, Result, refused
from poolqueue.commanding.stopping import stop_what_runs
from poolqueue.cycle import settle
from poolqueue.messages import BadCommand, Command, CommandKind, Running
from poolqueue.records import ResourceName, read_resource, resource_path
from poolqueue.scheduling.events import Drained, Event, Resumed
from poolqueue.scheduling.pools import WHOLE_RESOURCE, Drain
from poolqueue.system import System

log = logging.getLogger(__name__)


def refuse(system: System, command: BadCommand) -> bool:
    """Record a malformed command's problems as its result; False if its id is another command's."""
    message = "; ".join(f"{p.path}: {p.problem} ({p.remedy})" for p in command.problems)
    content = {"kind": "unknown", "result": "refused", "message": message}
    return Record(system, command.id).create(content) is not Begun.TAKEN


class Commander:
    """Carries out one command within one invocation."""

    def __init__(self, system: System, *, deadline: datetime) -> None:
        self._system = system
        self._deadline = deadline

    def carry_out(self, command: Command, *, owner: str | None) -> bool:
        """`owner` is the team whose topic the command came from, None on an administrators' topic.

        False if its id is another command's: then nothing was done.
        """
        record = Record(self._system, command.id)
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
        result = self._result(command, owner)
        record.finish(result)
        return result

    def _result(self, command: Command, owner: str | None) -> Result:
        if command.kind in JOB_KINDS:
            return JobCommander(self._system, deadline=self._deadline).carry_out(command, owner)
        if owner is not None:
            return refused(f"only an administrators' topic may {command.kind}; publish it there")
        if command.kind in {CommandKind.PAUSE, CommandKind.UNPAUSE}:
            return pause_or_unpause(self._system, command, deadline=self._deadline)
        return self._drain_stop_or_resume(command)

    # --- drain, stop and resume

    def _drain_stop_or_resume(self, command: Command) -> Result:
        name = self._resource_name(command.persistent_resource or "")
        fields = self._system.documents.read([resource_path(name)])[0].fields
        if fields is None:
            return refused(f"no job ever named {name.full}; see poolctl pools")
        resource = read_resource(fields)
        ids = [id_ for pool in resource.pools for id_ in pool.ids]
        if command.pool is not None and command.pool not in {*ids, *resource.drained}:
            return refused(f"{name.id} has no pool {command.pool}; it has {', '.join(ids) or 'none'}")
        pool = command.pool or WHOLE_RESOURCE
        settle(self._system, name, [], events=[self._event(command, pool)], deadline=self._deadline)
        if command.kind is CommandKind.STOP:
            return stop_what_runs(self._system, name, command, deadline=self._deadline)
        what = name.id if command.pool is None else f"pool {command.pool} of {name.id}"
        if command.kind is CommandKind.DRAIN:
            message = f"nothing more is admitted to {what}; what runs there goes on"
        else:
            message = f"{what} admits jobs again"
        return Result(status="done", message=message)

    def _event(self, command: Command, pool: str) -> Event:
        if command.kind is CommandKind.RESUME:
            return Resumed(pool=pool)
        drain = Drain(reason=command.reason, author=command.author, at=self._system.clock())
        return Drained(pool=pool, drain=drain)

    def _resource_name(self, given: str) -> ResourceName:
        try:
            return ResourceName.from_full(given)
        except ValueError:
            settings = self._system.settings
            return ResourceName(project=settings.project, location=settings.location, id=given)


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
