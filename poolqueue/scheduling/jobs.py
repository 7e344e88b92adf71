"""A job and its life: states, outcomes, reasons, the table of legal moves and the one function that moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.arrays import Array, member_of
from poolqueue.scheduling.dependency import Dependency, OnFailed
from poolqueue.scheduling.failures import Failure
from poolqueue.scheduling.retries import NO_RETRIES, Retries
from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.traits import NO_TRAITS, Traits

# With a request of the largest size, a job's document stays below the store's limit of 1 MiB.
HISTORY_LIMIT = 100
NOTE_CHARACTERS = 300
ERROR_CHARACTERS = 4_000


class State(StrEnum):
    """Where a job is."""

    HELD = "held"
    QUEUED = "queued"
    RESERVED = "reserved"
    SUBMITTED = "submitted"
    RUNNING = "running"
    CANCELLING = "cancelling"
    ENDED = "ended"


class Outcome(StrEnum):
    """How a job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    LOST = "lost"


class Reason(StrEnum):
    """Why a job waits, was moved or was refused. In the order in which they are reported."""

    BAD_REQUEST = "bad_request"
    ID_TAKEN = "id_taken"
    NOT_ALLOWED = "not_allowed"
    TOO_MANY_WAITING = "too_many_waiting"
    UNKNOWN_JOB = "unknown_job"
    DEPENDENCY_FAILED = "dependency_failed"
    ON_HOLD = "on_hold"
    WAITS_FOR_JOBS = "waits_for_jobs"
    DEADLINE_PASSED = "deadline_passed"
    WAITED_TOO_LONG = "waited_too_long"
    NO_MATCHING_POOL = "no_matching_pool"
    ABOVE_CAPACITY = "above_capacity"
    REFUSED_BY_VERTEX_AI = "refused_by_vertex_ai"
    RESOURCE_MISSING = "resource_missing"
    RESOURCE_NOT_READY = "resource_not_ready"
    DRAINED = "drained"
    TEAM_PAUSED = "team_paused"
    NOT_YET = "not_yet"
    BACKING_OFF = "backing_off"
    SERIAL_KEY_TAKEN = "serial_key_taken"
    TEAM_AT_MAXIMUM = "team_at_maximum"
    ARRAY_AT_MAXIMUM = "array_at_maximum"
    NEEDS_REPLICAS = "needs_replicas"
    REPLICAS_GUARANTEED = "replicas_guaranteed"
    BEHIND_PLANNED_START = "behind_planned_start"
    PACED = "paced"
    TOO_MANY_RESERVATIONS = "too_many_reservations"
    QUOTA = "quota"
    CAPACITY_REFUSED = "capacity_refused"
    SUBMISSION_UNRESOLVED = "submission_unresolved"
    NEVER_CREATED = "never_created"
    PENDING_TOO_LONG = "pending_too_long"
    RESOURCE_DELETED = "resource_deleted"
    PREEMPTED = "preempted"
    RETRIED = "retried"
    MOVED = "moved"
    ASKED = "asked"
    RELEASED = "released"
    CHANGED = "changed"
    REQUEUE_ASKED = "requeue_asked"
    RETRY_ASKED = "retry_asked"
    CANCELLED_ELSEWHERE = "cancelled_elsewhere"
    CUSTOM_JOB_DELETED = "custom_job_deleted"
    TIMED_OUT = "timed_out"
    PARTLY = "partly"


# From QUEUED to QUEUED is a requeue: the job was considered and keeps its place; or it was changed, as a held
# one from HELD to HELD. From CANCELLING to CANCELLING somebody asks to end what was to be requeued. An end is
# final, but for the command to retry the job.
MOVES: dict[State, frozenset[State]] = {
    State.HELD: frozenset({State.HELD, State.QUEUED, State.ENDED}),
    State.QUEUED: frozenset({State.QUEUED, State.HELD, State.RESERVED, State.ENDED}),
    State.RESERVED: frozenset({State.QUEUED, State.SUBMITTED, State.RUNNING, State.CANCELLING, State.ENDED}),
    State.SUBMITTED: frozenset({State.QUEUED, State.RUNNING, State.CANCELLING, State.ENDED}),
    State.RUNNING: frozenset({State.QUEUED, State.CANCELLING, State.ENDED}),
    State.CANCELLING: frozenset({State.QUEUED, State.HELD, State.CANCELLING, State.ENDED}),
    State.ENDED: frozenset({State.QUEUED}),
}


# An array has no attempt of its own. It runs as soon as a member does, until all have ended.
MOVES_OF_ARRAYS: dict[State, frozenset[State]] = {
    State.HELD: frozenset({State.HELD, State.QUEUED, State.RUNNING, State.CANCELLING, State.ENDED}),
    State.QUEUED: frozenset({State.QUEUED, State.HELD, State.RUNNING, State.CANCELLING, State.ENDED}),
    State.RUNNING: frozenset({State.RUNNING, State.HELD, State.CANCELLING, State.ENDED}),
    State.CANCELLING: frozenset({State.ENDED}),
    State.ENDED: frozenset({State.QUEUED, State.RUNNING}),
}


class IllegalMove(Exception):
    """A move that the table does not allow: a fault of ours, never of a publisher."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """One change of state, as history keeps it and as `job-outcomes` announces it. `command` is the id of the
    command that asked for it. `custom_job` is the attempt's, in the first entry that knows it.
    """

    sequence: int
    at: datetime
    state: State
    attempt: int
    outcome: Outcome | None = None
    reason: Reason | None = None
    note: str | None = None
    command: str | None = None
    custom_job: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """Why a job is kept from being considered, and since when. `note` says who keeps it and why, or what it
    waits for.
    """

    reason: Reason
    at: datetime
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """One worker pool spec's demand: canonical machine and disk (None: any disk), replicas, and its place."""

    index: int
    machine: str
    disk: str | None
    replicas: int


@dataclass(frozen=True, kw_only=True)
class Job:
    """Our record of a job request and its life. `custom_job_body` is the request's REST body as JSON text.

    `token` and `custom_job` are those of the current attempt, `tokens` those of the latest ones.
    `cancel_reason` says why it is being cancelled: a job that its owner or an operator cancels (`ASKED`)
    ends, one cancelled for our own reasons is requeued.
    `expected_run`, `min_run`, `max_preemptions`, `deadline` and `max_wait` are the request's, in seconds;
    `alternatives` are where else it may run than at `resource`. `not_before` is the request's at first, later
    when the next attempt may start. `preemptions` counts the attempts that were ended to make room.
    `retries` say what follows an attempt that ended badly; `failures` are those that did, in order.
    `moves` counts how often in a row it went to the queue of an alternative, the last time at `moved_at`.
    `returned` is when it came back to the queue after it had ended, `arrived` since when it waits in it.
    `holds` keep it from being considered, at most one of each reason: while there are any it is HELD, or is
    to be once its attempt is cancelled.
    `depends_on` are the request's; `waits_for` are those of them that are still to end. `dependants` are the
    ids of the jobs of its team that are to learn of its end.
    `inbox` marks what the next cycle must take up: a new job, or one whose `ending` was only noted.
    `variant` tells the record of a refused request apart from the job that already has its id.
    An `array` stands for many jobs, its members, whose ids are made of its own. At most `max_parallel`
    members of one array hold replicas at a time.
    """

    team: str
    job_id: str
    resource: str
    priority: int
    digest: str
    display_name: str
    custom_job_body: str
    demands: tuple[Demand, ...]
    created: datetime
    variant: str = ""
    message_id: str = ""
    state: State = State.QUEUED
    outcome: Outcome | None = None
    reason: Reason | None = None
    inbox: bool = True
    attempt: int = 0
    sequence: int = 0
    token: str | None = None
    tokens: tuple[str, ...] = ()
    custom_job: str | None = None
    cancel_reason: Reason | None = None
    not_before: datetime | None = None
    setbacks: int = 0
    ending: Mapping[str, Any] | None = None
    problems: tuple[dict[str, str], ...] = ()
    error: str | None = None
    submitted: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    history: tuple[Move, ...] = ()
    expected_run: int | None = None
    min_run: int = 0
    max_preemptions: int | None = None
    deadline: datetime | None = None
    max_wait: int | None = None
    alternatives: tuple[Alternative, ...] = ()
    traits: Traits = NO_TRAITS
    preemptions: int = 0
    retries: Retries = NO_RETRIES
    failures: tuple[Failure, ...] = ()
    moves: int = 0
    moved_at: datetime | None = None
    holds: tuple[Hold, ...] = ()
    serial: Serial | None = None
    returned: datetime | None = None
    array: Array | None = None
    max_parallel: int | None = None
    depends_on: tuple[Dependency, ...] = ()
    on_failed_dependency: OnFailed = OnFailed.END
    waits_for: tuple[Dependency, ...] = ()
    dependants: tuple[str, ...] = ()

    @property
    def arrived(self) -> datetime:
        return self.returned or self.created

    @property
    def array_key(self) -> str | None:
        """The key of the array of which it is a member."""
        found = member_of(self.job_id)
        return None if found is None else job_key(self.team, found[0])

    @property
    def waits(self) -> bool:
        """Is it to be decided on? An array also while some members run, as long as others wait."""
        if self.array is None:
            return self.state is State.QUEUED
        return self.state in {State.QUEUED, State.RUNNING} and self.array.waiting > 0

    @property
    def is_held(self) -> bool:
        """Is it kept from being decided on? Of an array those members are that wait, if any do."""
        return self.state is State.HELD and (self.array is None or self.array.waiting > 0)

    @property
    def expires(self) -> datetime | None:
        """When it ends if it still waits then. Who was preempted, or tried again, had started in time."""
        is_limited = self.max_wait is not None and self.preemptions == 0 and not self.failures
        waited = self.arrived + timedelta(seconds=self.max_wait or 0) if is_limited else None
        return min((at for at in (self.deadline, waited) if at is not None), default=None)

    @property
    def key(self) -> str:
        return job_key(self.team, self.public_id)

    @property
    def public_id(self) -> str:
        """The id under which the job is announced; unlike any publisher's own for a refused namesake."""
        return f"{self.job_id}.{self.variant}" if self.variant else self.job_id


def job_key(team: str, job_id: str) -> str:
    return f"{team}.{job_id}"


def record(job: Job, *, at: datetime) -> Job:
    """The first entry of a new job's history: it is queued, or held."""
    if job.holds:
        first = job.holds[0]
        return _enter(job, State.HELD, at=at, reason=first.reason, note=first.note)
    return _enter(job, State.QUEUED, at=at, reason=None, note=None)


def record_refused(job: Job, *, at: datetime, reason: Reason, note: str) -> Job:
    """The only entry of a refused request's history: it ended, rejected."""
    return record_ended(job, at=at, outcome=Outcome.REJECTED, reason=reason, note=note)


def record_ended(job: Job, *, at: datetime, outcome: Outcome, reason: Reason, note: str) -> Job:
    """The only entry of a history that is over as it begins."""
    ended = replace(
        job,
        outcome=outcome,
        ended=at,
        inbox=False,
        holds=(),
        waits_for=(),
        error=job.error or note,
        array=None if job.array is None else job.array.with_waiting_ended(outcome),
    )
    return _enter(ended, State.ENDED, at=at, reason=reason, note=note)


def move(
    job: Job,
    to: State,
    *,
    at: datetime,
    reason: Reason | None = None,
    outcome: Outcome | None = None,
    note: str | None = None,
    command: str | None = None,
    **changes: Any,
) -> Job:
    """`job` moved to another state, its history longer by one. Members of an array that still wait end with
    it. Raises `IllegalMove` against the table.
    """
    legal = MOVES if job.array is None else MOVES_OF_ARRAYS
    is_final = job.state is State.ENDED and reason is not Reason.RETRY_ASKED
    if is_final or to not in legal[job.state] or (outcome is None) == (to is State.ENDED):
        raise IllegalMove(f"{job.key}: {job.state} -> {to} (outcome {outcome})")
    if to is State.ENDED:
        assert outcome is not None
        array = None if job.array is None else job.array.with_waiting_ended(outcome)
        changes = {"ended": at, "inbox": False, "ending": None, "holds": (), "array": array, **changes}
    moved = replace(job, outcome=outcome, **changes)
    custom_job = _news(job, moved.custom_job or job.custom_job)
    return _enter(moved, to, at=at, reason=reason, note=note, command=command, custom_job=custom_job)


def _news(job: Job, custom_job: str | None) -> str | None:
    """The attempt's custom job, unless its history tells already."""
    told = (entry.custom_job for entry in job.history if entry.attempt == job.attempt)
    return None if custom_job in told else custom_job


def anew(job: Job, now: datetime) -> Job:
    """Without what only its last attempt, or its time in the queue before that, was about; of an array, all
    members that did not succeed wait again.
    """
    return replace(
        job,
        array=None if job.array is None else job.array.with_all_but(Outcome.SUCCEEDED),
        returned=now,
        ended=None,
        error=None,
        problems=(),
        token=None,
        custom_job=None,
        cancel_reason=None,
        not_before=None,
        failures=(),
        setbacks=0,
        submitted=None,
        started=None,
        preemptions=0,
        moves=0,
        moved_at=None,
    )


def _enter(
    job: Job,
    to: State,
    *,
    at: datetime,
    reason: Reason | None,
    note: str | None,
    command: str | None = None,
    custom_job: str | None = None,
) -> Job:
    entry = Move(
        sequence=job.sequence + 1,
        at=at,
        state=to,
        attempt=job.attempt,
        outcome=job.outcome,
        reason=reason,
        note=_cut(note, NOTE_CHARACTERS),
        command=command,
        custom_job=custom_job,
    )
    return replace(
        job,
        state=to,
        reason=reason,
        error=_cut(job.error, ERROR_CHARACTERS),
        sequence=entry.sequence,
        history=_bounded((*job.history, entry)),
    )


def _cut(text: str | None, characters: int) -> str | None:
    if text is None or len(text) <= characters:
        return text
    return text[: characters - 1] + "…"


def _bounded(history: tuple[Move, ...]) -> tuple[Move, ...]:
    """The first entry and the latest ones: how a job began is never forgotten."""
    if len(history) <= HISTORY_LIMIT:
        return history
    return (history[0], *history[-(HISTORY_LIMIT - 1) :])
