"""Who starts next under strict FIFO, best-effort FIFO, shortest first, and EASY backfill.

Waiting jobs that need the same are interchangeable as to whether they fit. They wait in one line, and
a decision looks at lines, of which there are few, instead of at jobs.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right, insort
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from poolqueue.simulation.first_below import FirstBelow
from poolqueue.simulation.replay import Machines
from poolqueue.simulation.workload import Needs, SimulatedJob, Workload


class StrictFifo:
    """From the head while it fits; with several pools, nobody passes a job that needs one of the same."""

    def __init__(self, workload: Workload) -> None:
        self._jobs = workload.jobs
        self._lines: dict[frozenset[int], deque[int]] = {}

    def arrive(self, job: int) -> None:
        pools = frozenset(pool for pool, _ in self._jobs[job].needs)
        self._lines.setdefault(pools, deque()).append(job)

    def starts(self, now: float, machines: Machines) -> Iterator[int]:  # noqa: ARG002
        heads = [(line[0], pools) for pools, line in self._lines.items() if line]
        heapq.heapify(heads)
        blocked: set[int] = set()
        while heads:
            job, pools = heads[0]
            if blocked.isdisjoint(pools) and machines.fit(self._jobs[job].needs):
                line = self._lines[pools]
                yield line.popleft()
                if line:
                    heapq.heapreplace(heads, (line[0], pools))
                    continue
            else:
                blocked |= pools
            heapq.heappop(heads)


class FirstThatFits:
    """All that fit: in the order of arrival, or those that run shortest first."""

    def __init__(self, workload: Workload, *, shortest_first: bool) -> None:
        self._jobs = workload.jobs
        self._shortest_first = shortest_first
        self._lines: dict[Needs, list[tuple[float, int]]] = {}

    def arrive(self, job: int) -> None:
        waiting = self._jobs[job]
        rank = waiting.runs if self._shortest_first else 0.0
        heapq.heappush(self._lines.setdefault(waiting.needs, []), (rank, job))

    def starts(self, now: float, machines: Machines) -> Iterator[int]:  # noqa: ARG002
        heads = [(line[0], needs) for needs, line in self._lines.items() if line]
        heapq.heapify(heads)
        while heads:
            (_, job), needs = heads[0]
            if machines.fit(needs):
                line = self._lines[needs]
                heapq.heappop(line)
                yield job
                if line:
                    heapq.heapreplace(heads, (line[0], needs))
                    continue
            heapq.heappop(heads)


@dataclass(kw_only=True)
class _Shadow:
    """When the first job that does not fit a pool can start, and the replicas that it then leaves."""

    at: float
    extra: int


class Easy:
    """EASY backfill (Lifka 1995), told the true run times.

    Strict FIFO; then the first job that does not fit gets a shadow time, from the true ends of what runs. A
    later one starts if it fits and ends by the shadow time, or fits in what is left then, which it uses up.
    With several pools, a job that does not fit gets a shadow time at all of its pools, unless one of them
    already has that of an earlier job; a later one must go by those of all its pools.
    """

    def __init__(self, workload: Workload) -> None:
        self._jobs = workload.jobs
        members = Counter(job.needs for job in workload.jobs)
        self._lines = {needs: FirstBelow(n) for needs, n in members.items()}
        self._places: dict[Needs, list[int]] = {needs: [] for needs in members}
        self._ends: list[list[tuple[float, int]]] = [[] for _ in workload.pools]

    def arrive(self, job: int) -> None:
        needs = self._jobs[job].needs
        places = self._places[needs]
        self._lines[needs].set(len(places), self._jobs[job].runs)
        places.append(job)

    def starts(self, now: float, machines: Machines) -> Iterator[int]:
        for ends in self._ends:
            del ends[: bisect_right(ends, (now, math.inf))]
        shadows: dict[int, _Shadow] = {}
        while True:
            found = self._next(now, machines, shadows)
            if found is None:
                return
            job, place = found
            needs = self._jobs[job].needs
            if not machines.fit(needs):
                self._cast_shadow(needs, now, machines, shadows)
                continue
            self._lines[needs].set(place, math.inf)
            self._use(self._jobs[job], now, shadows)
            yield job

    def _next(self, now: float, machines: Machines, shadows: dict[int, _Shadow]) -> tuple[int, int] | None:
        """The first job in the order of arrival that may start, or for which a shadow must be cast."""
        first: tuple[int, int] | None = None
        for needs, line in self._lines.items():
            is_shadowed = any(pool in shadows for pool, _ in needs) if shadows else False
            if line.is_empty or (is_shadowed and not machines.fit(needs)):
                continue
            place = line.find(_longest(needs, now, shadows) if is_shadowed else math.inf)
            if place is not None:
                job = self._places[needs][place]
                first = min(first, (job, place)) if first is not None else (job, place)
        return first

    def _cast_shadow(self, needs: Needs, now: float, machines: Machines, shadows: dict[int, _Shadow]) -> None:
        found = {pool: self._when_free(pool, replicas, now, machines) for pool, replicas in needs}
        at = max(shadow.at for shadow in found.values())
        for pool, replicas in needs:
            if found[pool].at < at:
                freed = sum(n for end, n in self._ends[pool] if end <= at)
                found[pool] = _Shadow(at=at, extra=machines.free[pool] + freed - replicas)
        shadows |= found

    def _when_free(self, pool: int, replicas: int, now: float, machines: Machines) -> _Shadow:
        """Ends are taken one by one until it fits; of those at one instant the smaller first."""
        at, extra = now, machines.free[pool] - replicas
        ends = iter(self._ends[pool])
        while extra < 0:
            at, freed = next(ends)
            extra += freed
        return _Shadow(at=at, extra=extra)

    def _use(self, job: SimulatedJob, now: float, shadows: dict[int, _Shadow]) -> None:
        end = now + job.runs
        for pool, replicas in job.needs:
            insort(self._ends[pool], (end, replicas))
            if pool in shadows and end > shadows[pool].at:
                shadows[pool].extra -= replicas


def _longest(needs: Needs, now: float, shadows: dict[int, _Shadow]) -> float:
    """How long a job that needs this may run, at most, so as not to delay those that have shadow times."""
    limits = (
        shadows[pool].at - now
        for pool, replicas in needs
        if pool in shadows and replicas > shadows[pool].extra
    )
    return min(limits, default=math.inf)
