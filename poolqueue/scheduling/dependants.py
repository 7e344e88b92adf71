"""Jobs that wait for the end of others: held until then, and released or ended as these end.

Whatever a job waits for was recorded before it and had not ended then, so that jobs never wait for one
another in a circle. What is decided stays so: a job that is retried decides nothing a second time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from poolqueue.scheduling.changes import NOTHING, Effect
from poolqueue.scheduling.dependency import After, Dependency, OnFailed
from poolqueue.scheduling.events import DependantsSettled
from poolqueue.scheduling.holds import released
from poolqueue.scheduling.jobs import Hold, Job, Outcome, Reason, State, move, record, record_ended
from poolqueue.scheduling.pools import Resource

DEPENDANTS_LIMIT = 1_000
NAMED = 3


def is_met(dependency: Dependency, outcome: Outcome) -> bool:
    """A job that was cancelled or refused, that expired or was lost, counts as failed."""
    match dependency.after:
        case After.SUCCESS:
            return outcome is Outcome.SUCCEEDED
        case After.FAILURE:
            return outcome is not Outcome.SUCCEEDED
        case After.END:
            return True
        case unreachable:
            assert_never(unreachable)


def recorded(job: Job, ended: Mapping[str, Outcome], *, at: datetime) -> Job:
    """A new job with its first entry. What it depends on may have `ended` already: that is decided at once,
    and it waits for the others.
    """
    failed = [each for each in job.depends_on if each.job_id in ended and _fails(job, each, ended)]
    if failed:
        note = _said_of_failed(failed[0], ended[failed[0].job_id])
        return record_ended(job, at=at, outcome=Outcome.CANCELLED, reason=Reason.DEPENDENCY_FAILED, note=note)
    left = tuple(each for each in job.depends_on if each.job_id not in ended)
    if not left:
        return record(job, at=at)
    hold = Hold(reason=Reason.WAITS_FOR_JOBS, at=at, note=waits_for_told(left))
    return record(replace(job, waits_for=left, holds=(*job.holds, hold)), at=at)


def _fails(job: Job, dependency: Dependency, ended: Mapping[str, Outcome]) -> bool:
    """Does it end the job that a dependency ended so?"""
    return job.on_failed_dependency is OnFailed.END and not is_met(dependency, ended[dependency.job_id])


@dataclass(frozen=True, kw_only=True)
class DependencyEnded:
    """The job `job_id`, which the job `key` may wait for, has ended with this outcome."""

    key: str
    job_id: str
    outcome: Outcome

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        del resource
        if job is None or job.state is not State.HELD:
            return NOTHING
        dependency = next((each for each in job.waits_for if each.job_id == self.job_id), None)
        if dependency is None:
            return NOTHING
        if _fails(job, dependency, {self.job_id: self.outcome}):
            return Effect(job=self._ended(job, dependency, now))
        left = tuple(each for each in job.waits_for if each.job_id != self.job_id)
        if left:
            return Effect(job=_still_waiting(job, left))
        note = f"what it waited for is over: {self.job_id} {_told(self.outcome)}"
        job = replace(job, waits_for=())
        return Effect(job=released(job, Reason.WAITS_FOR_JOBS, at=now, note=note, told=Reason.RELEASED))

    def _ended(self, job: Job, dependency: Dependency, now: datetime) -> Job:
        note = _said_of_failed(dependency, self.outcome)
        return move(
            job,
            State.ENDED,
            at=now,
            outcome=Outcome.CANCELLED,
            reason=Reason.DEPENDENCY_FAILED,
            note=note,
            error=note,
            waits_for=(),
        )


def _still_waiting(job: Job, left: tuple[Dependency, ...]) -> Job:
    """No change of its state, and nothing to announce: but whoever looks sees what it still waits for."""
    note = waits_for_told(left)
    holds = tuple(
        replace(hold, note=note) if hold.reason is Reason.WAITS_FOR_JOBS else hold for hold in job.holds
    )
    return replace(job, waits_for=left, holds=holds)


@dataclass(frozen=True, kw_only=True)
class DependantsTold:
    """These jobs, which depended on the ended job `key`, know of its end."""

    key: str
    job_ids: Collection[str]

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        del now
        events = (DependantsSettled(key=self.key),) if self.key in resource.unsettled else ()
        if job is None or not self.job_ids:
            return Effect(events=events)
        left = tuple(each for each in job.dependants if each not in self.job_ids)
        return Effect(job=replace(job, dependants=left), events=events)


def waits_for_told(left: Iterable[Dependency]) -> str:
    """`waits for a, b (after failure) and 3 more`."""
    named = [_named(each) for each in left]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    return f"waits for {', '.join(named[:NAMED])}{more}"


def _named(dependency: Dependency) -> str:
    match dependency.after:
        case After.SUCCESS:
            return dependency.job_id
        case After.FAILURE:
            return f"{dependency.job_id} (to fail)"
        case After.END:
            return f"{dependency.job_id} (to end)"
        case unreachable:
            assert_never(unreachable)


def _said_of_failed(dependency: Dependency, outcome: Outcome) -> str:
    wanted = "failed" if dependency.after is After.FAILURE else "succeeded"
    return f"it was to start once {dependency.job_id} had {wanted}, which {_told(outcome)}"


def _told(outcome: Outcome) -> str:
    was = outcome in {Outcome.CANCELLED, Outcome.REJECTED, Outcome.LOST}
    return f"was {outcome.value}" if was else outcome.value
