"""Our own policies in virtual time: the decisions of production, on a board that is told what happens."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.events import Released, Reserved
from poolqueue.scheduling.jobs import Demand
from poolqueue.scheduling.policies import Policy, Preemption
from poolqueue.scheduling.pools import Pool, PoolKey, Reservation, Resource
from poolqueue.scheduling.reckoning import reckon
from poolqueue.scheduling.verdicts import Admit
from poolqueue.scheduling.waiting import Waiting
from poolqueue.simulation.learning import Learner, learner_for
from poolqueue.simulation.run import Progress, Run, RunTimesMode, Span
from poolqueue.simulation.workload import Workload

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
USUAL_PRIORITY = 50
ALL_SLOTS = 1_000_000
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
        self._ends: list[tuple[float, int, int]] = []
        self._lines: dict[int, Waiting] = {}
        self._attempts = [0] * len(self._jobs)
        self._starts = [math.nan] * len(self._jobs)
        self._preempted: list[Span] = []

    def _resource(self) -> Resource:
        """It is confirmed for ever, so that nothing waits for a sweep."""
        pools = tuple(
            Pool(key=key, ids=(pool.id,), capacity=pool.replicas)
            for key, pool in zip(self._keys, self._workload.pools, strict=True)
        )
        ever = datetime.max.replace(tzinfo=UTC)
        return Resource(name="simulated", state="RUNNING", pools=pools, observed_at=ever)

    def run(self, name: str) -> Run:
        """Events of one instant: ends first, then arrivals, then the decision."""
        arrived = events = 0
        while arrived < len(self._jobs) or self._ends:
            next_arrival = self._jobs[arrived].arrives if arrived < len(self._jobs) else math.inf
            at = min(next_arrival, self._ends[0][0] if self._ends else math.inf)
            now = BEGINNING + timedelta(seconds=at)
            self._end_all(at, now)
            while arrived < len(self._jobs) and self._jobs[arrived].arrives <= at:
                self._arrive(arrived, now)
                arrived += 1
            self._decide(at, now)
            self._watch(self._board, now)
            events += 1
            if events % EVENTS_BETWEEN_PROGRESS == 0:
                self._progress(arrived - len(self._lines))
        assert not self._lines, "every job fits when its pools are empty"
        starts, preempted = tuple(self._starts), tuple(self._preempted)
        return Run(policy=name, workload=self._workload, starts=starts, preempted=preempted)

    def _end_all(self, at: float, now: datetime) -> None:
        while self._ends and self._ends[0][0] <= at:
            _, job, attempt = heapq.heappop(self._ends)
            if attempt == self._attempts[job]:
                token = _token(job, attempt)
                self._learner.over(token, at=at, by_itself=True)
                self._board.apply(Released(token=token, at=now, settles=False), now=now)

    def _arrive(self, job: int, now: datetime) -> None:
        asked = self._jobs[job]
        line = Waiting(
            team=asked.team or "all",
            job_id=str(job),
            priority=USUAL_PRIORITY if asked.priority is None else asked.priority,
            arrived=now,
            demands=self._demand(asked.needs),
            traits=self._learner.traits(job),
            serial=asked.serial,
        )
        self._lines[job] = line
        self._board.add(line)

    def _demand(self, needs: tuple[tuple[int, int], ...]) -> tuple[Demand, ...]:
        if needs not in self._demands:
            self._demands[needs] = tuple(
                Demand(index=index, machine=self._keys[pool].machine, disk=None, replicas=n)
                for index, (pool, n) in enumerate(needs)
            )
        return self._demands[needs]

    def _decide(self, at: float, now: datetime) -> None:
        is_full = all(n <= 0 for n in self._board.free.values())
        if not self._lines or (is_full and self._policy.preemption is Preemption.OFF):
            return
        self._learner.advance(at)
        decision = decide(self._board, now=now, slots=ALL_SLOTS)
        for preempt in decision.preempts:
            self._preempt(preempt.token, at, now)
        for admit in decision.admits:
            self._start(admit, at, now)
        self._reckon(decision, now)

    def _start(self, admit: Admit, at: float, now: datetime) -> None:
        job = int(admit.waiting.job_id)
        self._board.remove(self._lines.pop(job))
        self._attempts[job] += 1
        token = _token(job, self._attempts[job])
        reservation = Reservation(
            token=token,
            team=admit.waiting.team,
            job_id=admit.waiting.job_id,
            attempt=self._attempts[job],
            replicas=admit.replicas,
            reserved_at=now,
            submit_by=now,
            number=token,
            running=True,
            priority=admit.waiting.priority,
            traits=admit.waiting.traits,
            serial=admit.waiting.serial,
            preemptions=max(0, self._policy.max_preemptions - self._attempts[job] + 1),
            passes=admit.passes,
        )
        self._learner.started(token, admit.waiting.traits, at)
        self._board.apply(Reserved(reservations=(reservation,)), now=now)
        self._starts[job] = at
        heapq.heappush(self._ends, (at + self._jobs[job].runs, job, self._attempts[job]))

    def _preempt(self, token: str, at: float, now: datetime) -> None:
        """Its replicas come free at once, and it waits again in its old place."""
        reservation = self._board.resource.reservations[token]
        job = int(reservation.job_id)
        self._preempted.append(Span(job, self._starts[job], at))
        self._learner.over(token, at=at, by_itself=False)
        self._board.apply(Released(token=token, at=now, settles=False), now=now)
        self._attempts[job] += 1
        self._arrive(job, BEGINNING + timedelta(seconds=self._jobs[job].arrives))

    def _reckon(self, decision: Decision, now: datetime) -> None:
        reckoned = reckon(
            self._board.resource,
            decision,
            admits=decision.admits,
            is_waiting=lambda key: int(key.rsplit(".", 1)[1]) in self._lines,
            policy=self._policy,
            now=now,
        )
        self._board.apply(reckoned, now=now)


def _token(job: int, attempt: int) -> str:
    return f"{job}.{attempt}"
