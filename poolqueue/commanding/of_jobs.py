"""Carries out commands about single jobs: whose job it is, the change where the job is, and what is told."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from poolqueue.commanding.changing import still_allowed, terms_of, told
from poolqueue.commanding.members import Members
from poolqueue.commanding.records import Result, refused
from poolqueue.commanding.rejoining import learn_of_ends, rejoin
from poolqueue.cycle import Elsewhere, settle
from poolqueue.messages import Command, CommandKind
from poolqueue.ports import VertexUnavailable
from poolqueue.records import ResourceName, job_path, read_job
from poolqueue.scheduling.commands import (
    Already,
    CancelAsked,
    ChangeAsked,
    Commanded,
    HoldAsked,
    JobCommand,
    Objection,
    Order,
    Refusal,
    ReleaseAsked,
    RequeueAsked,
    RetryAsked,
    was_carried_out,
)
from poolqueue.scheduling.jobs import Job, State, job_key
from poolqueue.system import System

JOB_KINDS = frozenset(
    {
        CommandKind.CANCEL,
        CommandKind.HOLD,
        CommandKind.RELEASE,
        CommandKind.CHANGE,
        CommandKind.RETRY,
        CommandKind.REQUEUE,
    }
)
ATTEMPTS = 5  # at a job that changes, or goes elsewhere, at the same time

log = logging.getLogger(__name__)


class JobCommander:
    """Carries out one command about a job within one invocation."""

    def __init__(self, system: System, *, deadline: datetime) -> None:
        self._system = system
        self._deadline = deadline
        self._members = Members(system, deadline=deadline)

    def carry_out(self, command: Command, owner: str | None) -> Result:
        """`owner` is the team whose topic it came from, None on an administrators' topic."""
        team = self._team(command, owner)
        if isinstance(team, Result):
            return team
        job = self._job(job_key(team, command.job_id or ""))
        if job is None:
            return self._without(team, command.job_id or "")
        asked = self._asked(command, job)
        if isinstance(asked, Result):
            return asked
        for _ in range(ATTEMPTS):
            if was_carried_out(job, asked.order):
                return self._done(asked, job)
            objection = asked.objection(job, self._system.clock())
            if objection is not None:
                return self._objected(asked, job, objection)
            job = self._changed(job, asked)
        return refused("the job changed again and again meanwhile; ask once more")

    def _changed(self, job: Job, asked: JobCommand) -> Job:
        """The job after the change, which is made where it is: if it went elsewhere meanwhile, it is not."""
        name = ResourceName.from_key(job.resource)
        may_go = bool(job.alternatives) or isinstance(asked, ChangeAsked | RetryAsked)
        elsewhere = Elsewhere(self._system, name, everyone=may_go)
        change = Commanded(asked=asked)
        settle(self._system, name, [change], deadline=self._deadline, elsewhere=elsewhere)
        return self._job(job.key) or job

    def _done(self, asked: JobCommand, job: Job) -> Result:
        match asked:
            case CancelAsked():
                return self._after_cancel(job, asked)
            case HoldAsked():
                return _done("it is held until somebody releases it")
            case ReleaseAsked():
                return _done(_after_release(job))
            case ChangeAsked():
                return _done(f"changed; it is {job.state.value}")
            case RetryAsked():
                return self._after_retry(job)
            case RequeueAsked():
                return self._after_requeue(job)
            case _:
                raise AssertionError(asked)

    def _asked(self, command: Command, job: Job) -> JobCommand | Result:
        key, order = job.key, Order(command=command.id, author=command.author, reason=command.reason)
        match command.kind:
            case CommandKind.CANCEL:
                return CancelAsked(key=key, order=order)
            case CommandKind.HOLD:
                return HoldAsked(key=key, order=order)
            case CommandKind.RELEASE:
                return ReleaseAsked(key=key, order=order)
            case CommandKind.REQUEUE:
                return RequeueAsked(key=key, order=order, is_held=command.hold)
            case CommandKind.CHANGE | CommandKind.RETRY:
                return self._with_terms(command, job, order)
            case _:
                raise AssertionError(command.kind)

    def _with_terms(self, command: Command, job: Job, order: Order) -> JobCommand | Result:
        """What its team may have is looked at by the settings in force, also for what it had before."""
        settings = self._system.settings
        team = settings.team_named(job.team)
        assert team is not None
        terms = terms_of(command.changes, team, settings)
        if isinstance(terms, str):
            return refused(terms)
        if command.kind is CommandKind.CHANGE:
            return ChangeAsked(key=job.key, order=order, terms=terms)
        asked = RetryAsked(key=job.key, order=order, terms=terms)
        if asked.objection(job, self._system.clock()) is None:
            asked = replace(asked, waits_for=rejoin(self._system, job))
            changed = replace(self._members.first(job), priority=terms.get("priority", job.priority))
            if problems := still_allowed(changed, team, settings):
                return refused(told(problems))
        return asked

    def _after_retry(self, job: Job) -> Result:
        if job.waits_for:
            learn_of_ends(self._system, job, deadline=self._deadline)
            job = self._job(job.key) or job
        if job.state is State.QUEUED:
            return _done(f"it waits again; its attempts so far: {job.attempt}")
        return _done(f"retried; it is {job.state.value}" + (f": {job.holds[0].note}" if job.holds else ""))

    def _after_requeue(self, job: Job) -> Result:
        then = "it is held then" if job.holds else "it waits again then"
        if job.state is not State.CANCELLING:
            return _done(f"requeued; it is {job.state.value}")
        if job.custom_job is None:
            return _done(f"it is being submitted; it is cancelled once Vertex AI has answered, and {then}")
        if not self._cancel(job.custom_job):
            return _done(f"Vertex AI did not answer; the sweep asks it again within a minute, and {then}")
        return _done(f"Vertex AI is cancelling it, and {then}")

    def _objected(self, asked: JobCommand, job: Job, objection: Objection) -> Result:
        """Of an array that is being cancelled, whoever began that may not have lived to reach all members."""
        if isinstance(asked, CancelAsked) and job.array is not None and job.state is State.CANCELLING:
            return self._after_cancel(job, asked)
        return _told(objection)

    def _after_cancel(self, job: Job, asked: CancelAsked) -> Result:
        if job.array is not None:
            return _done(self._members.cancel(job, job.array, asked.order))
        if job.state is State.ENDED:
            return _done("cancelled; it will not run")
        if job.custom_job is None:
            return _done("it is being submitted; it is cancelled as soon as Vertex AI has answered")
        if not self._cancel(job.custom_job):
            return _done("Vertex AI did not answer; the sweep asks it again within a minute")
        return _done("Vertex AI is cancelling it; it ends shortly")

    def _cancel(self, custom_job: str) -> bool:
        try:
            self._system.submitter.cancel(custom_job)
        except VertexUnavailable as error:
            log.warning("cancel_unanswered", extra={"custom_job": custom_job, "error": str(error)})
            return False
        return True

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
        """The job; of a member that waits in the line of its array, the one that it is to have."""
        fields = self._system.documents.read([job_path(key)])[0].fields
        job = None if fields is None else read_job(fields)
        return self._members.waiting(key, job) or job

    def _without(self, team: str, job_id: str) -> Result:
        outcome = self._members.outcome(team, job_id)
        if outcome is not None:
            return refused(f"it ended without a job of its own: {outcome}; retry its array")
        return refused(f"team {team} has no job {job_id}; see poolctl jobs")


def _told(objection: Objection) -> Result:
    match objection:
        case Refusal(told=why):
            return refused(why)
        case Already(told=why):
            return _done(why)
        case unreachable:
            assert_never(unreachable)


def _after_release(job: Job) -> str:
    if job.state is State.HELD:
        return f"nobody holds it any more; it is still held: {job.holds[0].note}"
    if job.state is State.QUEUED:
        return "it is considered again, at its place in the queue"
    return f"released; it is {job.state.value}"


def _done(message: str) -> Result:
    return Result(status="done", message=message)
