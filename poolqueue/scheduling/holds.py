"""Keeps waiting jobs from being considered, and lets them go again: by a person, or for other jobs' sake.

A job is held as long as anything holds it: what is released of several holds leaves the others.
"""

from __future__ import annotations

from datetime import datetime

from poolqueue.scheduling.jobs import NOTE_CHARACTERS, Hold, Job, Reason, State, move


def held(job: Job, hold: Hold, *, command: str | None = None) -> Job:
    """A job that waits or is held already, held for this reason too; it keeps its place in the queue."""
    kept = Hold(reason=hold.reason, at=hold.at, note=hold.note[:NOTE_CHARACTERS])
    others = _without(job, hold.reason)
    return move(
        job,
        State.HELD,
        at=hold.at,
        reason=hold.reason,
        note=hold.note,
        command=command,
        holds=(*others, kept),
        inbox=False,
    )


def released(
    job: Job, reason: Reason, *, at: datetime, note: str, told: Reason, command: str | None = None
) -> Job:
    """Without the hold for this reason: back at its place in the queue, with the reason `told`, unless
    something else holds it.
    """
    left = _without(job, reason)
    back = State.RUNNING if job.array is not None and job.started is not None else State.QUEUED
    to, said = (State.HELD, left[0].reason) if left else (back, told)
    return move(job, to, at=at, reason=said, note=note, command=command, holds=left)


def is_held_for(job: Job, reason: Reason) -> bool:
    return any(hold.reason is reason for hold in job.holds)


def _without(job: Job, reason: Reason) -> tuple[Hold, ...]:
    return tuple(hold for hold in job.holds if hold.reason is not reason)
