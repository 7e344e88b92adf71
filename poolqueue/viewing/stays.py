"""Who held which replicas from when to when, who holds them, and who is planned to: for a chart of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain

from poolqueue.records import ResourceName
from poolqueue.scheduling.arrays import array_key
from poolqueue.scheduling.board import CANCELLED_SECONDS, Board, specs
from poolqueue.scheduling.forward import expected_left, run_forward
from poolqueue.scheduling.jobs import Demand, Job, Move, Outcome, Reason, State
from poolqueue.scheduling.matching import Matched, match_pools
from poolqueue.scheduling.pools import PoolKey, Reservation, Resource
from poolqueue.scheduling.waiting import Waiting

# What running the policy forward may cost, in what a decision costs: groups that wait, and always some.
EFFORT = 10_000
ALWAYS_GROUPS = 5
MOST_DECISIONS = 400
PLANNED_LIMIT = 300

_HOLDING = (State.RESERVED, State.SUBMITTED, State.RUNNING, State.CANCELLING)


class Kind(StrEnum):
    """What is known of a stay in a pool. Values are part of the page's JSON."""

    ENDED = "ended"
    REQUEUED = "requeued"  # the attempt ended, and its job waited again
    STARTING = "starting"  # holds replicas, and does not run yet
    RUNNING = "running"
    PLANNED = "planned"
    OTHERS = "others"  # foreign use and surplus: since when is not known


@dataclass(frozen=True, kw_only=True)
class Stay:
    """One attempt's replicas of one pool. `end` is expected for what runs or is planned, and None for what
    others hold. `began`: when it began to run, if it was seen to.
    """

    kind: Kind
    pool: PoolKey
    replicas: int
    start: datetime
    end: datetime | None
    team: str = ""
    job_id: str = ""
    attempt: int = 0
    began: datetime | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None


class PastStays:
    """Makes stays of jobs that ended on one resource, as if its pools had always been what they are."""

    def __init__(self, resource: Resource) -> None:
        self._key = ResourceName.from_full(resource.name).key
        self._specs = [replace(spec, capacity=None) for spec in specs(resource)]
        self._found: dict[tuple[Demand, ...], Mapping[PoolKey, int]] = {}

    def of(self, jobs: Iterable[Job]) -> list[Stay]:
        """Of jobs with their histories, without attempts elsewhere from before a job moved here."""
        return [stay for job in jobs if job.resource == self._key for stay in self._of(job)]

    def _of(self, job: Job) -> Iterator[Stay]:
        for held in holdings_of(job):
            for pool, n in self._wanted(job.demands).items():
                yield replace(held, pool=pool, replicas=n)

    def _wanted(self, demands: tuple[Demand, ...]) -> Mapping[PoolKey, int]:
        if demands not in self._found:
            match = match_pools(demands, self._specs)
            self._found[demands] = dict(match.demands) if isinstance(match, Matched) else {}
        return self._found[demands]


_NOWHERE = PoolKey("", "")


def holdings_of(job: Job) -> Iterator[Stay]:
    """The attempts of a job that held replicas, from when to when; which of what pool is left open."""
    first: Move | None = None
    began: datetime | None = None
    for entry in _here(job.history):
        if entry.state in _HOLDING and entry.attempt:  # an array runs, and has no attempt of its own
            if first is None:
                first, began = entry, None
            if entry.state is State.RUNNING:
                began = began or entry.at
        elif first is not None:
            is_last = entry.state is State.ENDED
            kind = Kind.ENDED if is_last else Kind.REQUEUED
            since = (job.started or began) if is_last else began
            yield _stay(job, kind, first, began=since, end=entry.at, last=entry)
            first = None
    if first is not None:
        kind = Kind.RUNNING if job.state is State.RUNNING else Kind.STARTING
        yield _stay(job, kind, first, began=job.started or began, end=None)


def _stay(
    job: Job,
    kind: Kind,
    first: Move,
    *,
    began: datetime | None,
    end: datetime | None,
    last: Move | None = None,
) -> Stay:
    return Stay(
        kind=kind,
        pool=_NOWHERE,
        replicas=0,
        start=first.at,
        end=end,
        team=job.team,
        job_id=job.public_id,
        attempt=first.attempt,
        began=began,
        outcome=None if last is None else last.outcome,
        reason=None if last is None else last.reason,
    )


def _here(history: Sequence[Move]) -> Sequence[Move]:
    moved = [at for at, entry in enumerate(history) if entry.reason is Reason.MOVED]
    return history[moved[-1] :] if moved else history


def current_stays(board: Board, *, now: datetime) -> list[Stay]:
    """What is held now, until when it is expected to be."""
    resource = board.resource
    held = [
        Stay(
            kind=Kind.RUNNING if each.running else Kind.STARTING,
            pool=pool,
            replicas=n,
            start=each.reserved_at,
            end=_expected_end(board, each, now),
            team=each.team,
            job_id=each.job_id,
            attempt=each.attempt,
            began=each.started,
        )
        for each in resource.reservations.values()
        for pool, n in each.replicas.items()
    ]
    others = chain(resource.foreign.items(), resource.surplus.items())
    return held + [
        Stay(kind=Kind.OTHERS, pool=pool, replicas=n, start=now, end=None) for pool, n in others if n > 0
    ]


def _expected_end(board: Board, reservation: Reservation, now: datetime) -> datetime:
    if reservation.cancelled_at is not None:
        return max(now, reservation.cancelled_at + timedelta(seconds=CANCELLED_SECONDS))
    elapsed = max(0.0, (now - reservation.since).total_seconds())
    return now + timedelta(seconds=expected_left(board)(reservation.key, reservation.traits, elapsed))


def planned_stays(board: Board, *, now: datetime, horizon: datetime) -> list[Stay]:
    """What starts by then, the earliest first, if every run takes as long as is expected and nothing arrives.

    `board` is used up. Of a long queue only what starts first is told.
    """
    lines: Mapping[str, Waiting] = {line.key: line for line in board.lines()}
    wanted = {key: board.group_of(line).wanted for key, line in lines.items()}

    def line_of(key: str) -> Waiting | None:
        """Of a job, or of the array that it is a member of; an array's own start is that of a member."""
        line = lines.get(key)
        return lines.get(array_key(key) or "") if line is None else None if line.members else line

    left = expected_left(board)
    limit = EFFORT // (len(board.groups) + ALWAYS_GROUPS)
    course = run_forward(
        board,
        now=now,
        left=left,
        limit=max(1, min(MOST_DECISIONS, limit)),
        horizon=horizon,
    )
    starts = [(at, key, line) for key, at in course.starts.items() if (line := line_of(key)) is not None]
    starts.sort(key=lambda each: each[:2])
    return [
        Stay(
            kind=Kind.PLANNED,
            pool=pool,
            replicas=n,
            start=at,
            end=at + timedelta(seconds=left(key, line.traits, 0.0)),
            team=line.team,
            job_id=key.removeprefix(f"{line.team}."),
            attempt=line.attempt + 1,
        )
        for at, key, line in starts[:PLANNED_LIMIT]
        for pool, n in wanted[line.key]
    ]
