"""Our own policies in virtual time: the decisions of production, on a board that is told what happens."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

from poolqueue.scheduling.board import Board
from poolqueue.scheduling.jobs import Demand
from poolqueue.scheduling.policies import Policy, Preemption
from poolqueue.scheduling.pools import Pool, PoolKey, Reservation, Resource
from poolqueue.scheduling.virtual_time import VirtualTime
from poolqueue.scheduling.waiting import Waiting
from poolqueue.simulation.learning import Learner, learner_for
from poolqueue.simulation.run import Progress, Run, RunTimesMode, Span
from poolqueue.simulation.workload import Workload

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
USUAL_PRIORITY = 50
EVENTS_BETWEEN_PROGRESS = 512

Watch = Callable[[Board, datetime], None]
"""Called after each decision; the board must stay as it is."""


def simulate_policy(
    workload: Workload,
    *,
    policy: Policy,
    name: str,
    run_times: RunTimesMode = RunTimesMode.LEARNED,
    progress: Progress = lambda _started: None,
    watch: Watch = lambda _board, _now: None,
) -> Run:
    """One run of `policy`, which is told of run times what `run_times` says."""
    return _Engine(workload, policy, learner_for(workload, run_times), progress, watch).run(name)


class _Engine:
    """Jobs are known by their place in the workload, which is also their id on the board."""

    def __init__(
        self, workload: Workload, policy: Policy, learner: Learner, progress: Progress, watch: Watch
    ) -> None:
        self._workload = workload
        self._jobs = workload.jobs
        self._policy = policy
        self._learner = learner
        self._progress = progress
        self._watch = watch
        self._keys = [PoolKey(machine=pool.id, disk="") for pool in workload.pools]
        self._demands: dict[tuple[tuple[int, int], ...], tuple[Demand, ...]] = {}
        self._board = Board(self._resource(), policy=policy, expectations=learner, now=BEGINNING)
        self._time = VirtualTime(
            self._board, beginning=BEGINNING, runs=self._begin, over=self._over, cancelling=0.0
        )
        self._starts = [math.nan] * len(self._jobs)
        self._preempted: list[Span] = []

    def _resource(self) -> Resource:
        pools = tuple(
            Pool(key=key, ids=(pool.id,), capacity=pool.replicas)
            for key, pool in zip(self._keys, self._workload.pools, strict=True)
        )
        return Resource(name="simulated", state="RUNNING", pools=pools)

    def run(self, name: str) -> Run:
        """Events of one instant: ends first, then arrivals, then the decision."""
        arrived = events = 0
        while arrived < len(self._jobs) or self._time.next_end < math.inf:
            next_arrival = self._jobs[arrived].arrives if arrived < len(self._jobs) else math.inf
            self._time.go_to(min(next_arrival, self._time.next_end))
            while arrived < len(self._jobs) and self._jobs[arrived].arrives <= self._time.at:
                self._time.arrive(self._line(arrived))
                arrived += 1
            self._decide()
            self._watch(self._board, self._time.now)
            events += 1
            if events % EVENTS_BETWEEN_PROGRESS == 0:
                self._progress(arrived - self._time.waiting)
        assert not self._time.waiting, "every job fits when its pools are empty"
        starts, preempted = tuple(self._starts), tuple(self._preempted)
        return Run(policy=name, workload=self._workload, starts=starts, preempted=preempted)

    def _line(self, job: int) -> Waiting:
        asked = self._jobs[job]
        return Waiting(
            team=asked.team or "all",
            job_id=str(job),
            priority=USUAL_PRIORITY if asked.priority is None else asked.priority,
            arrived=self._time.now,
            demands=self._demand(asked.needs),
            traits=self._learner.traits(job),
            serial=asked.serial,
        )

    def _demand(self, needs: tuple[tuple[int, int], ...]) -> tuple[Demand, ...]:
        if needs not in self._demands:
            self._demands[needs] = tuple(
                Demand(index=index, machine=self._keys[pool].machine, disk=None, replicas=n)
                for index, (pool, n) in enumerate(needs)
            )
        return self._demands[needs]

    def _decide(self) -> None:
        is_full = all(n <= 0 for n in self._board.free.values())
        if self._time.waiting and not (is_full and self._policy.preemption is Preemption.OFF):
            self._learner.advance(self._time.at)
            self._time.decide()

    def _begin(self, attempt: Reservation) -> float:
        job = int(attempt.job_id)
        self._learner.started(attempt.token, attempt.traits, self._time.at)
        self._starts[job] = self._time.at
        return self._jobs[job].runs

    def _over(self, attempt: Reservation, preempted: bool) -> None:  # noqa: FBT001
        job = int(attempt.job_id)
        if preempted:
            self._preempted.append(Span(job, self._starts[job], self._time.at))
        self._learner.over(attempt.token, at=self._time.at, by_itself=not preempted)
