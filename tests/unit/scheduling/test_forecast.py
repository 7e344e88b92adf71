"""Estimates: exact where nothing is left to chance, honest where little is known."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.buckets import COUNT, bucket_of
from poolqueue.scheduling.distributions import Basis, Distribution
from poolqueue.scheduling.estimates import Estimate, NoEstimate, WhyNot, rounded_out
from poolqueue.scheduling.forecast import JOBS_LIMIT, LEAST_RUNS, forecast
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.policies import Ordering
from poolqueue.scheduling.pools import Drain
from poolqueue.scheduling.run_times import RunTimes
from poolqueue.scheduling.scorecard import Correction
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
from tests.unit.scheduling.learning import HOUR, learned, traits
from tests.unit.scheduling.test_properties import QUEUES


def surely(runs: int = 37, level: int = 0):
    """Every attempt runs exactly until its timeout."""
    never = [0.0] * COUNT
    return lambda its: Distribution(never, timeout=its.timeout, basis=Basis(runs=runs, level=level))


def running(job_id, replicas, seconds, *, since=0.0, **more):
    its = lasting(seconds)
    return reservation(f"t-{job_id}", job_id, replicas, traits=its, number="1", reserved_at=at(since), **more)


def told(on, *, run_time=None, **more):
    """By job id."""
    found = forecast(on, now=NOW, run_time=run_time or surely(), chance=Random, **more)
    return {key.partition(".")[2]: each for key, each in found.items()}


def start_of(estimate):
    return estimate.start_p50, estimate.start_p90


# --- what is certain


def test_a_job_starts_when_what_holds_its_replicas_ends() -> None:
    on = board(resource(running("a", {CPU: 4}, 600, since=-480)), waiting("next", traits=lasting(1200)))

    next_ = told(on)["next"]

    assert start_of(next_) == (at(120), at(120))
    assert (next_.end_p50, next_.end_p90) == (at(1320), at(1320))
    assert (next_.basis, next_.level) == (37, 0)


def test_a_queue_starts_one_after_the_other() -> None:
    queue = [waiting(f"j{n}", demand(4), age=9 - n, traits=lasting(600)) for n in range(3)]
    on = board(resource(running("a", {CPU: 4}, 60)), *queue)

    assert [start_of(each)[1] for each in told(on).values()] == [at(60), at(660), at(1260)]


def test_what_fits_now_starts_now() -> None:
    found = told(board(resource(), waiting("j", traits=lasting(60))), correction=Correction(p50=3, p90=5))

    assert start_of(found["j"]) == (NOW, NOW)


def test_those_asked_about_wait_for_the_others_all_the_same() -> None:
    queue = [waiting(f"j{n}", demand(4), age=9 - n, traits=lasting(60)) for n in range(3)]

    assert told(board(resource(), *queue), of=["research.j2"]) == {
        "j2": told(board(resource(), *queue))["j2"]
    }


def test_the_board_stays_as_it_is() -> None:
    on = board(resource(running("a", {CPU: 4}, 60)), waiting("j"), waiting("k", demand(3)))

    told(on)

    assert {line.job_id for line in on.lines()} == {"j", "k"}
    assert on.free[CPU] == 0
    assert len(on.resource.reservations) == 1


# --- what is left to chance


def test_what_has_run_for_long_is_expected_to_run_on() -> None:
    """Most end after minutes, some after hours: who has run for an hour is one of those."""
    its = traits()
    run_time = learned((its, 300), (its, 300), (its, 300), (its, 5 * HOUR), times=5).distribution
    young, old = (
        board(
            resource(reservation("t", "a", {CPU: 4}, traits=its, reserved_at=at(-elapsed))),
            waiting("next", traits=its),
        )
        for elapsed in (0, HOUR)
    )

    of_young, of_old = told(young, run_time=run_time)["next"], told(old, run_time=run_time)["next"]

    assert of_young.start_p50 < at(HOUR)
    assert of_young.start_p90 > at(2 * HOUR)
    assert of_old.start_p50 > at(2 * HOUR)


def test_jobs_that_resemble_one_another_are_long_together() -> None:
    """Ten in a row that were all drawn alone would surely take about ten times the mean."""
    its = traits()
    run_time = learned((its, 600), (its, 6_000), times=10).distribution
    queue = [waiting(f"j{n}", demand(4), age=20 - n, traits=its) for n in range(11)]

    last = told(board(resource(), *queue), run_time=run_time)["j10"]

    assert last.start_p90 - NOW > 1.4 * (last.start_p50 - NOW)


def test_the_same_chance_gives_the_same_answer() -> None:
    its = traits()
    run_time = learned((its, 100), (its, 3_000), times=5).distribution

    def ask():
        on = board(resource(reservation("t", "a", {CPU: 4}, traits=its)), waiting("next", traits=its))
        return told(on, run_time=run_time)

    assert ask() == ask()


def test_a_correction_stretches_the_wait_and_moves_the_end() -> None:
    on = board(resource(running("a", {CPU: 4}, 540)), waiting("j", traits=lasting(600)))
    plain, late = told(on)["j"], told(on, correction=Correction(p50=1, p90=2))["j"]

    assert start_of(late) == (at(540), at(1140))
    assert late.end_p90 == at(1740)
    assert late.sampled == plain.sampled == (540, 540)


# --- what is not known


@pytest.mark.parametrize("runs", [0, LEAST_RUNS - 1])
def test_few_similar_runs_are_no_basis(runs) -> None:
    on = board(resource(), waiting("j"))

    assert told(on, run_time=surely(runs)) == {"j": NoEstimate(why=WhyNot.THIN_BASIS)}
    assert told(on, run_time=RunTimes().distribution) == {"j": NoEstimate(why=WhyNot.THIN_BASIS)}


def test_the_basis_is_also_that_of_what_it_waits_for_but_for_a_tenth() -> None:
    def run_time(its):
        return surely({60: 3, 120: 9}.get(its.timeout, 40))(its)

    few, little = [
        board(
            resource(running("a", {CPU: n}, 60), running("b", {CPU: 40 - n}, 120), pools=(pool(CPU, 40),)),
            one,
        )
        for n, one in ((5, waiting("j", traits=lasting(70))), (4, waiting("j", traits=lasting(70))))
    ]

    assert told(few, run_time=run_time)["j"] == NoEstimate(why=WhyNot.THIN_BASIS)
    assert told(little, run_time=run_time)["j"].basis == 9


def test_foreign_use_has_no_known_end() -> None:
    on = board(
        resource(running("a", {CPU: 1}, 60), foreign={CPU: 3}), waiting("large", demand(2)), waiting("small")
    )

    found = told(on)

    assert found["large"] == NoEstimate(why=WhyNot.BLOCKED, reason=Reason.NEEDS_REPLICAS)
    assert start_of(found["small"]) == (at(60), at(60))


def test_nobody_knows_when_a_drain_or_an_outage_ends() -> None:
    drained = resource(drained={"gpu": Drain(reason="x", author="y", at=NOW)})
    found = told(board(drained, waiting("gpu", demand(1, GPU)), waiting("cpu")))

    assert found["gpu"] == NoEstimate(why=WhyNot.BLOCKED, reason=Reason.DRAINED)
    assert isinstance(found["cpu"], Estimate)
    assert told(board(resource(state="MISSING"), waiting("j"))) == {
        "j": NoEstimate(why=WhyNot.BLOCKED, reason=Reason.RESOURCE_MISSING)
    }


def test_a_job_that_will_expire_first_gets_no_estimate() -> None:
    on = board(resource(running("a", {CPU: 4}, 600)), waiting("j", expires=at(300)))

    assert told(on) == {"j": NoEstimate(why=WhyNot.LIKELY_EXPIRES)}


def test_nothing_is_said_beyond_the_horizon_or_of_the_end_of_a_long_queue() -> None:
    day = 86_400
    queue = [
        waiting(f"j{n:03}", demand(4), age=999 - n, traits=lasting(6 * day)) for n in range(JOBS_LIMIT + 2)
    ]

    found = told(board(resource(), *queue), effort=1_000)

    assert [key for key, each in found.items() if isinstance(each, Estimate)] == ["j000", "j001"]
    assert {each.why for each in [*found.values()][2:]} == {WhyNot.BEYOND_HORIZON}
    assert len(found) == len(queue)


def test_a_small_effort_looks_less_far() -> None:
    queue = [waiting(f"j{n:03}", demand(4), age=999 - n, traits=lasting(60)) for n in range(100)]
    on = board(resource(), *queue)

    assert all(isinstance(each, Estimate) for each in told(on).values())
    some = [key for key, each in told(on, effort=6_000).items() if isinstance(each, Estimate)]
    assert 0 < len(some) < 100
    assert some == [f"j{n:03}" for n in range(len(some))]


# --- whatever happens


BOARDS = st.builds(
    lambda queue, ordering, held, foreign: board(
        resource(*([running("a", {CPU: held}, 100)] if held else []), foreign={GPU: foreign}),
        *queue,
        ordering=ordering,
    ),
    queue=QUEUES,
    ordering=st.sampled_from(Ordering),
    held=st.integers(0, 4),
    foreign=st.integers(0, 4),
)


@given(on=BOARDS, runs=st.integers(0, 9), stretched=st.floats(0.2, 8))
def test_an_interval_is_in_the_future_and_in_order(on, runs, stretched) -> None:
    correction = Correction(p50=stretched, p90=1.0)

    found = forecast(on, now=NOW, run_time=surely(runs), chance=Random, correction=correction)

    assert found.keys() == {line.key for line in on.lines()}
    for each in found.values():
        if isinstance(each, Estimate):
            assert NOW <= each.start_p50 <= each.start_p90 <= each.end_p90
            assert each.start_p50 <= each.end_p50 <= each.end_p90
            assert each.basis >= LEAST_RUNS


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_rounding_widens_by_little(one, other) -> None:
    early, late = sorted((one, other))
    first, last = ((each - NOW).total_seconds() for each in rounded_out(early, late, now=NOW))

    assert 0 <= first <= early + 1e-5
    assert late - 1e-5 <= last
    assert early - first <= max(1, early / 20)
    assert last - late <= max(1, late / 20)


def test_times_are_rounded_to_rounder_times_of_the_clock() -> None:
    moment = NOW + timedelta(seconds=7)

    assert rounded_out(3_000, 9_000, now=moment) == (NOW + timedelta(minutes=50), at(9_300))
    assert bucket_of(1) == 0
