"""What is held and what waits over time, against sums worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given

from poolqueue.simulation.run import Run, Span
from poolqueue.simulation.timeline import held, means, waiting
from poolqueue.simulation.workload import Workload
from tests.unit.simulation.building import job, simulated, workload, workloads


def run(*, preempted: tuple[Span, ...] = ()) -> Run:
    """The first holds 2 of 0-10, the second waits 5-10 and holds 3 of 10-14."""
    return Run(
        policy="p", workload=workload(job(0, 10, 2), job(5, 4, 3)), starts=(0, 10), preempted=preempted
    )


def test_replicas_in_use_are_those_of_all_attempts() -> None:
    assert means(held(run()), begin=0, end=20, parts=4) == [2, 2, pytest.approx(3 * 4 / 5), 0]


def test_jobs_wait_from_their_arrival_to_their_start() -> None:
    assert means(waiting(run()), begin=0, end=20, parts=4) == [0, 1, 0, 0]


def test_a_preempted_job_waits_again() -> None:
    again = run(preempted=(Span(1, 5, 7),))

    assert means(waiting(again), begin=0, end=10, parts=5) == [0, 0, 0, pytest.approx(0.5), 1]
    assert means(held(again), begin=5, end=7, parts=1) == [5]


def test_what_began_before_the_time_asked_about_counts() -> None:
    assert means(held(run()), begin=8, end=12, parts=2) == [2, 3]


@given(work=workloads(pools=2))
def test_everything_that_is_held_is_found_in_the_parts(work: Workload) -> None:
    run = simulated("easy", work)
    begin, end = 0, max(span.end for span in run.spans) + 1
    found = means(held(run), begin=begin, end=end, parts=7)
    total = sum((span.end - span.start) * work.jobs[span.job].replicas for span in run.spans)

    assert sum(found) * (end - begin) / 7 == pytest.approx(total)
