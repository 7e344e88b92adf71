"""Makes views of a snapshot of a persistent resource.

Reasons of waiting jobs come from the deciding code itself, asked about the snapshot; they are stored nowhere.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import assert_never

from poolqueue.records import ResourceName
from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board, specs
from poolqueue.scheduling.catching_up import expectations_of
from poolqueue.scheduling.forecast import forecast
from poolqueue.scheduling.jobs import Demand, Job, Reason, State, job_key
from poolqueue.scheduling.learned import LearnedExpectations
from poolqueue.scheduling.matching import Matched, match_pools
from poolqueue.scheduling.policies import Policy
from poolqueue.scheduling.pools import (
    WHOLE_RESOURCE,
    Backoff,
    Pool,
    PoolKey,
    Reservation,
    Resource,
    free,
    reserved,
)
from poolqueue.scheduling.run_times import RunTimes
from poolqueue.scheduling.scorecard import UNCORRECTED, Correction
from poolqueue.scheduling.serial_keys import KeyName, SerialKey
from poolqueue.scheduling.verdicts import Admit, Expire, Reject, Verdict, Wait
from poolqueue.scheduling.waiting import Waiting
from poolqueue.viewing.terms import terms_of
from poolqueue.viewing.text import clock_time
from poolqueue.viewing.views import (
    HOLDING,
    Expected,
    Holder,
    JobView,
    PoolView,
    Progress,
    ResourceView,
    Share,
)

UNRESOLVED = "it is not known whether Vertex AI has it: sweeps look for its custom job, then it goes again"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was read of one resource. Of the lines of its queue, `held` are those that no decision considers.
    `jobs` are the documents that were read besides, by key; `slots` are
    those that the pace grants now; `more_arrivals` says that there are new jobs beyond the ones in `waiting`;
    `run_times` are those that were stored. `estimates`: for how many of those that wait, in turn, it is told
    when they start, and `correction` what earlier forecasts teach. `elsewhere`: who has the serial
    keys of those that wait at other resources.
    """

    resource: Resource
    waiting: Sequence[Waiting] = ()
    held: Sequence[Waiting] = ()
    jobs: Mapping[str, Job] = field(default_factory=dict)
    slots: int = 50
    policy: Policy = field(default_factory=Policy)
    call_timeout: timedelta = timedelta(seconds=60)
    more_arrivals: bool = False
    run_times: RunTimes = field(default_factory=RunTimes)
    estimates: int = 0
    correction: Correction = UNCORRECTED
    elsewhere: Mapping[KeyName, SerialKey] = field(default_factory=dict)

    def board(self, now: datetime) -> Board:
        """What the next decision looks at."""
        known = self.expectations(now)
        return Board(
            self.resource,
            self.waiting,
            policy=self.policy,
            expectations=known,
            now=now,
            elsewhere=self.elsewhere,
        )

    def expectations(self, now: datetime) -> LearnedExpectations:
        return expectations_of(self.run_times, self.resource, now=now)


def resource_view(snapshot: Snapshot, *, now: datetime) -> ResourceView:
    resource = snapshot.resource
    name = ResourceName.from_full(resource.name)
    shares = _Shares(resource)
    board = snapshot.board(now)
    verdicts = _each_array_once(decide(board, now=now, slots=snapshot.slots).verdicts())
    first = [_key_of(verdict.waiting) for _, verdict in verdicts[: snapshot.estimates]]
    expected = expected_of(snapshot, board, now=now, of=first)
    holding = [
        _holding(reservation, name, snapshot, shares, now) for reservation in resource.reservations.values()
    ]
    progress = _Progress(snapshot)
    waiting = [
        progress.on(
            _waiting(verdict, at, resource, shares, now), expected=expected.get(_key_of(verdict.waiting))
        )
        for at, verdict in verdicts
    ]
    held = [progress.on(_held(line, name, shares, now)) for line in sorted(snapshot.held, key=_by_arrival)]
    shown = {each.key for each in (*waiting, *held)}
    return ResourceView(
        name=name,
        state=resource.state,
        seen_at=now,
        observed_at=resource.observed_at,
        is_fresh=resource.is_fresh(now),
        pools=_pools(resource, snapshot.waiting, shares, now),
        holding=tuple(sorted(holding, key=_by_state_and_age)),
        waiting=tuple(waiting),
        held=tuple(held),
        arrays=tuple(_at_work(job, shares, progress, now) for job in progress.arrays if job.key not in shown),
        more_arrivals=snapshot.more_arrivals,
        drained=resource.drained.get(WHOLE_RESOURCE),
    )


def _each_array_once(verdicts: Iterable[Verdict]) -> list[tuple[int, Verdict]]:
    """With their positions; of an array the first that does not start now, or the last of its members."""
    found: dict[str, tuple[int, Verdict]] = {}
    for at, verdict in enumerate(verdicts, 1):
        key = _key_of(verdict.waiting)
        known = found.get(key)
        if known is None:
            found[key] = (at, verdict)
        elif isinstance(known[1], Admit):
            found[key] = (known[0], verdict)
    return [*found.values()]


def _key_of(line: Waiting) -> str:
    """Of the array, if a member stands in its line."""
    return line.of or line.key


class _Progress:
    """How far each array is whose document was read; `arrays` are these."""

    def __init__(self, snapshot: Snapshot) -> None:
        at_work = Counter(each.array for each in snapshot.resource.reservations.values())
        self.arrays = [job for job in snapshot.jobs.values() if job.array is not None]
        self._known = {job.key: progress_of(job, at_work[job.key]) for job in self.arrays}
        self._states = {job.key: job.state for job in self.arrays}

    def of(self, key: str) -> Progress | None:
        return self._known.get(key)

    def on(self, view: JobView, *, expected: Expected | None = None) -> JobView:
        known = self.of(view.key)
        state = view.state if known is None else self._states[view.key]
        return replace(view, state=state, array=known, expected=expected)


def progress_of(job: Job, at_work: int = 0) -> Progress | None:
    if job.array is None:
        return None
    return Progress(
        size=job.array.size, at_work=at_work, ended=job.array.counts(), max_parallel=job.array.max_parallel
    )


def _at_work(job: Job, shares: _Shares, progress: _Progress, now: datetime) -> JobView:
    return JobView(
        team=job.team,
        job_id=job.job_id,
        state=job.state,
        resource=ResourceName.from_key(job.resource).id,
        shares=shares.of_demands(job.demands),
        ran=None if job.started is None else now - job.started,
        priority=job.priority,
        reason=job.reason,
        terms=terms_of(job, job.resource),
        array=progress.of(job.key),
    )


def expected_of(
    snapshot: Snapshot, board: Board, *, now: datetime, of: Collection[str]
) -> dict[str, Expected]:
    """Of the jobs with these keys, which wait on the board."""
    if not of:
        return {}
    found = forecast(
        board,
        now=now,
        run_time=snapshot.expectations(now).distribution,
        chance=Random,
        of=of,
        correction=snapshot.correction,
    )
    return {key: Expected(estimate=each, as_of=now) for key, each in found.items()}


def ended_view(job: Job) -> JobView:
    """A job that ended. How long it waited is told when it never ran."""
    until = job.started or job.ended
    ran = job.ended - job.started if job.ended is not None and job.started is not None else None
    return JobView(
        team=job.team,
        job_id=job.public_id,
        state=job.state,
        resource=ResourceName.from_key(job.resource).id,
        shares=tuple(_unplaced(job.demands)),
        waited=None if until is None else until - job.arrived,
        ran=ran,
        priority=job.priority,
        outcome=job.outcome,
        reason=job.reason,
        note=job.error or "",
        terms=terms_of(job, job.resource),
        array=progress_of(job),
    )


def member_view(job: Job, *, now: datetime) -> JobView:
    """A member of an array from its own document alone."""
    shown = ended_view(job)
    if job.state is State.ENDED:
        return shown
    return replace(shown, ran=None if job.started is None else now - job.started, note="")


def short_spec(spec: str) -> str:
    """A canonical machine or disk as people write it: `g2-standard-12 + 1 x NVIDIA_L4`, `100 GB pd-ssd`."""
    try:
        fields = json.loads(spec)
    except ValueError:
        return spec
    if not isinstance(fields, dict):
        return spec
    known = dict(fields)
    parts = []
    if machine := known.pop("machineType", None):
        parts.append(str(machine))
    if accelerator := known.pop("acceleratorType", None):
        parts.append(f"{known.pop('acceleratorCount', 1)} x {accelerator}")
    if disk := known.pop("bootDiskType", None):
        parts.append(f"{known.pop('bootDiskSizeGb', '?')} GB {disk}")
    parts += [f"{name} {json.dumps(value)}" for name, value in known.items()]
    return " + ".join(parts)


class _Shares:
    """Which pools serve a job's demands; most jobs of a queue ask for the same."""

    def __init__(self, resource: Resource) -> None:
        self._specs = specs(resource)
        self._names = {pool.key: ", ".join(pool.ids) for pool in resource.pools}
        self._matches: dict[tuple[Demand, ...], Mapping[PoolKey, int] | None] = {}

    def wanted(self, demands: tuple[Demand, ...]) -> Mapping[PoolKey, int] | None:
        """Replicas per pool, None when no pools serve all of it."""
        if demands not in self._matches:
            match = match_pools(demands, self._specs)
            self._matches[demands] = dict(match.demands) if isinstance(match, Matched) else None
        return self._matches[demands]

    def of_demands(self, demands: tuple[Demand, ...]) -> tuple[Share, ...]:
        wanted = self.wanted(demands)
        return tuple(_unplaced(demands)) if wanted is None else self.of(wanted)

    def of(self, replicas: Mapping[PoolKey, int]) -> tuple[Share, ...]:
        return tuple(
            Share(pool=self._names.get(key) or short_spec(key.machine), replicas=n)
            for key, n in replicas.items()
        )


def _unplaced(demands: Iterable[Demand]) -> Iterable[Share]:
    return (Share(pool=short_spec(demand.machine), replicas=demand.replicas) for demand in demands)


# --- pools -----------------------------------------------------------------------------------------------


def _pools(
    resource: Resource, waiting: Sequence[Waiting], shares: _Shares, now: datetime
) -> tuple[PoolView, ...]:
    ours, left = reserved(resource), free(resource)
    wanted = [(shares.wanted(line.demands) or {}, line.count) for line in waiting]
    return tuple(
        PoolView(
            ids=pool.ids,
            machine=short_spec(pool.key.machine),
            disk=short_spec(pool.key.disk),
            capacity=pool.capacity,
            reserved=ours[pool.key],
            foreign=resource.foreign.get(pool.key, 0),
            surplus=resource.surplus.get(pool.key, 0),
            free=left[pool.key],
            waiting=sum(n for each, n in wanted if pool.key in each),
            holders=_holders(resource, pool),
            drained=next((resource.drained[id_] for id_ in pool.ids if id_ in resource.drained), None),
            backoff=_backoff(resource, pool, now),
        )
        for pool in resource.pools
    )


def _holders(resource: Resource, pool: Pool) -> tuple[Holder, ...]:
    """The largest first, then the oldest."""
    found = [r for r in resource.reservations.values() if pool.key in r.replicas]
    found.sort(key=lambda r: (-r.replicas[pool.key], r.reserved_at, r.token))
    return tuple(Holder(team=r.team, job_id=r.job_id, replicas=r.replicas[pool.key]) for r in found)


def _backoff(resource: Resource, pool: Pool, now: datetime) -> Backoff | None:
    backoff = resource.backoffs.get(pool.key)
    return backoff if backoff is not None and backoff.until > now else None


# --- jobs ------------------------------------------------------------------------------------------------


def _holding(
    reservation: Reservation, name: ResourceName, snapshot: Snapshot, shares: _Shares, now: datetime
) -> JobView:
    """From the reservation, and more exactly where the job's document was read and is of this attempt."""
    job = snapshot.jobs.get(job_key(reservation.team, reservation.job_id))
    if job is not None and job.token != reservation.token:
        job = None
    state = job.state if job is not None and job.state in HOLDING else _state(reservation)
    started = job.started if job is not None else None
    since = started or reservation.reserved_at
    is_started = started is not None or reservation.running
    reason, note = _why_held(job, answered_by=reservation.submit_by + snapshot.call_timeout, now=now)
    return JobView(
        team=reservation.team,
        job_id=reservation.job_id,
        state=state,
        resource=name.id,
        shares=shares.of(reservation.replicas),
        waited=None if job is None else max(timedelta(), since - job.arrived),
        held=None if is_started else now - reservation.reserved_at,
        ran=now - since if is_started else None,
        priority=None if job is None else job.priority,
        reason=reason,
        note=note,
        terms=None if job is None else terms_of(job, job.resource),
    )


def _why_held(job: Job | None, *, answered_by: datetime, now: datetime) -> tuple[Reason | None, str]:
    if job is None:
        return None, ""
    if job.state is State.RESERVED and now > answered_by:
        return Reason.SUBMISSION_UNRESOLVED, UNRESOLVED
    return job.reason, ""


def _state(reservation: Reservation) -> State:
    if reservation.cancelled_at is not None:
        return State.CANCELLING
    return State.RUNNING if reservation.running else State.SUBMITTED


def _by_state_and_age(job: JobView) -> tuple[int, timedelta, str]:
    return HOLDING.index(job.state), -(job.ran or job.held or timedelta()), job.key


def _waiting(verdict: Verdict, position: int, resource: Resource, shares: _Shares, now: datetime) -> JobView:
    line = verdict.waiting
    job_id = line.job_id if line.of is None else line.of.partition(".")[2]
    name = ResourceName.from_full(resource.name)
    promise = resource.promises.get(line.key)
    reason, note = _why(verdict, now)
    return JobView(
        team=line.team,
        job_id=job_id,
        state=State.QUEUED,
        resource=name.id,
        shares=shares.of_demands(line.demands),
        waited=now - line.arrived,
        priority=line.priority,
        reason=reason,
        note=note,
        position=position,
        planned=None if promise is None else promise.start,
        terms=terms_of(line, name.key),
    )


def _by_arrival(line: Waiting) -> tuple[datetime, str]:
    return line.arrived, line.key


def _held(line: Waiting, name: ResourceName, shares: _Shares, now: datetime) -> JobView:
    """The first of what holds it is its reason; what else does is told beside that."""
    first, *others = line.holds
    also = "".join(f"; and {each.reason.value}: {each.note}" for each in others)
    return JobView(
        team=line.team,
        job_id=line.job_id,
        state=State.HELD,
        resource=name.id,
        shares=shares.of_demands(line.demands),
        waited=now - line.arrived,
        priority=line.priority,
        reason=first.reason,
        note=first.note + also,
        terms=terms_of(line, name.key),
    )


def _why(verdict: Verdict, now: datetime) -> tuple[Reason | None, str]:
    match verdict:
        case Admit():
            return None, "fits now: the next admission cycle starts it"
        case Wait(reason=reason, note=note, until=until):
            return reason, note if until is None else f"{note} (until {clock_time(until, now)})"
        case Reject(reason=reason, problems=problems):
            return reason, f"the next admission cycle refuses it: {problems[0].problem}"
        case Expire(reason=reason, note=note):
            return reason, f"the next admission cycle ends it: {note}"
        case unreachable:
            assert_never(unreachable)
