"""What teams are charged for, and what becomes of replicas that are paid for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.metering import LONGEST_UNSEEN, metered
from poolqueue.scheduling.pools import Metered, Pool, Ran, Resource, Use
from poolqueue.scheduling.traits import NO_TRAITS
from poolqueue.scheduling.usage import Usage, Used, months_of, parts_by_month, with_metered, with_runs
from tests.unit.scheduling.building import CPU, GPU

DAY = 86_400.0
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def run(since: datetime = NOON, seconds: float = 60.0, team: str = "vision", replicas: int = 2) -> Ran:
    return Ran(
        traits=NO_TRAITS, since=since, seconds=seconds, by_itself=True, team=team, replicas={GPU: replicas}
    )


def month(name: str = "2026-11") -> Usage:
    return Usage(month=name, since=NOON)


# --- runs ------------------------------------------------------------------------------------------------


def test_a_run_counts_for_its_team_with_all_its_replicas() -> None:
    used = with_runs(month(), [run(), run(seconds=30.0, replicas=1), run(team="speech")]).used

    assert used == {
        ("vision", GPU): Used(attempts=2, seconds=150.0),
        ("speech", GPU): Used(attempts=1, seconds=120.0),
    }


def test_a_run_over_the_end_of_a_month_counts_in_both_and_is_one_attempt_in_the_second() -> None:
    over = run(seconds=DAY)

    assert months_of([over], {}) == ["2026-11", "2026-12"]
    assert with_runs(month(), [over]).used == {("vision", GPU): Used(attempts=0, seconds=DAY)}
    assert with_runs(month("2026-12"), [over]).used == {("vision", GPU): Used(attempts=1, seconds=DAY)}


def test_what_was_written_before_teams_were_told_is_charged_to_nobody() -> None:
    assert with_runs(month(), [run(team="")]) == month()


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.floats(0, 200 * DAY),
)
def test_the_parts_of_a_run_are_as_long_as_it_was(since: datetime, seconds: float) -> None:
    parts = [*parts_by_month(since, seconds)]

    assert sum(part for _, part in parts) == pytest.approx(seconds, abs=1e-3)
    assert sorted({name for name, _ in parts}) == [name for name, _ in parts]


# --- replicas that are paid for --------------------------------------------------------------------------


def seen(at: datetime = NOON, **changes: object) -> Resource:
    return replace(
        Resource(name="r", state="RUNNING", pools=(Pool(key=CPU, ids=("cpu",), capacity=4),)),
        observed_at=at,
        **changes,  # type: ignore[arg-type]
    )


def minute(resource: Resource) -> Metered:
    after = metered(resource, since=NOON - timedelta(seconds=60))
    return after.metered["2026-11"][CPU]


def test_from_look_to_look_replicas_are_paid_for_and_some_are_busy() -> None:
    assert minute(seen(foreign={CPU: 3})) == Metered(paid=240.0, busy=180.0)


def test_what_is_free_while_jobs_compete_idles_unwantedly() -> None:
    competing = {"vision": Use(at=NOON, waiting=True)}

    assert minute(seen(foreign={CPU: 3}, uses=competing)) == Metered(paid=240.0, busy=180.0, wanted=60.0)


def test_no_more_is_busy_than_is_paid_for() -> None:
    assert minute(seen(foreign={CPU: 9})) == Metered(paid=240.0, busy=240.0)


@pytest.mark.parametrize("since", [None, NOON, NOON - LONGEST_UNSEEN - timedelta(seconds=1)])
def test_what_nobody_looked_at_is_not_metered(since: datetime | None) -> None:
    assert metered(seen(), since=since) == seen()


def test_what_does_not_run_is_not_metered() -> None:
    gone = seen(state="MISSING")

    assert metered(gone, since=NOON - timedelta(seconds=60)) == gone


def test_what_was_metered_adds_up() -> None:
    once = with_metered(month(), {CPU: Metered(paid=2.0, busy=1.0)})

    assert with_metered(once, {CPU: Metered(paid=2.0, wanted=1.0)}).metered == {
        CPU: Metered(paid=4.0, busy=1.0, wanted=1.0)
    }
