"""How many replicas of a pool would have been enough, found by simulating some numbers of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from poolqueue.simulation.metrics import Waits, waits_of
from poolqueue.simulation.run import Run
from poolqueue.simulation.timeline import held
from poolqueue.simulation.workload import SimulatedJob, SimulatedPool, Workload


class UnknownPool(ValueError):
    """There is no pool of that id; the text names those that there are."""


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """What came of a search. `tried`: the waits of the pool's jobs by number of replicas, in the order of the
    numbers. `enough`: the least number that was enough; None if not even the largest one was.
    """

    tried: Mapping[int, Waits]
    enough: int | None


def pool_called(pools: Sequence[SimulatedPool], id_: str) -> int:
    """Its place. Raises `UnknownPool`."""
    for place, pool in enumerate(pools):
        if pool.id == id_:
            return place
    raise UnknownPool(f"there is no pool {id_}; the pools are {', '.join(pool.id for pool in pools)}")


def resized(pools: Iterable[SimulatedPool], replicas: Mapping[str, int]) -> tuple[SimulatedPool, ...]:
    """The pools with other numbers of replicas, by id. Raises `UnknownPool`."""
    known = tuple(pools)
    for id_ in replicas:
        pool_called(known, id_)
    return tuple(replace(pool, replicas=replicas.get(pool.id, pool.replicas)) for pool in known)


def find_replicas(
    workload: Workload, pool: int, *, p90_wait: float, simulate: Callable[[Workload], Run]
) -> Sizing:
    """The least replicas of `pool`, the other pools as they are, with which the p90 wait of the jobs that
    need it is at most `p90_wait` seconds. There must be such jobs.

    By bisection between what its largest job needs and what would be in use if nobody ever waited: it takes
    more replicas to shorten waits, which is true but for chance.
    """
    tried: dict[int, Waits] = {}

    def is_enough(replicas: int) -> bool:
        if replicas not in tried:
            tried[replicas] = _waits(simulate(_with(workload, pool, replicas)), pool)
        return tried[replicas].p90_wait_s <= p90_wait

    least, most = bounds(workload, pool)
    enough = _least(least, most, workload.pools[pool].replicas, is_enough)
    return Sizing(tried=dict(sorted(tried.items())), enough=enough)


def bounds(workload: Workload, pool: int) -> tuple[int, int]:
    """The replicas that the largest job needs of a pool, and the most that all would hold that never wait."""
    jobs = [job for job in workload.jobs if needs(job, pool)]
    alone = Workload(
        pools=(workload.pools[pool],),
        jobs=tuple(replace(job, needs=((0, needs(job, pool)),)) for job in jobs),
    )
    in_use = most = 0
    for _, change in held(Run(policy="", workload=alone, starts=tuple(job.arrives for job in jobs))):
        in_use += change
        most = max(most, in_use)
    largest = max(needs(job, pool) for job in jobs)
    return largest, max(largest, most)


def needs(job: SimulatedJob, pool: int) -> int:
    """How many replicas a job needs of a pool."""
    return dict(job.needs).get(pool, 0)


def _least(low: int, high: int, guess: int, is_enough: Callable[[int], bool]) -> int | None:
    """The least number from `low` to `high` that is enough, `guess` asked about first; None if none is."""
    guess = min(max(guess, low), high)
    while low < high:
        if is_enough(guess):
            high = guess
        else:
            low = guess + 1
        guess = (low + high) // 2
    return low if low == high and is_enough(low) else None


def _with(workload: Workload, pool: int, replicas: int) -> Workload:
    id_ = workload.pools[pool].id
    return replace(workload, pools=resized(workload.pools, {id_: replicas}))


def _waits(run: Run, pool: int) -> Waits:
    found = waits_of(run, lambda job: needs(job, pool) > 0)
    assert found is not None
    return found
