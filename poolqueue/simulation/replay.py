"""Virtual time for policies that only say who starts next: ends, arrivals and decisions in their order."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import Protocol

from poolqueue.simulation.run import Progress
from poolqueue.simulation.workload import Needs, Workload

INSTANTS_BETWEEN_PROGRESS = 512


class Machines:
    """The free replicas of each pool, and when those in use come free."""

    def __init__(self, workload: Workload) -> None:
        self.free = list(workload.capacity)
        self._jobs = workload.jobs
        self._ends: list[tuple[float, int]] = []

    @property
    def next_end(self) -> float:
        return self._ends[0][0] if self._ends else math.inf

    def fit(self, needs: Needs) -> bool:
        free = self.free
        for pool, replicas in needs:  # noqa: SIM110  the most frequent question of all: a generator costs twice
            if free[pool] < replicas:
                return False
        return True

    def start(self, job: int, now: float) -> None:
        for pool, replicas in self._jobs[job].needs:
            self.free[pool] -= replicas
        heapq.heappush(self._ends, (now + self._jobs[job].runs, job))

    def end_all(self, now: float) -> None:
        """End the jobs whose time is over."""
        while self._ends and self._ends[0][0] <= now:
            _, job = heapq.heappop(self._ends)
            for pool, replicas in self._jobs[job].needs:
                self.free[pool] += replicas


class Discipline(Protocol):
    """Who starts next. Jobs are known by their place in the workload, which is the order of their arrival."""

    def arrive(self, job: int) -> None: ...

    def starts(self, now: float, machines: Machines) -> Iterator[int]:
        """The jobs that start now; each takes its replicas before the next is asked for."""
        ...


def replay(workload: Workload, discipline: Discipline, progress: Progress) -> tuple[float, ...]:
    """When each job starts. Nothing is ever decided between an end or arrival and the next."""
    jobs = workload.jobs
    machines = Machines(workload)
    starts = [math.nan] * len(jobs)
    arrived = started = instants = 0
    while arrived < len(jobs) or machines.next_end < math.inf:
        next_arrival = jobs[arrived].arrives if arrived < len(jobs) else math.inf
        now = min(machines.next_end, next_arrival)
        machines.end_all(now)
        while arrived < len(jobs) and jobs[arrived].arrives <= now:
            discipline.arrive(arrived)
            arrived += 1
        for job in discipline.starts(now, machines):
            machines.start(job, now)
            starts[job] = now
            started += 1
        instants += 1
        if instants % INSTANTS_BETWEEN_PROGRESS == 0:
            progress(started)
    assert started == len(jobs), "every job fits when its pools are empty"
    return tuple(starts)
