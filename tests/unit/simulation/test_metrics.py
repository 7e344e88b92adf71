"""Figures against numbers worked out by hand."""

from __future__ import annotations

import pytest

from poolqueue.simulation.metrics import By, figures, waits_by
from poolqueue.simulation.run import Run, Span
from poolqueue.simulation.workload import SimulatedJob
from tests.unit.simulation.building import job, workload


def run(*jobs: tuple[SimulatedJob, float], replicas: tuple[int, ...] = (4,), preempted=()) -> Run:
    work = workload(*(each for each, _ in jobs), replicas=replicas)
    return Run(policy="p", workload=work, starts=tuple(at for _, at in jobs), preempted=preempted)


def waiting(*waits: float) -> Run:
    return run(*((job(0, 100), wait) for wait in waits))


def test_percentiles_are_elements_of_the_sorted_waits() -> None:
    told = figures(waiting(*range(20, 0, -1)))

    # Of 1, 2 ... 20, elements 10, 18 and 19, counted from 0.
    assert (told.p50_wait_s, told.p90_wait_s, told.p95_wait_s, told.max_wait_s) == (11, 19, 20, 20)
    assert told.mean_wait_s == 10.5
    assert told.jobs == 20


def test_one_job_is_every_percentile() -> None:
    told = figures(waiting(7))

    assert (told.p50_wait_s, told.p90_wait_s, told.p95_wait_s, told.max_wait_s) == (7, 7, 7, 7)


def test_slowdown_is_bounded_by_ten_seconds_and_at_least_one() -> None:
    told = figures(run((job(0, 1), 0), (job(0, 2), 18), (job(0, 100), 100)))

    # 1 s without a wait counts 1, not 0.1; then (18 + 2) / 10 = 2 and (100 + 100) / 100 = 2.
    assert told.mean_bounded_slowdown == pytest.approx((1 + 2 + 2) / 3)


def test_makespan_is_from_the_first_arrival_to_the_last_end_and_utilisation_what_is_held_of_it() -> None:
    told = figures(run((job(100, 50, 2), 100), (job(110, 40, 4), 160)))

    assert told.makespan_s == 100
    assert told.utilisation == pytest.approx((50 * 2 + 40 * 4) / (100 * 4))


def test_replicas_of_all_pools_count_together() -> None:
    told = figures(run((job(0, 10, needs=((0, 1), (1, 2))), 0), replicas=(2, 4)))

    assert told.utilisation == pytest.approx(3 / 6)


def test_a_preempted_attempt_holds_replicas_and_its_job_waits_for_the_last_one() -> None:
    told = figures(run((job(0, 10, 4), 20), preempted=(Span(0, 0, 5),)))

    assert told.mean_wait_s == 20
    assert told.utilisation == pytest.approx((5 + 10) / 30)


def test_jobs_that_take_no_time_use_nothing() -> None:
    assert figures(run((job(5, 0), 5))).utilisation == 0


def test_waits_are_told_by_user_with_the_most_jobs_first() -> None:
    jobs = ((job(0, 9, user="b"), 1), (job(0, 9, user="a"), 5), (job(0, 9, user="a"), 7))
    told = waits_by(run(*jobs), By.USER)

    assert [(name, each.jobs, each.mean_wait_s) for name, each in told.items()] == [("a", 2, 6), ("b", 1, 1)]


def test_sizes_are_told_in_their_order() -> None:
    jobs = ((job(0, 9, 10), 0), (job(0, 9, 2), 0), (job(0, 9, 10), 0))

    assert list(waits_by(run(*jobs, replicas=(99,)), By.SIZE)) == ["2", "10"]
