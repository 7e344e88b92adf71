"""Which pools of a persistent resource a job's worker pool specs run on, and with how many replicas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from poolqueue.scheduling.pools import PoolKey
from poolqueue.scheduling.problems import Problem, shortened

MOST_POOLS_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class PoolSpec:
    """A pool as it matters for matching; `machine` and `disk` are canonical strings.

    `capacity` is the most replicas that it can have, None when that is not confirmed.
    """

    id: str
    machine: str
    disk: str
    capacity: int | None = None


class Demand(Protocol):
    """One worker pool spec that is not empty; `disk` is None when it names none."""

    @property
    def index(self) -> int: ...
    @property
    def machine(self) -> str: ...
    @property
    def disk(self) -> str | None: ...
    @property
    def replicas(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """The machine and disk that worker pool spec `index` runs on; the disk also when it named none."""

    index: int
    machine: str
    disk: str

    @property
    def key(self) -> PoolKey:
        return PoolKey(self.machine, self.disk)


@dataclass(frozen=True, kw_only=True)
class Matched:
    """`demands` are the replicas per kind of pool, added up over worker pool specs; in order of the key."""

    assignments: tuple[Assignment, ...]
    demands: tuple[tuple[PoolKey, int], ...]


@dataclass(frozen=True, kw_only=True)
class MatchProblem:
    """Why a worker pool spec can run on no pool. `above_capacity`: a pool fits, but is never large enough."""

    path: str
    value: str
    problem: str
    remedy: str
    above_capacity: bool = False

    def as_problem(self) -> Problem:
        return Problem(path=self.path, value=self.value, problem=self.problem, remedy=self.remedy)


def match_pools(
    worker_pools: Sequence[Demand], pools: Sequence[PoolSpec]
) -> Matched | tuple[MatchProblem, ...]:
    """Where each worker pool spec of a job can run, or all that keeps the job from these pools for good.

    A worker pool spec matches a pool of equal machine and disk. Without a disk it matches on the machine: if
    all pools that fit have one disk, that is filled in, otherwise the problem names them.
    """
    found = [_assign(demand, pools) for demand in worker_pools]
    assignments = [each for each in found if isinstance(each, Assignment)]
    totals = _totals(worker_pools, assignments)
    problems = [each for each in found if isinstance(each, MatchProblem)]
    problems += _above_capacity(totals, assignments, pools)
    if problems:
        return tuple(problems)
    return Matched(assignments=tuple(assignments), demands=tuple(sorted(totals.items())))


def _assign(demand: Demand, pools: Sequence[PoolSpec]) -> Assignment | MatchProblem:
    same_machine = [pool for pool in pools if pool.machine == demand.machine]
    if not same_machine:
        return _no_machine(demand, pools)
    if demand.disk is None:
        return _fill_disk(demand, same_machine)
    if all(pool.disk != demand.disk for pool in same_machine):
        return _no_disk(demand, same_machine)
    return Assignment(index=demand.index, machine=demand.machine, disk=demand.disk)


def _fill_disk(demand: Demand, fitting: Sequence[PoolSpec]) -> Assignment | MatchProblem:
    disks = {pool.disk for pool in fitting}
    if len(disks) == 1:
        return Assignment(index=demand.index, machine=demand.machine, disk=disks.pop())
    return MatchProblem(
        path=f"{_path(demand.index)}.diskSpec",
        value="(nothing)",
        problem=f"several pools have this machine, with different disks: {_named(fitting, 'disk')}",
        remedy="give the diskSpec of the pool that is meant",
    )


def _no_machine(demand: Demand, pools: Sequence[PoolSpec]) -> MatchProblem:
    if not pools:
        told = "the persistent resource has no pools"
    else:
        told = "no pool has this machine: " + _named(pools, "machine", differing_from=demand.machine)
    return MatchProblem(
        path=f"{_path(demand.index)}.machineSpec",
        value=shortened(demand.machine),
        problem=told,
        remedy="give the machineSpec of one of the pools, field by field",
    )


def _no_disk(demand: Demand, same_machine: Sequence[PoolSpec]) -> MatchProblem:
    assert demand.disk is not None
    return MatchProblem(
        path=f"{_path(demand.index)}.diskSpec",
        value=shortened(demand.disk),
        problem="no pool with this machine has this disk: "
        + _named(same_machine, "disk", differing_from=demand.disk),
        remedy="give the diskSpec of one of them, or leave it out if only one pool has the machine",
    )


def _totals(worker_pools: Sequence[Demand], assignments: Sequence[Assignment]) -> dict[PoolKey, int]:
    replicas = {demand.index: demand.replicas for demand in worker_pools}
    totals: dict[PoolKey, int] = {}
    for assignment in assignments:
        totals[assignment.key] = totals.get(assignment.key, 0) + replicas[assignment.index]
    return totals


def _above_capacity(
    totals: Mapping[PoolKey, int], assignments: Sequence[Assignment], pools: Sequence[PoolSpec]
) -> Iterator[MatchProblem]:
    """A problem for each demand above what all pools of its kind can have; none while one is unconfirmed."""
    for key, replicas in totals.items():
        fitting = [pool for pool in pools if (pool.machine, pool.disk) == key]
        confirmed = [pool.capacity for pool in fitting if pool.capacity is not None]
        if len(confirmed) == len(fitting) and replicas > sum(confirmed):
            indexes = [assignment.index for assignment in assignments if assignment.key == key]
            yield _too_many(replicas, sum(confirmed), indexes, fitting)


def _too_many(replicas: int, most: int, indexes: Sequence[int], fitting: Sequence[PoolSpec]) -> MatchProblem:
    together = "" if len(indexes) == 1 else f" of worker pool specs {', '.join(map(str, indexes))} together"
    return MatchProblem(
        path=f"{_path(indexes[-1])}.replicaCount",
        value=str(replicas),
        problem=f"{replicas} replicas{together} are more than the {most} that {_ids(fitting)} can have",
        remedy=f"ask for at most {most}, or make the pool larger",
        above_capacity=True,
    )


# --- telling what exists ---------------------------------------------------------------------------------


def _path(index: int) -> str:
    return f"custom_job.jobSpec.workerPoolSpecs[{index}]"


def _named(pools: Sequence[PoolSpec], part: str, *, differing_from: str | None = None) -> str:
    listed = [_pool(pool, part, differing_from) for pool in pools[:MOST_POOLS_NAMED]]
    if len(pools) > MOST_POOLS_NAMED:
        listed.append(f"and {len(pools) - MOST_POOLS_NAMED} more")
    return "; ".join(listed)


def _pool(pool: PoolSpec, part: str, differing_from: str | None) -> str:
    spec = pool.machine if part == "machine" else pool.disk
    if differing_from is None:
        return f"pool {pool.id} has {spec}"
    return f"pool {pool.id} has {', '.join(_differences(json.loads(spec), json.loads(differing_from)))}"


def _differences(has: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    names = [*has, *(name for name in asked if name not in has)]
    return [
        f"{name} {_shown(has, name)} (asked: {_shown(asked, name)})"
        for name in names
        if has.get(name) != asked.get(name)
    ]


def _shown(spec: Mapping[str, Any], name: str) -> str:
    if name not in spec:
        return "none"
    value = spec[name]
    return shortened(value if isinstance(value, str) else json.dumps(value))


def _ids(pools: Sequence[PoolSpec]) -> str:
    word = "pool" if len(pools) == 1 else "pools"
    return f"{word} {', '.join(pool.id for pool in pools[:MOST_POOLS_NAMED])}"
