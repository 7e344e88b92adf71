"""How many replicas of each pool are taken over time, and what in it is more than the pool has."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from infra.local.checker.entries import (
    Entry,
    OverCapacity,
    PoolsSet,
    ReplicasReleased,
    ReplicasTaken,
    ResourceDeleted,
)
from infra.local.checker.report import Finding, FindingKind, PoolKey, Step


@dataclass(frozen=True, kw_only=True)
class Occupancy:
    steps: dict[PoolKey, tuple[Step, ...]]
    findings: tuple[Finding, ...]


@dataclass(kw_only=True)
class _Account:
    """The claims on every pool while the journal is read; occupancy is always their sum."""

    capacities: dict[PoolKey, int] = field(default_factory=dict)
    claims: defaultdict[PoolKey, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    steps: defaultdict[PoolKey, list[Step]] = field(default_factory=lambda: defaultdict(list))

    def taken(self, pool: PoolKey) -> int:
        return self.claims[pool].total()

    def note(self, pool: PoolKey, at: datetime) -> None:
        step = Step(at=at, taken=self.taken(pool), capacity=self.capacities.get(pool, 0))
        self.steps[pool].append(step)

    def set_pools(self, fact: PoolsSet, at: datetime) -> None:
        gone = {pool for pool in self.capacities if pool[0] == fact.resource} - {
            (fact.resource, name) for name in fact.capacities
        }
        for pool in gone:
            self.capacities[pool] = 0
        for name, capacity in fact.capacities.items():
            self.capacities[fact.resource, name] = capacity
        for pool in self.capacities:
            if pool[0] == fact.resource:
                self.note(pool, at)

    def delete(self, resource: str, at: datetime) -> None:
        """The machines are gone, and with them every claim on them."""
        for pool in [pool for pool in self.capacities if pool[0] == resource]:
            del self.capacities[pool]
            self.claims[pool].clear()
            self.note(pool, at)

    def take(self, fact: ReplicasTaken, at: datetime) -> Iterator[Finding]:
        for name, replicas in fact.demands.items():
            pool = (fact.resource, name)
            self.claims[pool][fact.custom_job] += replicas
            self.note(pool, at)
            if pool not in self.capacities:
                yield _finding(
                    FindingKind.INCONSISTENT, f"{fact.custom_job} takes from unknown pool {name}", at
                )
            elif self.taken(pool) > self.capacities[pool]:
                detail = (
                    f"custom job {fact.custom_job} took {replicas} of {name}: "
                    f"{self.taken(pool)} taken of {self.capacities[pool]}"
                )
                yield _finding(FindingKind.OVER_CAPACITY, detail, at)

    def release(self, fact: ReplicasReleased, at: datetime) -> Iterator[Finding]:
        for name, replicas in fact.demands.items():
            pool = (fact.resource, name)
            held = self.claims[pool][fact.custom_job]
            if replicas > held:
                detail = f"custom job {fact.custom_job} releases {replicas} of {name} but held {held}"
                yield _finding(FindingKind.INCONSISTENT, detail, at)
            self.claims[pool][fact.custom_job] = max(0, held - replicas)
            self.note(pool, at)

    def held_by(self) -> dict[str, dict[str, int]]:
        """Replicas still held, by custom job and pool."""
        held: dict[str, dict[str, int]] = defaultdict(dict)
        for (_, name), claims in self.claims.items():
            for custom_job, replicas in claims.items():
                if replicas > 0:
                    held[custom_job][name] = replicas
        return held


def occupancy_of(entries: Iterable[Entry], *, ended: Iterable[str], allow_over_capacity: bool) -> Occupancy:
    """Occupancy of every pool, in the order of lines.

    `ended` are the custom jobs that should hold nothing at the end. A pool that shrinks below what is taken
    is no finding: nobody can take back a machine in use. Taking more of it is one.
    """
    account = _Account()
    findings: list[Finding] = []
    for entry in entries:
        if entry.at is None:
            continue
        match entry.fact:
            case PoolsSet() as pools:
                account.set_pools(pools, entry.at)
            case ResourceDeleted(resource=resource):
                account.delete(resource, entry.at)
            case ReplicasTaken() as taken:
                findings += account.take(taken, entry.at)
            case ReplicasReleased() as released:
                findings += account.release(released, entry.at)
            case OverCapacity() as over if not allow_over_capacity:
                findings.append(_did_not_fit(over, entry.at))
            case _:
                pass
    held = account.held_by()
    findings += [
        _finding(FindingKind.NEVER_RELEASED, f"custom job {number} ended but holds {held[number]}", None)
        for number in ended
        if number in held
    ]
    steps = {pool: tuple(steps) for pool, steps in account.steps.items()}
    return Occupancy(steps=steps, findings=tuple(findings))


def _did_not_fit(over: OverCapacity, at: datetime) -> Finding:
    who = "/".join(over.labels[key] for key in ("pool_queue_team", "pool_queue_job") if key in over.labels)
    what = f"custom job {over.custom_job}" if over.custom_job else "a create call"
    demands = ", ".join(f"{replicas} of {pool}" for pool, replicas in over.demands.items())
    detail = f"{what} of {who or 'nobody we know'} for {demands} did not fit ({over.behaviour})"
    return _finding(FindingKind.DID_NOT_FIT, detail, at)


def _finding(kind: FindingKind, detail: str, at: datetime | None) -> Finding:
    return Finding(kind=kind, detail=detail, at=at)
