"""What operators ask of single jobs: a change that is made once, or an objection that says what can be done.

The entry in the job's history that a command leaves, with its id, is the proof that it was carried out: what
is delivered again finds it, whatever became of the job since.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from poolqueue.scheduling import members
from poolqueue.scheduling.changes import NOTHING, Effect
from poolqueue.scheduling.events import Event, Noted
from poolqueue.scheduling.holds import held, is_held_for, released
from poolqueue.scheduling.jobs import Hold, Job, Outcome, Reason, State, move
from poolqueue.scheduling.pools import Resource

_WAITS = {State.QUEUED, State.HELD}


@dataclass(frozen=True, kw_only=True)
class Order:
    """By whose word it is done, and why; `command` is the id under which it was given."""

    command: str
    author: str
    reason: str

    @property
    def note(self) -> str:
        return f"{self.author}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """It cannot be done to the job as it is; `told` says why, and what can."""

    told: str


@dataclass(frozen=True, kw_only=True)
class Already:
    """There is nothing to be done: the job is as it was asked to be."""

    told: str


Objection = Refusal | Already


class JobCommand(Protocol):
    """What is asked for the job `key`, by an order: `made` is the job after it, to which there must be no
    objection.
    """

    @property
    def key(self) -> str: ...

    @property
    def order(self) -> Order: ...

    def objection(self, job: Job, now: datetime, /) -> Objection | None: ...

    def made(self, job: Job, now: datetime) -> Job: ...


@dataclass(frozen=True, kw_only=True)
class Commanded:
    """The change that a command is to its job: made once, and not while there is an objection."""

    asked: JobCommand

    @property
    def key(self) -> str:
        return self.asked.key

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        asked = self.asked
        if job is None or was_carried_out(job, asked.order) or asked.objection(job, now) is not None:
            return NOTHING
        after = asked.made(job, now)
        return Effect(job=after, events=_noted(after, resource, now))


def was_carried_out(job: Job, order: Order) -> bool:
    return any(entry.command == order.command for entry in job.history)


def _noted(job: Job, resource: Resource, now: datetime) -> tuple[Event, ...]:
    """Of one that is being cancelled now, the reservation is one that Vertex AI is asked to cancel."""
    reservation = resource.reservations.get(job.token or "")
    if job.state is not State.CANCELLING or reservation is None:
        return ()
    return (Noted(reservation=replace(reservation, cancelled_at=now)),)


# --- cancel ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class CancelAsked:
    """A waiting job ends, one with a reservation is being cancelled."""

    key: str
    order: Order

    def objection(self, job: Job, _now: datetime) -> Objection | None:
        if job.state is State.ENDED:
            return Already(told=f"the job had already ended: {_outcome(job)}")
        if job.state is State.CANCELLING and job.cancel_reason is Reason.ASKED:
            return Already(told="it is being cancelled already")
        return None

    def made(self, job: Job, now: datetime) -> Job:
        if job.array is not None:
            return members.cancelled(job, note=self.order.note, command=self.order.command, now=now)
        if job.state not in _WAITS:
            return _cancelling(job, self.order, Reason.ASKED, now)
        return move(
            job,
            State.ENDED,
            at=now,
            outcome=Outcome.CANCELLED,
            reason=Reason.ASKED,
            note=self.order.note,
            command=self.order.command,
        )


def _cancelling(job: Job, order: Order, reason: Reason, now: datetime) -> Job:
    return move(
        job,
        State.CANCELLING,
        at=now,
        reason=reason,
        note=order.note,
        command=order.command,
        cancel_reason=reason,
    )


def _outcome(job: Job) -> str:
    assert job.outcome is not None
    return job.outcome.value


# --- hold and release ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class HoldAsked:
    """The job is kept from being considered until somebody releases it."""

    key: str
    order: Order

    def objection(self, job: Job, _now: datetime) -> Objection | None:
        if is_held_for(job, Reason.ON_HOLD):
            note = next(hold.note for hold in job.holds if hold.reason is Reason.ON_HOLD)
            return Already(told=f"it is on hold already: {note}")
        if job.waits or job.state is State.HELD:
            return None
        return Refusal(told=f"only a waiting job can be held: {_instead(job)}")

    def made(self, job: Job, now: datetime) -> Job:
        hold = Hold(reason=Reason.ON_HOLD, at=now, note=self.order.note)
        return held(job, hold, command=self.order.command)


@dataclass(frozen=True, kw_only=True)
class ReleaseAsked:
    """Nobody holds the job any more; what else holds it still does."""

    key: str
    order: Order

    def objection(self, job: Job, _now: datetime) -> Objection | None:
        if is_held_for(job, Reason.ON_HOLD):
            return None
        if job.state is State.HELD:
            told = ", ".join(f"{hold.reason.value} ({hold.note})" for hold in job.holds)
            return Refusal(told=f"nobody holds it; it is held for another reason: {told}")
        if job.state is State.ENDED:
            return Refusal(told=f"it does not wait: {_instead(job)}")
        return Already(told=f"nobody holds it; it is {job.state.value}")

    def made(self, job: Job, now: datetime) -> Job:
        return released(
            job,
            Reason.ON_HOLD,
            at=now,
            note=self.order.note,
            told=Reason.RELEASED,
            command=self.order.command,
        )


def _instead(job: Job) -> str:
    """What the job is, where it would have to wait, and what can be done about it."""
    if job.state is State.ENDED:
        return f"it has ended ({_outcome(job)}), and retry starts it anew"
    if job.state is State.CANCELLING:
        return "it is being cancelled at Vertex AI"
    return f"it is {job.state.value}, and requeue puts it back"
