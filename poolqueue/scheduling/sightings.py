"""Changes to a job by what a sweep saw of its custom job at Vertex AI, or did about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from poolqueue.scheduling.changes import (
    NOTHING,
    Effect,
    SubmissionFailed,
    is_another,
    is_current,
    number_of,
    released_by,
    requeued_as_asked,
    submitted,
)
from poolqueue.scheduling.events import Noted
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State, move
from poolqueue.scheduling.pools import Reservation, Resource


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """A custom job with this token was found at Vertex AI; its create call may never have been answered."""

    key: str
    token: str
    custom_job: str

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        reservation = resource.reservations.get(self.token)
        if reservation is None:
            return NOTHING
        if is_another(job, self.token, self.custom_job):
            return _reminded(job, reservation)
        noted = (Noted(reservation=_seen(reservation, self.custom_job)),)
        if job is None or not is_current(job, self.token) or job.custom_job is not None:
            return Effect(events=noted)
        return Effect(job=submitted(job, custom_job=self.custom_job, now=now), events=noted)


@dataclass(frozen=True, kw_only=True)
class SeenRunning:
    """The custom job of this token was seen running."""

    key: str
    token: str
    custom_job: str
    started: datetime | None

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        reservation = resource.reservations.get(self.token)
        if reservation is None:
            return NOTHING
        if is_another(job, self.token, self.custom_job):
            return _reminded(job, reservation)
        seen = replace(_seen(reservation, self.custom_job), running=True, started=self.started or now)
        noted = (Noted(reservation=seen),)
        if job is None or not is_current(job, self.token):
            return Effect(events=noted)
        if job.state not in {State.RESERVED, State.SUBMITTED}:
            return Effect(events=noted)
        running = move(
            job,
            State.RUNNING,
            at=now,
            custom_job=self.custom_job,
            submitted=job.submitted or now,
            started=self.started or now,
        )
        return Effect(job=running, events=noted)


@dataclass(frozen=True, kw_only=True)
class PendingTooLong:
    """The custom job of this token was accepted but never ran: it is being cancelled, to be requeued."""

    key: str
    token: str
    custom_job: str
    waited: timedelta

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        reservation = resource.reservations.get(self.token)
        if reservation is None or job is None or not is_current(job, self.token):
            return NOTHING
        if is_another(job, self.token, self.custom_job):
            return NOTHING
        noted = (Noted(reservation=replace(reservation, cancelled_at=now)),)
        if job.state is State.CANCELLING:
            return Effect(events=noted)
        note = f"accepted by Vertex AI but not running after {self.waited.total_seconds():.0f} s"
        cancelling = move(
            job,
            State.CANCELLING,
            at=now,
            reason=Reason.PENDING_TOO_LONG,
            note=note,
            cancel_reason=Reason.PENDING_TOO_LONG,
        )
        return Effect(job=cancelling, events=noted)


@dataclass(frozen=True, kw_only=True)
class CancelRepeated:
    """A cancel of this token's custom job was asked for once more."""

    key: str
    token: str

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        del job
        reservation = resource.reservations.get(self.token)
        if reservation is None:
            return NOTHING
        return Effect(events=(Noted(reservation=replace(reservation, cancelled_at=now)),))


@dataclass(frozen=True, kw_only=True)
class FoundAbsent:
    """A sweep found no custom job with this token, though its create call has had the time to take effect."""

    key: str
    token: str
    at: datetime

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        del job, now
        reservation = resource.reservations.get(self.token)
        if reservation is None or reservation.absent_since is not None:
            return NOTHING
        return Effect(events=(Noted(reservation=replace(reservation, absent_since=self.at)),))


def never_created(key: str, token: str) -> SubmissionFailed:
    """Settled: no custom job of this token in the listings of two sweeps, the second of them after
    `submit_by`, the call's timeout and the quiet period.
    """
    return SubmissionFailed(
        key=key,
        token=token,
        reason=Reason.NEVER_CREATED,
        message="no custom job with this submission token was found by two sweeps",
        backs_off=False,
    )


@dataclass(frozen=True, kw_only=True)
class CustomJobVanished:
    """Vertex AI knows the recorded custom job of this token no more: somebody deleted it."""

    key: str
    token: str

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        events = released_by(resource, self.token, now)
        if job is None or not is_current(job, self.token):
            return Effect(events=events)
        if job.cancel_reason is Reason.REQUEUE_ASKED:
            return Effect(job=requeued_as_asked(job, now=now), events=events)
        asked = job.cancel_reason is Reason.ASKED
        lost = move(
            job,
            State.ENDED,
            at=now,
            outcome=Outcome.CANCELLED if asked else Outcome.LOST,
            reason=Reason.ASKED if asked else Reason.CUSTOM_JOB_DELETED,
            note="the custom job was deleted at Vertex AI before its end was seen",
        )
        return Effect(job=lost, events=events)


def _reminded(job: Job | None, reservation: Reservation) -> Effect:
    """The reservation learns which custom job is its own."""
    assert job is not None
    assert job.custom_job is not None
    return Effect(events=(Noted(reservation=_seen(reservation, job.custom_job)),))


def _seen(reservation: Reservation, custom_job: str) -> Reservation:
    return replace(reservation, number=number_of(custom_job), absent_since=None)
