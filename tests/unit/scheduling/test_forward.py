from __future__ import annotations

from datetime import timedelta

from poolqueue.scheduling.forward import expected_left, run_forward
from poolqueue.scheduling.policies import Ordering, Preemption
from poolqueue.scheduling.pools import Drain
from tests.unit.scheduling.building import (
    CPU,
    GPU,
    NOW,
    at,
    board,
    demand,
    lasting,
    pool,
    reservation,
    resource,
    waiting,
)


def running(job_id, replicas, seconds, **more):
    """It has run for no time yet, and runs for so many seconds."""
    return reservation(f"t-{job_id}", job_id, replicas, traits=lasting(seconds), number="1", **more)


def starts(on, **more):
    course = run_forward(on, now=NOW, left=expected_left(on), **more)
    return {key.partition(".")[2]: start for key, start in course.starts.items()}


def test_jobs_start_when_what_holds_their_replicas_is_expected_to_end() -> None:
    on = board(
        resource(running("a", {CPU: 3}, 100), running("b", {CPU: 1}, 300)),
        waiting("first", demand(4), age=2, traits=lasting(50)),
        waiting("second", demand(2), age=1, traits=lasting(1000)),
    )

    assert starts(on) == {"first": at(300), "second": at(350)}


def test_real_run_times_may_differ_from_the_expected_ones() -> None:
    on = board(resource(running("a", {CPU: 4}, 100)), waiting("next"))
    course = run_forward(on, now=NOW, left=lambda key, _traits, _elapsed: {"research.a": 7.0}.get(key, 1.0))

    assert course.starts == {"research.next": at(7)}


def test_one_ahead_of_time_waits_until_its_time_and_one_that_expires_is_gone() -> None:
    on = board(
        resource(running("a", {CPU: 4}, 100)),
        waiting("later", not_before=at(500)),
        waiting("gone", expires=at(50)),
        waiting("gpu", demand(1, GPU), not_before=at(20)),
    )
    course = run_forward(on, now=NOW, left=expected_left(on))

    assert course.starts == {"research.later": at(500), "research.gpu": at(20)}
    assert course.gone == {"research.gone"}


def test_what_nothing_is_known_to_let_start_does_not_start() -> None:
    on = board(
        resource(foreign={CPU: 1}, drained={"gpu": Drain(reason="x", author="y", at=NOW)}),
        waiting("large", demand(4)),
        waiting("gpu", demand(1, GPU)),
    )
    course = run_forward(on, now=NOW, left=expected_left(on))

    assert course.starts == {}
    assert course.is_over


def test_it_stops_when_those_asked_about_have_started_or_after_so_many_decisions() -> None:
    queue = [waiting(f"j{n}", demand(4), age=9 - n, traits=lasting(100)) for n in range(9)]

    assert len(starts(board(resource(), *queue), of=["research.j2"])) == 3
    course = run_forward(on := board(resource(), *queue), now=NOW, left=expected_left(on), limit=4)
    assert len(course.starts) == 4
    assert not course.is_over


def test_too_few_slots_come_again_a_minute_later() -> None:
    queue = [waiting(f"j{n}", age=9 - n) for n in range(4)]

    assert starts(board(resource(), *queue), slots=2) == {"j0": NOW, "j1": NOW, "j2": at(60), "j3": at(60)}


def test_a_preempted_job_waits_again_and_starts_later() -> None:
    on = board(
        resource(running("low", {CPU: 4}, 1000, preemptions=1), pools=(pool(CPU, 4),)),
        waiting("high", demand(4), priority=9, traits=lasting(100)),
        preemption=Preemption.HIGHER,
    )

    assert starts(on) == {"high": at(60)}
    assert [line.job_id for line in on.lines()] == ["low"]


def test_strict_order_is_kept() -> None:
    on = board(
        resource(running("a", {CPU: 2}, 100)),
        waiting("large", demand(4), age=9, traits=lasting(10)),
        waiting("small", demand(1), age=1, traits=lasting(1)),
        ordering=Ordering.FIFO,
    )

    assert starts(on) == {"large": at(100), "small": at(110)}


def test_teams_take_turns_by_what_they_have_used() -> None:
    ours = [waiting(f"a{n}", demand(4), age=99, traits=lasting(100), team="a") for n in range(4)]
    theirs = [waiting("b", demand(4), team="b", traits=lasting(100))]
    course = run_forward(on := board(resource(), *ours, *theirs), now=NOW, left=expected_left(on))

    assert course.starts["b.b"] == NOW + timedelta(seconds=100)
