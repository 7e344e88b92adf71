"""What becomes of forecasts, and what is learned from it."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.scorecard import (
    LEAST_SCORES,
    OPEN_LIMIT,
    SCORES_LIMIT,
    UNCORRECTED,
    Accuracy,
    Correction,
    OpenForecast,
    Scorecard,
    accuracy,
    correction,
    opened,
    overdue,
    started,
    withdrawn,
)
from tests.unit.scheduling.building import NOW, at


def told(p50: float = 100, p90: float = 200, **more) -> OpenForecast:
    return OpenForecast(**{"made": NOW, "p50": p50, "p90": p90, "sampled": (p50, p90), "basis": 37, **more})


def scored(*waits: float, p50: float = 100, p90: float = 200) -> Scorecard:
    """With a score for each of these waits."""
    card = Scorecard()
    for number, wait in enumerate(waits):
        card = started(opened(card, {f"j{number}": told(p50, p90)}), {f"j{number}": at(wait)})
    return card


def test_a_start_is_scored_by_what_was_told() -> None:
    card = scored(100, 200, 201, 0)

    assert accuracy(card) == Accuracy(scored=4, coverage_p50=0.5, coverage_p90=0.75, median_error_seconds=100)
    assert (card.totals.scored, card.totals.within_p50, card.totals.within_p90) == (4, 2, 3)
    assert card.open == {}


def test_nothing_scored_is_no_accuracy() -> None:
    assert accuracy(opened(Scorecard(), {"j": told()})) is None


def test_a_start_that_nobody_foretold_or_is_told_again_counts_nothing() -> None:
    card = scored(100)

    assert started(card, {"j0": at(5), "other": at(5)}) == card


def test_a_job_is_forecast_once() -> None:
    card = opened(Scorecard(), {"j": told()})

    assert opened(card, {"j": told(7, 8)}) == card


def test_what_ends_unstarted_is_withdrawn_and_scored_by_nobody() -> None:
    card = withdrawn(opened(Scorecard(), {"j": told()}), ["j", "other"])

    assert card == withdrawn(card, ["j"])
    assert (card.open, card.scores, card.totals.withdrawn) == ({}, (), 1)


def test_open_forecasts_and_scores_are_bounded_and_totals_go_on() -> None:
    card = opened(Scorecard(), {f"j{n}": told() for n in range(OPEN_LIMIT + 9)})
    assert (len(card.open), card.room) == (OPEN_LIMIT, 0)

    card = scored(*range(SCORES_LIMIT + 1))

    assert [each.waited for each in card.scores] == [*range(1, SCORES_LIMIT + 1)]
    assert card.totals.scored == SCORES_LIMIT + 1


def test_who_waits_beyond_its_p90_is_overdue() -> None:
    card = opened(Scorecard(), {"a": told(p90=50), "b": told(p90=100)})

    assert overdue(card, now=at(100)) == 1


# --- learning


def test_a_few_scores_correct_nothing() -> None:
    assert correction(scored(*[900.0] * (LEAST_SCORES - 1))) == UNCORRECTED


def test_forecasts_that_were_right_stay_as_they_are() -> None:
    """Half of the waits within p50, nine in ten within p90."""
    waits = [100.0] * 11 + [200.0] * 8 + [900.0]

    assert correction(scored(*waits)) == UNCORRECTED


def test_a_correction_would_have_made_earlier_forecasts_right() -> None:
    chance = Random(3)
    waits = [chance.expovariate(1 / 500) for _ in range(200)]
    learned = correction(scored(*waits))
    p50, p90 = learned.corrected(100, 200)

    assert 0.48 <= sum(wait <= p50 for wait in waits) / len(waits) <= 0.53
    assert 0.88 <= sum(wait <= p90 for wait in waits) / len(waits) <= 0.93


def test_forecasts_of_a_start_at_once_teach_nothing() -> None:
    assert correction(scored(*[500.0] * 99, p50=0, p90=0)) == UNCORRECTED


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0.1, 9), st.floats(0.1, 9))
def test_what_is_corrected_stays_in_order(one, other, early, late) -> None:
    p50, p90 = Correction(p50=early, p90=late).corrected(*sorted((one, other)))

    assert 0 <= p50 <= p90


def test_what_starts_at_once_is_corrected_by_nothing() -> None:
    assert Correction(p50=5, p90=7).corrected(0, 0) == (0, 0)
