"""Each baseline against results worked out by hand, its ties and the order of events at one instant."""

from __future__ import annotations

import pytest

from poolqueue.simulation.simulators import SIMULATORS, PolicyName
from tests.unit.simulation.building import job, simulated, starts, workload

QUEUED = ("strict_fifo", "best_effort_fifo", "easy", "shortest_first")


# --- events of one instant -------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [*QUEUED, "retry_backoff"])
def test_a_job_starts_on_what_is_released_the_instant_it_arrives(policy: str) -> None:
    assert starts(policy, job(0, 10, 4), job(10, 5, 4)) == [0, 10]


@pytest.mark.parametrize("policy", [*QUEUED, "retry_backoff"])
def test_arrivals_of_one_instant_are_taken_in_the_order_given(policy: str) -> None:
    first, second = starts(policy, job(0, 10, 3, job_id="b"), job(0, 10, 2, job_id="a"))

    assert first == 0
    assert second >= 10


@pytest.mark.parametrize("policy", QUEUED)
def test_a_job_that_takes_no_time_gives_back_its_replicas_at_once(policy: str) -> None:
    assert starts(policy, job(0, 0, 4), job(0, 5, 4)) == [0, 0]


def test_all_that_arrive_at_one_instant_are_known_before_the_first_decision() -> None:
    assert starts("shortest_first", job(0, 9, 4), job(0, 3, 4), job(0, 6, 4)) == [9, 0, 3]


# --- strict FIFO -----------------------------------------------------------------------------------------


def test_strict_fifo_lets_nobody_pass_the_head() -> None:
    jobs = (job(0, 10, 3), job(1, 10, 2), job(2, 1, 1))

    assert starts("strict_fifo", *jobs) == [0, 10, 10]


def test_strict_fifo_holds_only_the_pools_that_the_head_needs() -> None:
    jobs = (
        job(0, 10, needs=((0, 2),)),
        job(1, 10, needs=((0, 1), (1, 1))),
        job(2, 10, needs=((1, 1),)),
        job(3, 10, needs=((2, 1),)),
    )

    assert starts("strict_fifo", *jobs, replicas=(2, 2, 1)) == [0, 10, 10, 3]


# --- best-effort FIFO ------------------------------------------------------------------------------------


def test_best_effort_fifo_starts_in_order_whatever_fits() -> None:
    jobs = (job(0, 10, 3), job(1, 10, 2), job(2, 30, 1), job(3, 5, 1))

    # At 10 there are 3 free: the second job takes 2 of them and the fourth the last one.
    assert starts("best_effort_fifo", *jobs) == [0, 10, 2, 10]


def test_best_effort_fifo_lets_a_large_job_starve_as_long_as_small_ones_come() -> None:
    small = [job(n, 2, 1) for n in range(8)]

    assert starts("best_effort_fifo", *small, job(0, 5, 4), replicas=(4,))[1] == 9


# --- shortest first --------------------------------------------------------------------------------------


def test_shortest_first_takes_the_older_of_equal_ones() -> None:
    jobs = (job(0, 10, 4), job(1, 5, 4), job(2, 5, 4), job(3, 4, 4))

    assert starts("shortest_first", *jobs) == [0, 14, 19, 10]


def test_shortest_first_passes_over_what_does_not_fit() -> None:
    assert starts("shortest_first", job(0, 10, 3), job(1, 1, 2), job(1, 50, 1)) == [0, 10, 1]


# --- EASY ------------------------------------------------------------------------------------------------


def test_easy_lets_a_later_job_pass_that_ends_by_the_shadow_time() -> None:
    running, head = job(0, 10, 3), job(1, 10, 4)

    assert starts("easy", running, head, job(2, 8, 1)) == [0, 10, 2]


def test_easy_keeps_a_later_job_back_that_would_delay_the_head() -> None:
    running, head = job(0, 10, 3), job(1, 10, 4)

    assert starts("easy", running, head, job(2, 9, 1)) == [0, 10, 20]


def test_easy_lets_a_long_job_pass_on_what_the_head_leaves_and_counts_it() -> None:
    running, head = job(0, 10, 3), job(1, 10, 3)

    # One replica is left beside the head: for the first of the long ones, not for the second.
    assert starts("easy", running, head, job(2, 99, 1), job(2, 99, 1), replicas=(5,)) == [0, 10, 2, 2]
    assert starts("easy", running, head, job(2, 99, 1), job(2, 99, 1), replicas=(4,)) == [0, 10, 2, 20]


def test_easy_gives_a_shadow_time_to_the_first_blocked_job_only() -> None:
    running, head, second = job(0, 10, 3), job(1, 10, 3), job(2, 10, 3)

    # The long one delays the second blocked job, but not the first.
    assert starts("easy", running, head, second, job(3, 99, 2), replicas=(5,)) == [0, 10, 20, 3]


def test_easy_takes_ends_of_one_instant_one_by_one() -> None:
    # The head needs one of the two that end at 10; what is left then does not count the other.
    jobs = (job(0, 10, 1), job(0, 10, 1), job(0, 20, 2), job(1, 10, 1), job(2, 30, 1))

    assert starts("easy", *jobs, replicas=(4,)) == [0, 0, 0, 10, 10]


def test_easy_goes_by_the_shadow_times_of_all_pools_of_a_job() -> None:
    jobs = (
        job(0, 10, needs=((0, 2),)),
        job(0, 20, needs=((1, 1),)),
        job(1, 5, needs=((0, 2),)),  # blocked until 10
        job(2, 5, needs=((1, 2),)),  # blocked until 20
        job(3, 8, needs=((1, 1),)),  # ends by 20
        job(4, 18, needs=((1, 1),)),  # would not
    )

    assert starts("easy", *jobs, replicas=(2, 2)) == [0, 0, 10, 20, 3, 25]


def test_easy_plans_a_job_for_when_all_of_its_pools_are_free() -> None:
    jobs = (
        job(0, 10, needs=((0, 2),)),
        job(0, 20, needs=((1, 2),)),
        job(1, 5, needs=((0, 2), (1, 2))),  # from 20 on
        job(2, 10, needs=((0, 1),)),  # from 10 to 20, beside nobody
        job(2, 11, needs=((0, 1),)),  # would delay it
    )

    assert starts("easy", *jobs, replicas=(2, 2)) == [0, 0, 20, 10, 25]


# --- retry on a backoff ----------------------------------------------------------------------------------


def test_a_job_that_does_not_fit_tries_again_later_and_later() -> None:
    _, waiting = starts("retry_backoff", job(0, 65, 4), job(0, 1, 4))

    # Tries at about 10, 30, 70: the replicas are free from 65 on, and wake nobody.
    assert 63 <= waiting <= 77


def test_a_pause_grows_no_longer_than_ten_minutes() -> None:
    _, waiting = starts("retry_backoff", job(0, 10_000, 4), job(0, 1, 4))

    assert 10_000 <= waiting <= 10_000 + 660


def test_retrying_is_the_same_every_time() -> None:
    jobs = [job(n, 50, 3) for n in range(20)]

    assert starts("retry_backoff", *jobs) == starts("retry_backoff", *jobs)


# --- all of them -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [*QUEUED, "retry_backoff"])
def test_without_contention_nobody_waits(policy: str) -> None:
    run = simulated(policy, workload(*(job(n, 5, 1) for n in range(4)), replicas=(4,)))

    assert run.waits == [0, 0, 0, 0]


def test_every_policy_that_can_be_asked_for_can_be_simulated() -> None:
    assert set(SIMULATORS) == set(PolicyName)
