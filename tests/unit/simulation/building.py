"""Builders of workloads and traces: `job(arrives, runs, replicas)` on pools of so many replicas."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from poolqueue.simulation.run import Run, RunTimesMode
from poolqueue.simulation.simulators import SIMULATORS
from poolqueue.simulation.workload import Needs, SimulatedJob, SimulatedPool, TracedJob, Workload, by_arrival

HEADER = "job_id,submit_s,run_s,gpus,replicas,gpus_per_replica,user,group,requested_s,status"


def job(
    arrives: float, runs: float, replicas: int = 1, *, needs: Needs | None = None, **more
) -> SimulatedJob:
    more = {"job_id": f"{arrives}-{runs}-{replicas}", **more}
    return SimulatedJob(arrives=arrives, runs=runs, needs=needs or ((0, replicas),), **more)


def workload(*jobs: SimulatedJob, replicas: tuple[int, ...] = (4,)) -> Workload:
    pools = tuple(SimulatedPool(id=f"pool-{n}", replicas=each) for n, each in enumerate(replicas))
    return Workload(pools=pools, jobs=by_arrival(jobs))


def simulated(policy: str, work: Workload) -> Run:
    return SIMULATORS[policy](work, run_times=RunTimesMode.TRUE, progress=lambda _started: None)


def starts(policy: str, *jobs: SimulatedJob, replicas: tuple[int, ...] = (4,)) -> list[float]:
    return list(simulated(policy, workload(*jobs, replicas=replicas)).starts)


def traced(job_id: str = "a", arrives: float | None = 0, runs: float | None = 10, **more) -> TracedJob:
    return TracedJob(job_id=job_id, arrives=arrives, runs=runs, **more)


def trace(folder: Path, *rows: str, header: str = HEADER, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@st.composite
def workloads(draw: st.DrawFn, *, pools: int = 1) -> Workload:
    """A few jobs that arrive close together and often at one instant; each needs some pools."""
    capacity = draw(st.lists(st.integers(1, 6), min_size=pools, max_size=pools))

    def needs(chosen: set[int]) -> st.SearchStrategy[Needs]:
        pairs = [st.tuples(st.just(pool), st.integers(1, capacity[pool])) for pool in sorted(chosen)]
        return st.tuples(*pairs)

    needed = st.sets(st.integers(0, pools - 1), min_size=1).flatmap(needs)
    jobs = st.builds(job, st.integers(0, 30), st.integers(0, 20), needs=needed)
    return workload(*draw(st.lists(jobs, min_size=1, max_size=25)), replicas=tuple(capacity))
