"""The policies to compare with: what somebody really uses, or a bound on what is possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from poolqueue.simulation.disciplines import Easy, FirstThatFits, StrictFifo
from poolqueue.simulation.replay import Discipline, replay
from poolqueue.simulation.retrying import retry_alone
from poolqueue.simulation.run import Progress, Run, RunTimesMode, Simulator
from poolqueue.simulation.workload import Workload

SEED = 7

_Starts = Callable[[Workload, Progress], tuple[float, ...]]


def _baseline(name: str, starts: _Starts) -> Simulator:
    def simulate(workload: Workload, *, run_times: RunTimesMode, progress: Progress) -> Run:  # noqa: ARG001
        return Run(policy=name, workload=workload, starts=starts(workload, progress))

    return simulate


def _replayed(discipline: Callable[[Workload], Discipline]) -> _Starts:
    return lambda workload, progress: replay(workload, discipline(workload), progress)


_STARTS: Mapping[str, _Starts] = {
    "strict_fifo": _replayed(StrictFifo),
    "best_effort_fifo": _replayed(partial(FirstThatFits, shortest_first=False)),
    "retry_backoff": partial(retry_alone, seed=SEED),
    "easy": _replayed(Easy),
    "shortest_first": _replayed(partial(FirstThatFits, shortest_first=True)),
}

BASELINES: Mapping[str, Simulator] = {name: _baseline(name, starts) for name, starts in _STARTS.items()}
