"""The decision of an admission cycle: which waiting jobs start now, and why the others wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from poolqueue.scheduling.jobs import Demand, Reason
from poolqueue.scheduling.matching import Assignment, Matched, MatchProblem, PoolSpec, match_pools
from poolqueue.scheduling.pools import (
    RESERVATIONS_LIMIT,
    WHOLE_RESOURCE,
    PoolKey,
    Resource,
    free,
)
from poolqueue.scheduling.waiting import Waiting


@dataclass(frozen=True, kw_only=True)
class Policy:
    """`patience`: how long a job may be passed over by later ones before it holds its place."""

    patience: timedelta = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Admit:
    """All its pools are free: `replicas` per pool, and which pool serves which worker pool spec."""

    waiting: Waiting
    replicas: Mapping[PoolKey, int]
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, kw_only=True)
class Wait:
    """It stays in the queue. `short_by`: replicas missing per pool; `until`: when time alone ends it.

    `has_pools`: it was held against confirmed pools, and they could run it.
    """

    waiting: Waiting
    reason: Reason
    note: str
    short_by: Mapping[PoolKey, int] = field(default_factory=dict)
    until: datetime | None = None
    has_pools: bool = False


@dataclass(frozen=True, kw_only=True)
class Reject:
    """It can never run here: refused for good, with all that is wrong."""

    waiting: Waiting
    reason: Reason
    problems: tuple[MatchProblem, ...]


Verdict = Admit | Wait | Reject


def ordered(queue: Iterable[Waiting]) -> list[Waiting]:
    """Higher priority first, then who arrived first."""
    return sorted(queue, key=lambda line: (-line.priority, line.arrived, line.team, line.job_id))


def decide(
    resource: Resource, queue: Iterable[Waiting], *, now: datetime, slots: int, policy: Policy
) -> list[Verdict]:
    """A verdict for every waiting job, in the order in which they were considered.

    Equivalent to: walk the queue in order and admit whatever fits what is left, all pools of a job or none.
    It differs in one thing: a job that has been passed over for longer than `policy.patience` holds its
    place, so that nobody behind it takes replicas of the pools that it waits for. At most `slots` jobs are
    admitted.
    """
    obstacle = _obstacle(resource, now)
    if obstacle is not None:
        reason, note = obstacle
        return [Wait(waiting=line, reason=reason, note=note) for line in ordered(queue)]
    pass_ = _Pass(resource, now=now, slots=slots, policy=policy)
    return [pass_.consider(line) for line in ordered(queue)]


def specs(resource: Resource) -> list[PoolSpec]:
    return [
        PoolSpec(id=", ".join(pool.ids), machine=pool.key.machine, disk=pool.key.disk, capacity=pool.capacity)
        for pool in resource.pools
    ]


def _obstacle(resource: Resource, now: datetime) -> tuple[Reason, str] | None:
    """What keeps every job of the resource waiting, if anything does."""
    if resource.state == "MISSING":
        return Reason.RESOURCE_MISSING, "Vertex AI knows no persistent resource of this name"
    if not resource.is_ready:
        return Reason.RESOURCE_NOT_READY, f"the persistent resource is {resource.state}"
    if not resource.is_fresh(now):
        return Reason.RESOURCE_NOT_READY, "its capacity was not confirmed within the last 90 s"
    if drain := resource.drained.get(WHOLE_RESOURCE):
        return Reason.DRAINED, f"all of it, by {drain.author}: {drain.reason}"
    return None


class _Pass:
    """One walk over the queue: what is free, which pools are held, how many may still be admitted."""

    def __init__(self, resource: Resource, *, now: datetime, slots: int, policy: Policy) -> None:
        self._now = now
        self._policy = policy
        self._slots = slots
        self._room = RESERVATIONS_LIMIT - len(resource.reservations)
        self._free = free(resource)
        self._capacity = {pool.key: pool.capacity for pool in resource.pools}
        self._names = {pool.key: ", ".join(pool.ids) for pool in resource.pools}
        self._held: dict[PoolKey, str] = {}
        self._specs = specs(resource)
        self._matches: dict[tuple[Demand, ...], Matched | tuple[MatchProblem, ...]] = {}
        self._closed = dict(_closed_pools(resource, now))

    def consider(self, line: Waiting) -> Verdict:
        if line.not_before is not None and line.not_before > self._now:
            note = "an earlier attempt was refused; the next one may start then"
            return Wait(waiting=line, reason=Reason.BACKING_OFF, note=note, until=line.not_before)
        match = self._match(line.demands)
        if not isinstance(match, Matched):
            return _unmatched(line, match)
        wanted = dict(match.demands)
        verdict = self._closed_pool(line, wanted) or self._place(line, wanted, match.assignments)
        return replace(verdict, has_pools=True) if isinstance(verdict, Wait) else verdict

    def _match(self, demands: tuple[Demand, ...]) -> Matched | tuple[MatchProblem, ...]:
        if demands not in self._matches:
            self._matches[demands] = match_pools(demands, self._specs)
        return self._matches[demands]

    def _closed_pool(self, line: Waiting, wanted: Mapping[PoolKey, int]) -> Wait | None:
        for key in wanted:
            if key in self._closed:
                reason, note, until = self._closed[key]
                return Wait(waiting=line, reason=reason, note=note, until=until)
        return None

    def _place(
        self, line: Waiting, wanted: Mapping[PoolKey, int], assignments: tuple[Assignment, ...]
    ) -> Verdict:
        if ahead := next((self._held[key] for key in wanted if key in self._held), None):
            note = f"{ahead} has waited longest and holds its place"
            return Wait(waiting=line, reason=Reason.BEHIND_HELD_PLACE, note=note)
        short = {key: n - self._free[key] for key, n in wanted.items() if n > self._free[key]}
        if short:
            return self._too_few(line, wanted, short)
        if self._room <= 0:
            note = f"the resource already has {RESERVATIONS_LIMIT} reservations"
            return Wait(waiting=line, reason=Reason.TOO_MANY_RESERVATIONS, note=note)
        for key, replicas in wanted.items():
            self._free[key] -= replicas
        if self._slots <= 0:
            note = "its replicas are free; it waits for the pace of requests to Vertex AI"
            return Wait(waiting=line, reason=Reason.PACED, note=note)
        self._slots -= 1
        self._room -= 1
        return Admit(waiting=line, replicas=wanted, assignments=assignments)

    def _too_few(self, line: Waiting, wanted: Mapping[PoolKey, int], short: Mapping[PoolKey, int]) -> Wait:
        reachable = all(n <= self._capacity[key] for key, n in wanted.items())
        if reachable and self._now - line.arrived >= self._policy.patience:
            self._held |= dict.fromkeys(wanted, f"{line.team}/{line.job_id}")
        note = "; ".join(
            f"{self._names[key]}: needs {wanted[key]}, {max(0, self._free[key])} free" for key in short
        )
        return Wait(waiting=line, reason=Reason.NEEDS_REPLICAS, note=note, short_by=short)


def _unmatched(line: Waiting, problems: tuple[MatchProblem, ...]) -> Wait | Reject:
    above = all(problem.above_capacity for problem in problems)
    reason = Reason.ABOVE_CAPACITY if above else Reason.NO_MATCHING_POOL
    if line.is_new:
        return Reject(waiting=line, reason=reason, problems=problems)
    return Wait(waiting=line, reason=reason, note=problems[0].problem)


def _closed_pools(
    resource: Resource, now: datetime
) -> Iterable[tuple[PoolKey, tuple[Reason, str, datetime | None]]]:
    for pool in resource.pools:
        backoff = resource.backoffs.get(pool.key)
        drain = next((resource.drained[i] for i in pool.ids if i in resource.drained), None)
        if drain is not None:
            note = f"pool {', '.join(pool.ids)}, by {drain.author}: {drain.reason}"
            yield pool.key, (Reason.DRAINED, note, None)
        elif backoff is not None and backoff.until > now:
            note = f"Vertex AI refused a job on pool {', '.join(pool.ids)}; the pool is left alone until then"
            yield pool.key, (backoff.reason, note, backoff.until)


def admitted(verdicts: Sequence[Verdict]) -> list[Admit]:
    return [verdict for verdict in verdicts if isinstance(verdict, Admit)]
