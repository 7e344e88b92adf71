"""What holds of any run, and that the fast baselines decide as plain ones that look at every job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings

from poolqueue.simulation.run import Run
from poolqueue.simulation.simulators import SIMULATORS
from poolqueue.simulation.workload import Workload
from tests.unit.simulation.building import simulated, workloads

ALL = sorted(SIMULATORS)


def most_in_use(run: Run) -> list[int]:
    """The most replicas of each pool that were held at once; an end comes before a start of its instant."""
    changes = [
        (at, sign * replicas, pool)
        for job, start, end in run.spans
        for pool, replicas in run.workload.jobs[job].needs
        for at, sign in ((start, 1), (end, -1))
        if end > start
    ]
    held: Counter[int] = Counter()
    most = [0] * len(run.workload.pools)
    for _, change, pool in sorted(changes):
        held[pool] += change
        most[pool] = max(most[pool], held[pool])
    return most


@pytest.mark.parametrize("policy", ALL)
@given(work=workloads(pools=2))
def test_every_job_starts_once_none_before_its_arrival_and_capacity_is_never_exceeded(
    policy: str, work: Workload
) -> None:
    run = simulated(policy, work)

    assert len(run.starts) == len(work.jobs)
    assert all(wait >= 0 for wait in run.waits)
    assert all(most <= capacity for most, capacity in zip(most_in_use(run), work.capacity, strict=True))


@pytest.mark.parametrize("policy", ALL)
@settings(max_examples=10)
@given(work=workloads())
def test_a_run_can_be_repeated(policy: str, work: Workload) -> None:
    assert simulated(policy, work).starts == simulated(policy, work).starts


@given(work=workloads())
def test_strict_fifo_starts_in_the_order_of_arrival(work: Workload) -> None:
    starts = simulated("strict_fifo", work).starts

    assert list(starts) == sorted(starts)


# --- as plain ones would ---------------------------------------------------------------------------------

Decide = Callable[[Workload, list[int], float, int, list[tuple[float, int]]], Iterable[int]]


def plain(work: Workload, decide: Decide) -> list[float]:
    """One pool. `decide` names the jobs that start, of the waiting ones, at a time and with so many free;
    `running` are pairs of end and replicas.
    """
    jobs, free, running, waiting = work.jobs, work.capacity[0], [], []
    starts: dict[int, float] = {}
    ahead = list(range(len(jobs)))
    while ahead or running:
        now = min([jobs[n].arrives for n in ahead[:1]] + [end for end, _ in running])
        free += sum(replicas for end, replicas in running if end <= now)
        running = [each for each in running if each[0] > now]
        waiting += [n for n in ahead if jobs[n].arrives <= now]
        ahead = [n for n in ahead if jobs[n].arrives > now]
        for n in decide(work, list(waiting), now, free, sorted(running)):
            waiting.remove(n)
            starts[n] = now
            free -= jobs[n].replicas
            running.append((now + jobs[n].runs, jobs[n].replicas))
    return [starts[n] for n in range(len(jobs))]


def plain_first_that_fits(order: Callable[[Workload, int], float]) -> Decide:
    def decide(work, waiting, _now, free, _running):
        for n in sorted(waiting, key=lambda n: (order(work, n), n)):
            if work.jobs[n].replicas <= free:
                free -= work.jobs[n].replicas
                yield n

    return decide


def plain_easy(work, waiting, now, free, running):
    while waiting and work.jobs[waiting[0]].replicas <= free:
        job = work.jobs[waiting[0]]
        free -= job.replicas
        running = sorted([*running, (now + job.runs, job.replicas)])
        yield waiting.pop(0)
    if not waiting:
        return
    extra = free - work.jobs[waiting[0]].replicas
    ends = iter(running)
    while extra < 0:
        shadow, freed = next(ends)
        extra += freed
    for n in waiting[1:]:
        job = work.jobs[n]
        is_short = now + job.runs <= shadow
        if job.replicas <= free and (is_short or job.replicas <= extra):
            free -= job.replicas
            extra -= 0 if is_short else job.replicas
            yield n


@given(work=workloads())
def test_best_effort_fifo_decides_as_a_plain_one(work: Workload) -> None:
    decide = plain_first_that_fits(lambda _work, _n: 0)

    assert list(simulated("best_effort_fifo", work).starts) == plain(work, decide)


@given(work=workloads())
def test_shortest_first_decides_as_a_plain_one(work: Workload) -> None:
    decide = plain_first_that_fits(lambda work, n: work.jobs[n].runs)

    assert list(simulated("shortest_first", work).starts) == plain(work, decide)


@given(work=workloads())
def test_easy_decides_as_a_plain_one(work: Workload) -> None:
    assert list(simulated("easy", work).starts) == plain(work, plain_easy)
