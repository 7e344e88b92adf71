"""Carries out operators' commands: cancel a job, drain or resume a pool or a resource, apply settings.

A command is recorded before it is carried out, and its result after; what is delivered again is carried out
again unless its result is there, which changes nothing the second time.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from poolqueue.commanding.applying import Applying
from poolqueue.commanding.records import Begun, Record, Result, refused
from poolqueue.cycle import settle
from poolqueue.messages import BadCommand, Command, CommandKind
from poolqueue.ports import VertexUnavailable
from poolqueue.records import ResourceName, job_path, read_job, read_resource, resource_path
from poolqueue.scheduling.changes import CancelAsked, Change
from poolqueue.scheduling.events import Drained, Event, Resumed
from poolqueue.scheduling.jobs import Job, State, job_key
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
            **_settings(command),
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
        if command.kind is CommandKind.CANCEL:
            return self._cancel(command, owner)
        if owner is not None:
            return refused(f"only an administrators' topic may {command.kind}; publish it there")
        return self._drain_or_resume(command)

    # --- cancel

    def _cancel(self, command: Command, owner: str | None) -> Result:
        team = self._team(command, owner)
        if isinstance(team, Result):
            return team
        job = self._job(job_key(team, command.job_id or ""))
        if job is None:
            return refused(f"team {team} has no job {command.job_id}; see poolctl jobs")
        if job.state is State.ENDED:
            assert job.outcome is not None
            return Result(status="done", message=f"the job had already ended: {job.outcome.value}")
        note = f"{command.author}: {command.reason}" if command.reason else command.author
        change = CancelAsked(key=job.key, note=note)
        return self._after_cancel(self._changed(job, change))

    def _changed(self, job: Job, change: Change) -> Job:
        """The job after the change, which is made where it is: it may go elsewhere meanwhile."""
        while True:
            settle(self._system, ResourceName.from_key(job.resource), [change], deadline=self._deadline)
            after = self._job(job.key)
            assert after is not None
            if after.resource == job.resource:
                return after
            job = after

    def _after_cancel(self, job: Job) -> Result:
        if job.state is State.ENDED:
            return Result(status="done", message="cancelled; it will not run")
        if job.custom_job is None:
            message = "it is being submitted; it is cancelled as soon as Vertex AI has answered"
            return Result(status="done", message=message)
        try:
            self._system.submitter.cancel(job.custom_job)
        except VertexUnavailable as error:
            log.warning("cancel_unanswered", extra={"job": job.key, "error": str(error)})
            message = "Vertex AI did not answer; the sweep asks it again within a minute"
            return Result(status="done", message=message)
        return Result(status="done", message="Vertex AI is cancelling it; it ends shortly")

    def _team(self, command: Command, owner: str | None) -> str | Result:
        """A team's topic commands that team's jobs; administrators say whose, if there are several."""
        if owner is not None:
            if command.team not in {None, owner}:
                return refused(f"this topic commands jobs of team {owner}, not of {command.team}")
            return owner
        teams = [team.name for team in self._system.settings.teams]
        if command.team is None and len(teams) == 1:
            return teams[0]
        if command.team not in teams:
            return refused(f"team: {command.team or '(nothing)'} is none of {', '.join(teams)}; name one")
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
            return refused(f"no job ever named {name.full}; see poolctl pools")
        resource = read_resource(fields)
        ids = [id_ for pool in resource.pools for id_ in pool.ids]
        if command.pool is not None and command.pool not in {*ids, *resource.drained}:
            return refused(f"{name.id} has no pool {command.pool}; it has {', '.join(ids) or 'none'}")
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


def _settings(command: Command) -> dict[str, Any]:
    """What only settings have: other commands' records stay as they are."""
    if command.kind is not CommandKind.APPLY:
        return {}
    return {"settings": command.settings, "base_version": command.base_version}
