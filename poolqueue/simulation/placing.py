"""Which pool a traced job would run on, and which jobs are left out because none would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from poolqueue.simulation.workload import Needs, SimulatedJob, SimulatedPool, TracedJob, Workload, by_arrival

ONE_POOL = "gpus"

Place = Callable[[TracedJob], Needs | str]
"""The replicas that a job needs, or in words why it is left out."""


def on_one_pool(jobs: Iterable[TracedJob], capacity: int) -> Workload:
    """One pool of `capacity` machines with a GPU each: a job's `gpus` are its replicas."""
    return _workload(jobs, (SimulatedPool(id=ONE_POOL, replicas=capacity),), lambda job: _gpus(job, capacity))


def on_pools(jobs: Iterable[TracedJob], pools: Sequence[SimulatedPool]) -> Workload:
    """Each job on the pool of its `machine`; without one, on the pool with the fewest GPUs per machine that
    has at least `gpus_per_replica` of them, the first of equal ones. Pools with fewer replicas than the job
    needs do not count.
    """
    return _workload(jobs, tuple(pools), lambda job: _pool(job, pools))


def _workload(jobs: Iterable[TracedJob], pools: tuple[SimulatedPool, ...], place: Place) -> Workload:
    left_out: Counter[str] = Counter()
    placed = []
    for job in jobs:
        needs = "its run_s or submit_s is not known" if None in {job.arrives, job.runs} else place(job)
        if isinstance(needs, str):
            left_out[needs] += 1
        else:
            placed.append(_placed(job, needs))
    return Workload(pools=pools, jobs=by_arrival(placed), left_out=dict(left_out))


def _placed(job: TracedJob, needs: Needs) -> SimulatedJob:
    assert job.arrives is not None
    assert job.runs is not None
    return SimulatedJob(
        job_id=job.job_id,
        arrives=job.arrives,
        runs=job.runs,
        needs=needs,
        team=job.team,
        user=job.user,
        group=job.group,
        priority=job.priority,
        requested=job.requested,
    )


def _gpus(job: TracedJob, capacity: int) -> Needs | str:
    if job.gpus is None:
        return "its gpus are not known"
    if job.gpus > capacity:
        return f"it needs more than {capacity:,} GPUs"
    return ((0, job.gpus),)


def _pool(job: TracedJob, pools: Sequence[SimulatedPool]) -> Needs | str:
    if job.replicas is None:
        return "its replicas are not known"
    fitting = [place for place, pool in enumerate(pools) if _serves(pool, job)]
    if not fitting:
        return _no_pool(job)
    large_enough = [place for place in fitting if pools[place].replicas >= job.replicas]
    if not large_enough:
        return f"it needs more replicas than {' or '.join(pools[place].id for place in fitting)} has"
    return ((min(large_enough, key=lambda place: pools[place].gpus), job.replicas),)


def _serves(pool: SimulatedPool, job: TracedJob) -> bool:
    if job.machine:
        return job.machine in {pool.machine, pool.id}
    return job.gpus_per_replica is not None and pool.gpus >= job.gpus_per_replica


def _no_pool(job: TracedJob) -> str:
    if job.machine:
        return f"no pool has machines {job.machine}"
    if job.gpus_per_replica is None:
        return "neither its machine nor its gpus_per_replica is known"
    return f"no pool has machines of {job.gpus_per_replica} GPUs"
