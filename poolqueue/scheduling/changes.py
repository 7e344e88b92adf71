"""What can happen to a job outside the decision: each change says what job and resource are after it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from poolqueue.scheduling.endings import ENDINGS_BY_ITSELF, OUTCOMES, Ending, ending_of
from poolqueue.scheduling.events import DoubtedReadiness, Event, Noted, Released, RunEnded, SubmissionRefused
from poolqueue.scheduling.failures import BadEnd, failure_of, refused_failure
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State, move
from poolqueue.scheduling.pools import Ran, Resource
from poolqueue.scheduling.retrying import Again, Over, after, traits_on

FIRST_SETBACK = timedelta(seconds=10)
LONGEST_SETBACK = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The job after a change (None: it stays as it is) and what happened to its resource."""

    job: Job | None = None
    events: tuple[Event, ...] = ()


NOTHING = Effect()


class Change(Protocol):
    """One change to the job `key`. `on` is pure and may run again on a newer job and resource."""

    @property
    def key(self) -> str: ...

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect: ...


@dataclass(frozen=True, kw_only=True)
class CustomJobEnded:
    """Vertex AI says that the custom job of this token is terminal.

    `state` is its JobState without prefix; `resource_gone` tells that its persistent resource was deleted or
    made anew meanwhile, which cancels what ran on it.
    """

    key: str
    token: str
    custom_job: str
    state: str
    error_code: int | None
    error: str | None
    started: datetime | None
    ended: datetime | None
    resource_gone: bool = False

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        ending = self._ending(job)
        if ending is None:
            return NOTHING
        if is_another(job, self.token, self.custom_job):
            return NOTHING
        released = (
            *self._taught(ending, resource, now),
            *released_by(resource, self.token, now, settles=ending is not Ending.CAPACITY),
        )
        if job is None or not is_current(job, self.token):
            return Effect(events=released)
        refused = self._refusal(ending, resource, now)
        return Effect(job=self._moved(job, ending, resource, now), events=(*released, *refused))

    def noted(self, job: Job) -> Job | None:
        """The job with its end noted for the next cycle to take up; None when it is not this attempt's."""
        if not is_current(job, self.token) or is_another(job, self.token, self.custom_job):
            return None
        return replace(job, inbox=True, ending=asdict(self))

    def _ending(self, job: Job | None) -> Ending | None:
        """A program that was told to end, and to go on later, may well fail of it: it was cancelled."""
        ending = ending_of(self.state, self.error_code, self.error, ran=self.started is not None)
        if ending is not Ending.FAILED or job is None or not is_current(job, self.token):
            return ending
        return Ending.CANCELLED if job.cancel_reason in _TO_GO_ON else ending

    def _moved(self, job: Job, ending: Ending, resource: Resource, now: datetime) -> Job:
        if ending is Ending.CAPACITY:
            return requeue(job, now=now, reason=Reason.CAPACITY_REFUSED, note=self.error)
        if ending is Ending.CANCELLED and job.cancel_reason is Reason.PREEMPTED:
            return preempted(job, now=now)
        if ending is Ending.CANCELLED and job.cancel_reason is Reason.REQUEUE_ASKED:
            return requeued_as_asked(job, now=now)
        if ending is Ending.CANCELLED and job.cancel_reason not in {None, Reason.ASKED}:
            return requeue(job, now=now, reason=job.cancel_reason, note=self.error)
        if ending is Ending.CANCELLED and job.cancel_reason is None and self.resource_gone:
            return requeue(job, now=now, reason=Reason.RESOURCE_DELETED, note=self.error)
        next_ = self._next(job, ending, resource, now)
        if isinstance(next_, Again):
            return retried(job, next_, now=now, error=self.error)
        outcome = OUTCOMES[ending]
        assert outcome is not None
        return move(
            job,
            State.ENDED,
            at=now,
            outcome=outcome,
            reason=_reason(ending, job),
            note=self._told(job, ending, next_),
            failures=(*job.failures, next_.failure.kept()) if next_ else job.failures,
            custom_job=self.custom_job,
            error=self.error,
            started=self.started or job.started,
            ended=self.ended or now,
        )

    def _told(self, job: Job, ending: Ending, next_: Again | Over | None) -> str | None:
        """Why it ended so: by whose word it was cancelled says more than Vertex AI's CANCELED."""
        if ending is Ending.CANCELLED and job.cancel_reason is Reason.ASKED:
            return _why_cancelled(job) or self.error
        return _with_error(next_.note, self.error) if next_ else self.error

    def _next(self, job: Job, ending: Ending, resource: Resource, now: datetime) -> Again | Over | None:
        """What its retries say of a bad end; nothing where somebody asked to cancel the job."""
        end = _BAD_ENDS.get(ending)
        if end is None or job.cancel_reason is Reason.ASKED:
            return None
        failure = failure_of(
            job.attempt,
            end,
            error_code=self.error_code,
            error=self.error,
            is_charged=ending is not Ending.INFRASTRUCTURE,
        )
        return after(job, failure, resource, now)

    def _taught(self, ending: Ending, resource: Resource, now: datetime) -> tuple[Event, ...]:
        """What run times learn from it, if it really ran."""
        reservation = resource.reservations.get(self.token)
        if reservation is None or ending is Ending.CAPACITY:
            return ()
        since = self.started or reservation.started
        if since is None:
            return ()
        seconds = max(0.0, ((self.ended or now) - since).total_seconds())
        by_itself = ending in ENDINGS_BY_ITSELF
        ran = Ran(
            traits=reservation.traits,
            since=since,
            seconds=seconds,
            by_itself=by_itself,
            team=reservation.team,
            replicas=reservation.replicas,
        )
        return (RunEnded(token=self.token, ran=ran),)

    def _refusal(self, ending: Ending, resource: Resource, now: datetime) -> tuple[Event, ...]:
        reservation = resource.reservations.get(self.token)
        if ending is not Ending.CAPACITY or reservation is None:
            return ()
        return (SubmissionRefused(pools=tuple(reservation.replicas), reason=Reason.CAPACITY_REFUSED, at=now),)


_TO_GO_ON = {Reason.PREEMPTED, Reason.REQUEUE_ASKED}
_BAD_ENDS = {
    Ending.FAILED: BadEnd.FAILED,
    Ending.EXPIRED: BadEnd.EXPIRED,
    Ending.INFRASTRUCTURE: BadEnd.FAILED,
}


def _reason(ending: Ending, job: Job) -> Reason | None:
    match ending:
        case Ending.CANCELLED:
            return job.cancel_reason or Reason.CANCELLED_ELSEWHERE
        case Ending.EXPIRED:
            return Reason.TIMED_OUT
        case Ending.PARTIALLY_SUCCEEDED:
            return Reason.PARTLY
        case _:
            return None


@dataclass(frozen=True, kw_only=True)
class SubmissionFailed:
    """It is certain that the create call of this token left no custom job.

    `is_final`: this request will never be accepted, so the job ends, unless a rule of its retries says
    otherwise; `error_class` is the name of the answer's google.rpc.Code, if it had one. `pools_refused`:
    other jobs for the same pools would fare no better now; `not_ready` that the resource is not what we
    believed.
    """

    key: str
    token: str
    reason: Reason
    message: str
    error_class: str | None = None
    is_final: bool = False
    pools_refused: bool = False
    not_ready: bool = False
    backs_off: bool = True

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        reservation = resource.reservations.get(self.token)
        events: list[Event] = [*released_by(resource, self.token, now, settles=False)]
        if reservation is not None and self.pools_refused:
            pools = tuple(reservation.replicas)
            events.append(SubmissionRefused(pools=pools, reason=self.reason, at=now))
        if self.not_ready:
            events.append(DoubtedReadiness())
        if job is None or not is_current(job, self.token):
            return Effect(events=tuple(events))
        return Effect(job=self._moved(job, resource, now), events=tuple(events))

    def _moved(self, job: Job, resource: Resource, now: datetime) -> Job:
        if not self.is_final:
            return requeue(job, now=now, reason=self.reason, note=self.message, backs_off=self.backs_off)
        failure = refused_failure(job.attempt, error_class=self.error_class, error=self.message)
        next_ = after(job, failure, resource, now)
        if isinstance(next_, Again) and job.cancel_reason is not Reason.ASKED:
            return retried(job, next_, now=now, error=self.message)
        return move(
            job,
            State.ENDED,
            at=now,
            outcome=Outcome.REJECTED,
            reason=self.reason,
            note=_with_error(next_.note, self.message) if isinstance(next_, Over) else self.message,
            failures=(*job.failures, next_.failure.kept()),
            error=self.message,
        )


@dataclass(frozen=True, kw_only=True)
class Preempted:
    """The attempt of this token is being ended for another job's sake: it is cancelled, and requeued then."""

    key: str
    token: str
    note: str

    def on(self, job: Job | None, resource: Resource, now: datetime) -> Effect:
        reservation = resource.reservations.get(self.token)
        if reservation is None or job is None or not is_current(job, self.token):
            return NOTHING
        if job.state not in {State.SUBMITTED, State.RUNNING} or job.custom_job is None:
            return NOTHING
        reason = Reason.PREEMPTED
        cancelling = move(job, State.CANCELLING, at=now, reason=reason, note=self.note, cancel_reason=reason)
        return Effect(job=cancelling, events=(Noted(reservation=replace(reservation, cancelled_at=now)),))


def submitted(job: Job, *, custom_job: str, now: datetime) -> Job:
    """The job once Vertex AI accepted it; one that is being cancelled only learns its custom job's name."""
    if job.state is State.RESERVED:
        return move(job, State.SUBMITTED, at=now, custom_job=custom_job, submitted=now)
    return replace(job, custom_job=custom_job, submitted=job.submitted or now)


def requeue(
    job: Job, *, now: datetime, reason: Reason | None, note: str | None, backs_off: bool = True
) -> Job:
    """Back in its place in the queue, uncharged; held, if something holds it; or ended, if somebody asked to
    cancel it meanwhile.
    """
    if job.cancel_reason is Reason.ASKED:
        return move(job, State.ENDED, at=now, outcome=Outcome.CANCELLED, reason=Reason.ASKED, note=note)
    pause = min(LONGEST_SETBACK, FIRST_SETBACK * 2 ** min(job.setbacks, 10))
    return move(
        job,
        State.HELD if job.holds else State.QUEUED,
        at=now,
        reason=reason,
        note=note,
        token=None,
        custom_job=None,
        cancel_reason=None,
        inbox=False,
        ending=None,
        submitted=None,
        started=None,
        setbacks=job.setbacks + 1 if backs_off else job.setbacks,
        not_before=now + pause if backs_off else None,
    )


def preempted(job: Job, *, now: datetime) -> Job:
    """Back in its place, uncharged, at once; its history says for whom and why, as when it was cancelled."""
    requeued = requeue(job, now=now, reason=Reason.PREEMPTED, note=_why_cancelled(job), backs_off=False)
    return replace(requeued, preemptions=job.preemptions + 1)


def requeued_as_asked(job: Job, *, now: datetime) -> Job:
    """Back in its place, uncharged, at once; its history says by whose word, as when it was cancelled."""
    return requeue(job, now=now, reason=Reason.REQUEUE_ASKED, note=_why_cancelled(job), backs_off=False)


def _why_cancelled(job: Job) -> str | None:
    return next((entry.note for entry in reversed(job.history) if entry.state is State.CANCELLING), None)


def retried(job: Job, again: Again, *, now: datetime, error: str | None) -> Job:
    """Back in its place for another attempt, when and where the rule says that applied."""
    note = _with_error(again.note, error)
    requeued = requeue(job, now=now, reason=Reason.RETRIED, note=note, backs_off=False)
    traits = job.traits if again.demands == job.demands else traits_on(job, again.demands)
    failures = (*job.failures, again.failure.kept())
    return replace(
        requeued, not_before=again.not_before, demands=again.demands, traits=traits, failures=failures
    )


def _with_error(note: str, error: str | None) -> str | None:
    return f"{note}. {error}" if note and error else note or error


def released_by(resource: Resource, token: str, now: datetime, *, settles: bool = True) -> tuple[Event, ...]:
    return (Released(token=token, at=now, settles=settles),) if token in resource.reservations else ()


def is_current(job: Job, token: str) -> bool:
    """Is the job still at the attempt that this token belongs to?"""
    return job.token == token and job.state is not State.ENDED


def is_another(job: Job | None, token: str, custom_job: str) -> bool:
    """Has the attempt of this token a custom job of its own, other than this one?

    A token may have been copied or sent twice; what is recorded stays.
    """
    if job is None or not is_current(job, token) or job.custom_job is None:
        return False
    return number_of(job.custom_job) != number_of(custom_job)


def number_of(custom_job: str) -> str:
    """What names a custom job for certain: its full name may carry the project's id or its number."""
    return custom_job.rsplit("/", 1)[-1]
