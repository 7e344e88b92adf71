"""What happens to the job of an array: a member gets a job of its own or ends, those that wait all end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from poolqueue.scheduling.arrays import Array, member_of
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State, anew, move

FIRST_STARTS = "its first member starts"
_TERMS = ("resource", "priority", "deadline", "max_wait", "alternatives", "returned")


def awaits(job: Job, job_id: str) -> bool:
    """Is that one of its members, which waits and has no job of its own yet?"""
    found = member_of(job_id)
    if job.array is None or found is None or found[0] != job.job_id:
        return False
    return job.state in {State.QUEUED, State.HELD, State.RUNNING} and bool(job.array.waiting >> found[1] & 1)


def again(member: Job, array: Job, *, now: datetime) -> Job:
    """The job of a member that had ended before its array was retried, and waits with that again."""
    terms = {name: getattr(array, name) for name in _TERMS}
    note = next((entry.note for entry in reversed(array.history) if entry.reason is Reason.RETRY_ASKED), None)
    fresh = replace(anew(member, now), **terms)
    return move(fresh, State.QUEUED, at=now, reason=Reason.RETRY_ASKED, note=note, inbox=False)


def with_apart(job: Job, job_id: str) -> Job:
    """That member has a job of its own from now on."""
    return replace(job, array=_array(job).with_apart(_number(job_id)))


def begun(job: Job, *, now: datetime) -> Job:
    """A member starts, perhaps the first one."""
    if job.state is not State.QUEUED:
        return job
    return move(job, State.RUNNING, at=now, note=FIRST_STARTS, inbox=False, started=now)


def with_end(job: Job, job_id: str, outcome: Outcome | None, *, now: datetime) -> Job:
    """That member has ended so, or goes on after all (None); with the last one the array ends."""
    noted = replace(job, array=_array(job).with_end(_number(job_id), outcome))
    if job.state is State.ENDED and outcome is None:
        note = f"{job_id} is retried"
        reason = Reason.RETRY_ASKED
        return move(noted, State.RUNNING, at=now, reason=reason, note=note, ended=None, cancel_reason=None)
    return _ended_if_over(noted, now)


def cancelled(job: Job, *, note: str, command: str, now: datetime) -> Job:
    """Its waiting members end; it ends with the last of the others, which are to be cancelled each."""
    left = _array(job).with_waiting_ended(Outcome.CANCELLED)
    asked = replace(job, array=left, cancel_reason=Reason.ASKED)
    if left.is_over:
        return _ended(asked, now, reason=Reason.ASKED, note=note, command=command)
    return move(
        asked,
        State.CANCELLING,
        at=now,
        reason=Reason.ASKED,
        note=note,
        command=command,
        inbox=False,
        holds=(),
    )


def expired(job: Job, *, reason: Reason, note: str, now: datetime) -> Job:
    """The time of its waiting members is over; those that run go on."""
    left = _array(job).with_waiting_ended(Outcome.EXPIRED)
    return _ended_if_over(replace(job, array=left, inbox=False), now, reason=reason, note=note)


def told(array: Array) -> str:
    """What its members have come to, in words: `3 succeeded, 1 failed`."""
    counts = array.counts()
    return ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if outcome in counts)


def _ended_if_over(job: Job, now: datetime, *, reason: Reason | None = None, note: str = "") -> Job:
    if not _array(job).is_over or job.state is State.ENDED:
        return job
    return _ended(job, now, reason=reason or job.cancel_reason, note=note)


def _ended(
    job: Job, now: datetime, *, reason: Reason | None, note: str = "", command: str | None = None
) -> Job:
    array = _array(job)
    said = f"{told(array)}; {note}" if note else told(array)
    return move(
        job,
        State.ENDED,
        at=now,
        outcome=_outcome(job, array),
        reason=reason,
        note=said,
        command=command,
    )


def _outcome(job: Job, array: Array) -> Outcome:
    """Its members' if all ended alike; else `cancelled` if somebody cancelled it, or `failed`."""
    counts = array.counts()
    if len(counts) == 1:
        return Outcome(next(iter(counts)))
    return Outcome.CANCELLED if job.cancel_reason is Reason.ASKED else Outcome.FAILED


def _array(job: Job) -> Array:
    assert job.array is not None, f"{job.key} is no array"
    return job.array


def _number(job_id: str) -> int:
    found = member_of(job_id)
    assert found is not None, f"{job_id} is no member of an array"
    return found[1]
