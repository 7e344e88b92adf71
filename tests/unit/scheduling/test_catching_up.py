"""Run times are brought up to what a resource shows."""

from __future__ import annotations

import pytest

from poolqueue.scheduling.catching_up import caught_up, expectations_of
from poolqueue.scheduling.pools import Ran, Reservation
from poolqueue.scheduling.run_times import RunTimes
from tests.unit.scheduling.building import NOW, at, reservation, resource
from tests.unit.scheduling.learning import HOUR, MINUTE, learned, traits

TRAIN = traits("train")


def runs(token: str, since: float) -> Reservation:
    return reservation(token, started=at(since), running=True, traits=TRAIN)


def ran(since: float, seconds: float, *, by_itself: bool = True) -> Ran:
    return Ran(traits=TRAIN, since=at(since), seconds=seconds, by_itself=by_itself)


def hazards(run_times: RunTimes) -> list[float]:
    return [*run_times.distribution(TRAIN).hazards]


def test_pending_outcomes_are_learned() -> None:
    shown = resource(outcomes={str(n): ran(-HOUR, HOUR) for n in range(10)})

    run_times = caught_up(RunTimes(), shown, now=NOW)

    assert run_times.distribution(TRAIN).quantile(0.5) == pytest.approx(HOUR, rel=0.8)


def test_what_is_stored_stays_as_it_is() -> None:
    stored = learned((TRAIN, HOUR), times=10)
    before = hazards(stored)

    caught_up(stored, resource(runs("a", -9 * HOUR), outcomes={"b": ran(-HOUR, MINUTE)}), now=NOW)

    assert hazards(stored) == before
    assert not stored.going


def test_what_runs_counts_from_when_it_was_seen_to_start() -> None:
    pending = reservation("p", traits=TRAIN)

    run_times = caught_up(RunTimes(), resource(runs("a", -9 * HOUR), pending), now=NOW)

    assert run_times.going.keys() == {"a"}
    assert run_times.distribution(TRAIN).quantile(0.5) > RunTimes().distribution(TRAIN).quantile(0.5)


def test_in_several_steps_the_same_is_learned_as_in_one() -> None:
    runs_at_first = resource(runs("a", -9 * HOUR), runs("b", -8 * HOUR))
    later = resource(runs("b", -8 * HOUR), outcomes={"a": ran(-9 * HOUR, 9 * HOUR)})

    first = caught_up(RunTimes(), runs_at_first, now=NOW)

    in_steps = caught_up(first, later, now=at(HOUR))
    assert hazards(in_steps) == pytest.approx(hazards(caught_up(RunTimes(), later, now=at(HOUR))))


def test_of_runs_that_began_and_ended_meanwhile_the_short_ones_are_remembered_as_well() -> None:
    """Half of a burst has ended by now: those starts did not come before the others."""
    going = [runs(f"long-{n}", n + 0.5) for n in range(60)]
    ended = {f"short-{n}": ran(float(n), MINUTE) for n in range(60)}

    run_times = caught_up(RunTimes(), resource(*going, outcomes=ended), now=at(10 * HOUR))

    assert 0.35 < run_times.distribution(TRAIN).survival(HOUR) < 0.65


def test_a_run_that_is_gone_without_an_outcome_is_dropped() -> None:
    first = caught_up(RunTimes(), resource(runs("a", -HOUR)), now=NOW)

    assert not caught_up(first, resource(), now=NOW).going


def test_a_decision_is_told_what_was_stored_and_what_is_pending() -> None:
    stored = learned((TRAIN, 10 * HOUR), times=10)
    pending = {str(n): ran(-MINUTE, MINUTE) for n in range(20)}

    before = expectations_of(stored, resource(), now=NOW)
    after = expectations_of(stored, resource(outcomes=pending), now=NOW)

    assert after.mean_seconds(TRAIN) < before.mean_seconds(TRAIN) / 5
