"""What a decision is told of run times that were learned."""

from __future__ import annotations

import pytest

from poolqueue.scheduling.expectations import Expectations, TimeoutsOnly
from poolqueue.scheduling.learned import LearnedExpectations
from poolqueue.scheduling.run_times import Outcome
from tests.unit.scheduling.learning import DAY, HOUR, MINUTE, learned, traits

TRAIN = traits("train")


def expectations(**settings: float) -> LearnedExpectations:
    return LearnedExpectations(learned((TRAIN, HOUR), times=20), **settings)


def test_it_is_what_a_decision_asks() -> None:
    known: Expectations = expectations()

    assert known.run_seconds(TRAIN, 0.9) > known.run_seconds(TRAIN, 0.5) > 0
    assert known.mean_seconds(TRAIN) == pytest.approx(HOUR, rel=1.0)
    assert known.chance_within(TRAIN, known.run_seconds(TRAIN, 0.7)) == pytest.approx(0.7)


def test_equal_traits_get_equal_answers() -> None:
    known = expectations()

    assert known.mean_seconds(traits("train")) == known.mean_seconds(TRAIN)
    assert known.run_seconds(traits("train"), 0.9) == known.run_seconds(TRAIN, 0.9)


def test_before_any_run_has_ended_nothing_is_known_but_the_timeout() -> None:
    """Or a fresh installation would plan starts within seconds, and keep none."""
    known, timeouts = LearnedExpectations(now=1.0), TimeoutsOnly()
    known.started("t1", TRAIN, at=0.0)

    for ask in (
        lambda by: by.mean_seconds(TRAIN),
        lambda by: by.run_seconds(TRAIN, 0.9),
        lambda by: by.left_seconds(TRAIN, HOUR),
        lambda by: by.chance_within(TRAIN, DAY),
    ):
        assert ask(known) == pytest.approx(ask(timeouts))


def test_from_the_first_end_on_it_is_learned() -> None:
    known = LearnedExpectations(refresh_seconds=0.0)
    known.started("t1", TRAIN, at=0.0)
    before = known.mean_seconds(TRAIN)

    known.ended("t1", Outcome(traits=TRAIN, seconds=MINUTE))
    known.advance(MINUTE)

    assert known.mean_seconds(TRAIN) < HOUR < before


@pytest.mark.parametrize("elapsed", [0.0, MINUTE, HOUR, 10 * HOUR, 8 * DAY])
def test_what_runs_always_runs_on_for_a_while(elapsed: float) -> None:
    assert expectations().left_seconds(TRAIN, elapsed) >= 1.0


def test_what_has_run_for_as_long_as_others_did_is_not_taken_to_end_at_once() -> None:
    known = expectations()

    assert known.left_seconds(TRAIN, 5 * HOUR) > known.left_seconds(TRAIN, 50 * MINUTE)


def test_nothing_is_taken_to_outlast_its_timeout() -> None:
    hurried = traits("train", timeout=10 * MINUTE)
    known = expectations()

    assert known.mean_seconds(hurried) <= 10 * MINUTE
    assert known.run_seconds(hurried, 0.99) <= 10 * MINUTE
    assert known.left_seconds(hurried, 9 * MINUTE) <= 2 * MINUTE


def test_what_was_said_stays_for_a_while_and_is_then_made_anew() -> None:
    known = expectations(refresh_seconds=60.0)
    before = known.mean_seconds(TRAIN)
    for n in range(20):
        known.started(str(n), TRAIN, 0.0)
        known.ended(str(n), Outcome(traits=TRAIN, seconds=MINUTE))

    known.advance(59.0)
    assert known.mean_seconds(TRAIN) == before

    known.advance(60.0)
    assert known.mean_seconds(TRAIN) < before / 2
