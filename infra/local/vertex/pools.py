"""Persistent resources, their pools, and which custom job holds which replicas."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from infra.local.vertex import wire
from infra.local.vertex.names import now
from infra.local.vertex.settings import PoolSettings


class ResourceState(StrEnum):
    PROVISIONING = "PROVISIONING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    ERROR = "ERROR"
    REBOOTING = "REBOOTING"
    UPDATING = "UPDATING"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A machine and a disk; pools of one kind serve as one."""

    machine_spec: Mapping[str, Any]
    disk_spec: Mapping[str, Any]

    def serves(self, machine_spec: Mapping[str, Any], disk_spec: Mapping[str, Any] | None) -> bool:
        return self.machine_spec == machine_spec and (disk_spec is None or self.disk_spec == disk_spec)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """`size` is the machines it has now, `maximum` what it may have (the same unless it is autoscaled)."""

    id: str
    kind: Kind
    size: int
    minimum: int
    maximum: int

    @property
    def autoscaled(self) -> bool:
        return self.minimum != self.maximum

    def journaled(self) -> dict[str, Any]:
        kind = {"machine_spec": self.kind.machine_spec, "disk_spec": self.kind.disk_spec}
        return {"id": self.id, **kind, "capacity": self.maximum}


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Replicas of one kind that a custom job needs."""

    kind: Kind
    replicas: int


Holding = Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class ResourceKey:
    project: str
    location: str
    id: str

    def journaled(self) -> dict[str, str]:
        return {"resource": self.id, "project": self.project, "location": self.location}


@dataclass(kw_only=True)
class PersistentResource:
    """Holdings are facts; used and free replicas are computed from them."""

    key: ResourceKey
    name: str
    pools: list[Pool]
    state: ResourceState = ResourceState.RUNNING
    given: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    created_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    started_at: datetime | None = None
    holdings: dict[str, Holding] = field(default_factory=dict)
    _past: deque[tuple[float, Mapping[str, int]]] = field(default_factory=lambda: deque(maxlen=4096))

    def used(self, pool_id: str) -> int:
        return sum(holding.get(pool_id, 0) for holding in self.holdings.values())

    def used_seen(self, pool_id: str, *, lag_seconds: float) -> int:
        """What `usedReplicaCount` says when it lags behind."""
        if not lag_seconds:
            return self.used(pool_id)
        until = time.monotonic() - lag_seconds
        seen = [used for moment, used in self._past if moment <= until]
        return seen[-1].get(pool_id, 0) if seen else 0

    def kind_of(self, machine: Mapping[str, Any], disk: Mapping[str, Any] | None) -> Kind | None:
        return next((pool.kind for pool in self.pools if pool.kind.serves(machine, disk)), None)

    def of_kind(self, kind: Kind) -> list[Pool]:
        return [pool for pool in self.pools if pool.kind == kind]

    def maximum(self, kind: Kind) -> int:
        return sum(pool.maximum for pool in self.of_kind(kind))

    def free(self) -> dict[str, int]:
        return {pool.id: pool.maximum - self.used(pool.id) for pool in self.pools}

    def placement(self, demands: Iterable[Demand]) -> Holding | None:
        """Where the replicas go, first pools first; None if they do not all fit now."""
        free, placed = self.free(), dict[str, int]()
        for demand in demands:
            left = demand.replicas
            for pool in self.of_kind(demand.kind):
                taken = max(0, min(left, free[pool.id]))
                free[pool.id] -= taken
                left -= taken
                if taken:
                    placed[pool.id] = placed.get(pool.id, 0) + taken
            if left:
                return None
        return placed

    def take(self, custom_job: str, holding: Holding) -> bool:
        """Returns whether an autoscaled pool had to grow."""
        self.holdings[custom_job] = holding
        grown = [self._sized(pool, max(pool.size, self.used(pool.id))) for pool in self.pools]
        grew = grown != self.pools
        self.pools = grown
        self._remember()
        return grew

    def release(self, custom_job: str) -> Holding:
        holding = self.holdings.pop(custom_job, {})
        self.pools = [self._sized(pool, self.used(pool.id)) for pool in self.pools]
        self._remember()
        return holding

    def _sized(self, pool: Pool, size: int) -> Pool:
        if not pool.autoscaled:
            return pool
        return resized(pool, size=min(max(size, pool.minimum), pool.maximum))

    def shrink_to_minimum(self) -> None:
        self.pools = [self._sized(pool, pool.minimum) for pool in self.pools]

    def _remember(self) -> None:
        self._past.append((time.monotonic(), {pool.id: self.used(pool.id) for pool in self.pools}))

    def journaled(self) -> dict[str, Any]:
        return {**self.key.journaled(), "pools": [pool.journaled() for pool in self.pools]}


def resized(pool: Pool, *, size: int, minimum: int | None = None, maximum: int | None = None) -> Pool:
    return Pool(
        id=pool.id,
        kind=pool.kind,
        size=size,
        minimum=pool.minimum if minimum is None else minimum,
        maximum=pool.maximum if maximum is None else maximum,
    )


def new_pool(given: PoolSettings, taken_ids: Iterable[str]) -> Pool:
    machine = wire.machine_spec(dict(given.machine_spec))
    scaling = given.autoscaling
    minimum = scaling.min if scaling else given.replica_count or 0
    maximum = scaling.max if scaling else given.replica_count or 0
    return Pool(
        id=given.id or _generated_id(machine, set(taken_ids)),
        kind=Kind(machine_spec=machine, disk_spec=wire.disk_spec(dict(given.disk_spec))),
        size=given.replica_count if given.replica_count is not None else minimum,
        minimum=minimum,
        maximum=maximum,
    )


def new_pools(given: Sequence[PoolSettings]) -> list[Pool]:
    pools: list[Pool] = []
    for each in given:
        pools.append(new_pool(each, [pool.id for pool in pools]))
    return pools


def _generated_id(machine: Mapping[str, Any], taken: set[str]) -> str:
    parts = [machine.get("machineType"), machine.get("acceleratorType"), machine.get("acceleratorCount")]
    base = re.sub(r"[^a-z0-9]+", "-", "-".join(str(part) for part in parts if part).lower())
    return next(
        each for each in (base, *(f"{base}-{number}" for number in range(1, 1000))) if each not in taken
    )


def demands_journaled(holding: Holding) -> list[dict[str, Any]]:
    return [{"pool": pool, "replicas": replicas} for pool, replicas in holding.items()]
