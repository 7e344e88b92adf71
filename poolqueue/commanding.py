"""Carries out operators' commands: cancel a job, drain or resume a pool or a persistent resource.

A command is recorded before it is carried out, and its result after; what is delivered again is carried out
again unless its result is there, which changes nothing the second time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

from poolqueue.cycle import settle
from poolqueue.cycle.retrying import until_settled
from poolqueue.messages import BadCommand, Command, CommandKind
from poolqueue.ports import Conflict, Create, Replace, VertexUnavailable
from poolqueue.records import ResourceName, job_path, read_job, read_resource, resource_path
from poolqueue.records.names import SCHEMA
from poolqueue.scheduling.changes import CancelAsked
from poolqueue.scheduling.events import Drained, Event, Resumed
from poolqueue.scheduling.jobs import Job, State, job_key
from poolqueue.scheduling.pools import WHOLE_RESOURCE, Drain
from poolqueue.system import System

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a command: `done`, or `refused` with what is wrong and what to do."""

    status: str
    message: str


def refuse(system: System, command: BadCommand) -> bool:
    """Record a malformed command's problems as its result; False if its id is another command's."""
    message = "; ".join(f"{p.path}: {p.problem} ({p.remedy})" for p in command.problems)
    content = {"kind": "unknown", "result": "refused", "message": message}
    return _Record(system, command.id).create(content) is not Begun.TAKEN


class Commander:
    """Carries out one command within one invocation."""

    def __init__(self, system: System, *, deadline: datetime) -> None:
        self._system = system
        self._deadline = deadline

    def carry_out(self, command: Command, *, owner: str | None) -> bool:
        """`owner` is the team whose topic the command came from, None on an administrators' topic.

        False if its id is another command's: then nothing was done.
        """
        record = _Record(self._system, command.id)
        content = {
            "kind": command.kind.value,
            "team": owner or command.team,
            "job_id": command.job_id,
            "persistent_resource": command.persistent_resource,
            "pool": command.pool,
            "reason": command.reason,
            "author": command.author,
        }
        begun = record.create({**content, "result": None})
        if begun is not Begun.OPEN:
            return begun is not Begun.TAKEN
        result = self._result(command, owner)
        record.finish(result)
        log.info(
            "command_carried_out",
            extra={"command": command.id, "kind": command.kind.value, "result": result.status},
        )
        return True

    def _result(self, command: Command, owner: str | None) -> Result:
        if command.kind is CommandKind.CANCEL:
            return self._cancel(command, owner)
        if owner is not None:
            message = "only an administrators' topic may drain or resume; publish it there"
            return Result(status="refused", message=message)
        return self._drain_or_resume(command)

    # --- cancel

    def _cancel(self, command: Command, owner: str | None) -> Result:
        team = self._team(command, owner)
        if isinstance(team, Result):
            return team
        job = self._job(job_key(team, command.job_id or ""))
        if job is None:
            message = f"team {team} has no job {command.job_id}; see poolctl jobs"
            return Result(status="refused", message=message)
        if job.state is State.ENDED:
            assert job.outcome is not None
            return Result(status="done", message=f"the job had already ended: {job.outcome.value}")
        note = f"{command.author}: {command.reason}" if command.reason else command.author
        change = CancelAsked(key=job.key, note=note)
        settle(self._system, ResourceName.from_key(job.resource), [change], deadline=self._deadline)
        return self._after_cancel(job.key)

    def _after_cancel(self, key: str) -> Result:
        job = self._job(key)
        assert job is not None
        if job.state is State.ENDED:
            return Result(status="done", message="cancelled; it will not run")
        if job.custom_job is None:
            message = "it is being submitted; it is cancelled as soon as Vertex AI has answered"
            return Result(status="done", message=message)
        try:
            self._system.submitter.cancel(job.custom_job)
        except VertexUnavailable as error:
            log.warning("cancel_unanswered", extra={"job": key, "error": str(error)})
            message = "Vertex AI did not answer; the sweep asks it again within a minute"
            return Result(status="done", message=message)
        return Result(status="done", message="Vertex AI is cancelling it; it ends shortly")

    def _team(self, command: Command, owner: str | None) -> str | Result:
        """A team's topic commands that team's jobs; administrators say whose, if there are several."""
        if owner is not None:
            if command.team not in {None, owner}:
                message = f"this topic commands jobs of team {owner}, not of {command.team}"
                return Result(status="refused", message=message)
            return owner
        teams = [team.name for team in self._system.settings.teams]
        if command.team is None and len(teams) == 1:
            return teams[0]
        if command.team not in teams:
            message = f"team: {command.team or '(nothing)'} is none of {', '.join(teams)}; name one"
            return Result(status="refused", message=message)
        assert command.team is not None
        return command.team

    def _job(self, key: str) -> Job | None:
        fields = self._system.documents.read([job_path(key)])[0].fields
        return None if fields is None else read_job(fields)

    # --- drain and resume

    def _drain_or_resume(self, command: Command) -> Result:
        name = self._resource_name(command.persistent_resource or "")
        fields = self._system.documents.read([resource_path(name)])[0].fields
        if fields is None:
            message = f"no job ever named {name.full}; see poolctl pools"
            return Result(status="refused", message=message)
        resource = read_resource(fields)
        ids = [id_ for pool in resource.pools for id_ in pool.ids]
        if command.pool is not None and command.pool not in {*ids, *resource.drained}:
            message = f"{name.id} has no pool {command.pool}; it has {', '.join(ids) or 'none'}"
            return Result(status="refused", message=message)
        pool = command.pool or WHOLE_RESOURCE
        settle(self._system, name, [], events=[self._event(command, pool)], deadline=self._deadline)
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


class Begun(Enum):
    """What a command's document says about it: to be carried out, done already, or of another command."""

    OPEN = auto()
    DONE = auto()
    TAKEN = auto()


class _Record:
    """The document `commands/{id}`."""

    def __init__(self, system: System, id_: str) -> None:
        self._system = system
        self._path = f"commands/{id_}"

    def create(self, content: Mapping[str, Any]) -> Begun:
        """Record the command once; a `result` of None is still to come."""
        fields = {"schema": SCHEMA, **content, "at": self._system.clock()}
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
        return Begun.OPEN if existing["result"] is None else Begun.DONE

    def finish(self, result: Result) -> None:
        def attempt() -> None:
            document = self._system.documents.read([self._path])[0]
            assert document.fields is not None
            fields = {
                **document.fields,
                "result": result.status,
                "message": result.message,
                "finished_at": self._system.clock(),
            }
            write = Replace(path=self._path, fields=fields, version=document.version)
            self._system.documents.commit([write])

        until_settled(self._system, attempt)
