"""How many replicas would have been enough: the bounds of the search, what it finds, and when it gives up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from poolqueue.simulation.run import Run
from poolqueue.simulation.sizing import UnknownPool, bounds, find_replicas, pool_called, resized
from poolqueue.simulation.workload import SimulatedPool, Workload
from tests.unit.simulation.building import job, simulated, workload, workloads

POOLS = (SimulatedPool(id="a", replicas=1), SimulatedPool(id="b", replicas=2))


def easy(work: Workload) -> Run:
    return simulated("easy", work)


def test_the_least_number_that_keeps_the_wait_short_is_found() -> None:
    # Ten jobs of 100 s at once: on 5 the second half waits 100 s, on 4 two of the ten wait 200 s.
    found = find_replicas(workload(*[job(0, 100)] * 10), 0, p90_wait=100, simulate=easy)

    assert found.enough == 5
    assert found.tried[5].p90_wait_s == 100
    assert found.tried[4].p90_wait_s == 200
    assert list(found.tried) == sorted(found.tried)


def test_the_number_that_there_is_is_tried_first() -> None:
    tried: list[int] = []

    def simulate(work: Workload) -> Run:
        tried.append(work.capacity[0])
        return easy(work)

    find_replicas(workload(*[job(0, 100)] * 10, replicas=(7,)), 0, p90_wait=0, simulate=simulate)

    assert tried[0] == 7
    assert len(tried) == len(set(tried))


def test_the_search_is_between_the_largest_job_and_what_is_used_if_nobody_waits() -> None:
    work = workload(job(0, 10, 3), job(5, 10, 2), job(15, 10, 4), replicas=(9,))

    assert bounds(work, 0) == (4, 5)


def test_only_the_jobs_of_the_pool_count_and_other_pools_stay() -> None:
    jobs = (job(0, 10, needs=((0, 1),)), job(0, 10, needs=((1, 1),)), job(0, 10, needs=((1, 1),)))
    found = find_replicas(workload(*jobs, replicas=(1, 1)), 1, p90_wait=0, simulate=easy)

    assert found.enough == 2
    assert {waits.jobs for waits in found.tried.values()} == {2}


def test_none_is_found_where_the_waiting_is_for_another_pool() -> None:
    both = [job(0, 100, needs=((0, 1), (1, 1)))] * 4
    found = find_replicas(workload(*both, replicas=(1, 1)), 1, p90_wait=0, simulate=easy)

    assert found.enough is None
    assert found.tried[4].p90_wait_s == 300


@given(work=workloads(), limit=st.integers(0, 20))
def test_what_is_found_is_enough_and_one_less_is_not(work: Workload, limit: int) -> None:
    found = find_replicas(work, 0, p90_wait=limit, simulate=easy)
    assume(found.enough is not None)

    assert found.tried[found.enough].p90_wait_s <= limit
    assert all(waits.p90_wait_s > limit for n, waits in found.tried.items() if n < found.enough)


def test_pools_are_resized_by_their_ids() -> None:
    assert [pool.replicas for pool in resized(POOLS, {"b": 9})] == [1, 9]


@pytest.mark.parametrize("ask", [lambda: pool_called(POOLS, "c"), lambda: resized(POOLS, {"c": 1})])
def test_a_pool_that_is_not_there_is_told_with_those_that_are(ask: Callable[[], object]) -> None:
    with pytest.raises(UnknownPool, match="there is no pool c; the pools are a, b"):
        ask()
