"""What operators ask of single jobs: a change that is made once, or an objection that says what can be done.

The entry in the job's history that a command leaves, with its id, is the proof that it was carried out: what
is delivered again finds it, whatever became of the job since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from poolqueue.scheduling import members
from poolqueue.scheduling.arrays import is_maximum_key
from poolqueue.scheduling.changes import NOTHING, Effect
from poolqueue.scheduling.dependants import waits_for_told
from poolqueue.scheduling.dependency import Dependency
from poolqueue.scheduling.events import Event, Noted
from poolqueue.scheduling.holds import held, is_held_for, released
from poolqueue.scheduling.jobs import NOTE_CHARACTERS, Hold, Job, Outcome, Reason, State, anew, move
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
    return f"it is {job.state.value}, and requeue puts it back in the queue"


# --- change ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ChangeAsked:
    """A waiting or held job gets other `terms`: its fields by name, with their new values."""

    key: str
    order: Order
    terms: Mapping[str, Any]

    def objection(self, job: Job, now: datetime) -> Objection | None:
        if not job.waits and job.state is not State.HELD:
            return Refusal(told=f"only a waiting job can be changed: {_instead(job)}")
        if not _differing(job, self.terms):
            return Already(told="it is so already")
        return _over_maximum(job, self.terms) or _over_at_once(replace(job, **self.terms), now)

    def made(self, job: Job, now: datetime) -> Job:
        return move(
            job,
            job.state,
            at=now,
            reason=Reason.CHANGED,
            note=f"{terms_told(job, self.terms)}; {self.order.note}",
            command=self.order.command,
            **_differing(job, self.terms),
        )


def _differing(job: Job, terms: Mapping[str, Any]) -> dict[str, Any]:
    """What the terms change of the job. Where it waits is no alternative to itself."""
    if "alternatives" in terms:
        elsewhere = tuple(each for each in terms["alternatives"] if each.resource != job.resource)
        terms = {**terms, "alternatives": elsewhere}
    return {name: value for name, value in terms.items() if getattr(job, name) != value}


def _over_maximum(job: Job, terms: Mapping[str, Any]) -> Refusal | None:
    """An array whose request had no alternatives counts at one persistent resource who runs."""
    most = job.max_parallel if job.array is None else job.array.max_parallel
    if most is None or not _differing(job, terms).get("alternatives") or is_maximum_key(job.serial):
        return None
    told = f"max_parallel, {most}, is kept on one persistent resource, as its array had no alternatives"
    return Refusal(told=f"{told}: leave them out, or publish the array anew with them")


def _over_at_once(job: Job, now: datetime) -> Refusal | None:
    """A job whose time is over would end at once: that is asked for in another way."""
    if job.deadline is not None and job.deadline <= now:
        return Refusal(told=f"its deadline, {_clock(job.deadline)}, has passed: give a later one, or none")
    if job.expires is not None and job.expires <= now:
        return Refusal(
            told="it has waited for longer than that already: give a longer max_wait, or cancel it"
        )
    if job.deadline is not None and job.not_before is not None and job.deadline <= job.not_before:
        told = f"it may not start before {_clock(job.not_before)}: give a deadline after that"
        return Refusal(told=told)
    return None


def terms_told(job: Job, terms: Mapping[str, Any]) -> str:
    """`priority 50 -> 80, deadline none -> 2026-11-24 06:00:00Z`."""
    changed = _differing(job, terms)
    return ", ".join(f"{name} {_told(getattr(job, name))} -> {_told(new)}" for name, new in changed.items())


def _told(value: Any) -> str:
    match value:
        case None | ():
            return "none"
        case datetime():
            return _clock(value)
        case tuple():
            return " or ".join("any" if each.resource is None else each.resource for each in value)
        case _:
            return str(value)


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


# --- retry and requeue -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RetryAsked:
    """A job that ended waits again, as if it had just arrived, perhaps with other terms; its history, its
    sequence and its attempts go on. `waits_for` are those that it depends on and that have not ended.
    """

    key: str
    order: Order
    terms: Mapping[str, Any] = field(default_factory=dict)
    waits_for: tuple[Dependency, ...] = ()

    def objection(self, job: Job, now: datetime) -> Objection | None:
        if job.state is not State.ENDED:
            return Refusal(told=f"only a job that has ended can be retried: it is {job.state.value}")
        if job.history[0].state is State.ENDED and job.outcome is Outcome.REJECTED:
            return Refusal(told="it was refused before it ever waited: publish it again, corrected")
        if job.array is not None and job.outcome is Outcome.SUCCEEDED:
            return Refusal(told="all its members succeeded: retry the one that is to run again")
        return _over_maximum(job, self.terms) or _over_at_once(replace(anew(job, now), **self.terms), now)

    def made(self, job: Job, now: datetime) -> Job:
        told = terms_told(job, self.terms)
        again = move(
            anew(job, now),
            State.QUEUED,
            at=now,
            reason=Reason.RETRY_ASKED,
            note=f"{told}; {self.order.note}" if told else self.order.note,
            command=self.order.command,
            **_differing(job, self.terms),
        )
        if not self.waits_for:
            return again
        hold = Hold(reason=Reason.WAITS_FOR_JOBS, at=now, note=waits_for_told(self.waits_for))
        return held(replace(again, waits_for=self.waits_for), hold)


@dataclass(frozen=True, kw_only=True)
class RequeueAsked:
    """A job with a reservation is cancelled at Vertex AI, and is then back in its place, uncharged; `is_held`
    from then on, if that is asked for.
    """

    key: str
    order: Order
    is_held: bool = False

    def objection(self, job: Job, _now: datetime) -> Objection | None:
        if job.array is not None:
            return Refusal(told="an array holds no replicas itself: requeue its members, each by its id")
        if job.state in _WAITS:
            return Refusal(
                told=f"only what is being submitted or runs can be requeued: it is {job.state.value}"
            )
        if job.state is State.ENDED:
            return Refusal(told=f"only what is being submitted or runs can be requeued: {_instead(job)}")
        if job.cancel_reason is Reason.ASKED:
            return Refusal(told="somebody has cancelled it: it ends shortly, and retry starts it anew")
        if job.state is State.CANCELLING and (not self.is_held or job.holds):
            return Already(told="it is being requeued already")
        return None

    def made(self, job: Job, now: datetime) -> Job:
        hold = Hold(reason=Reason.ON_HOLD, at=now, note=self.order.note[:NOTE_CHARACTERS])
        kept = replace(job, holds=(*job.holds, hold)) if self.is_held else job
        return _cancelling(kept, self.order, Reason.REQUEUE_ASKED, now)
