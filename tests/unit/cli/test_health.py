"""What an installation's records say of its health."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from poolqueue.config.settings import Timing
from poolqueue.scheduling.pools import Resource, Unannounced
from poolqueue.viewing import health
from poolqueue.viewing.health import Verdict
from tests.unit.cli.building import NOW, reservation, reservations, resource

LONG_AGO = NOW - timedelta(hours=2)
TIMING = Timing()


def test_all_is_good_where_nothing_is_wrong() -> None:
    running = reservations(reservation("j", running=True, number="1"))
    checks = health.of_records([resource(reservations=running)], TIMING, is_local=True, now=NOW)

    assert {check.verdict for check in checks} == {Verdict.GOOD}


@pytest.mark.parametrize(("is_local", "remedy"), [(True, "make run"), (False, "scheduler job")])
def test_without_sweeps_it_says_where_to_look(is_local: bool, remedy: str) -> None:
    check = health.sweeps([resource(observed_at=LONG_AGO)], is_local=is_local, now=NOW)

    assert (check.verdict, check.found) == (Verdict.BAD, "no sweep comes: the last one 2h00m ago")
    assert remedy in check.remedy


def test_a_resource_that_is_needed_and_not_swept_is_named() -> None:
    unseen = replace(resource(observed_at=LONG_AGO, waiting=1), name=resource().name + "-b")
    check = health.sweeps([resource(), unseen], is_local=True, now=NOW)

    assert check.verdict is Verdict.ODD
    assert "gpu-a-b" in check.found


def test_before_any_resource_is_known_nothing_is_known_of_sweeps() -> None:
    assert health.sweeps([], is_local=True, now=NOW).verdict is Verdict.UNKNOWN


def test_a_clock_that_is_behind_shows_by_records_of_the_future() -> None:
    check = health.clock([resource(observed_at=NOW + timedelta(minutes=4))], now=NOW)

    assert check.verdict is Verdict.BAD
    assert "4m00s behind" in check.found


STUCK = [
    (resource(reservations=reservations(reservation("j", submit_by=LONG_AGO))), "submissions"),
    (resource(unannounced={"research.j": Unannounced(first=1, last=2, at=LONG_AGO)}), "outcomes"),
    (resource(unsettled={"research.j": LONG_AGO}), "dependants"),
]


@pytest.mark.parametrize(("stuck", "name"), STUCK)
def test_what_sweeps_ought_to_have_settled_is_named(stuck: Resource, name: str) -> None:
    checks = {c.name: c for c in health.of_records([stuck], TIMING, is_local=False, now=NOW)}

    (found,) = [check for check in checks.values() if check.verdict is not Verdict.GOOD]
    assert found.name == name
    assert found.verdict is Verdict.BAD
    assert "research/j" in found.found
    assert found.remedy


def test_a_cancel_that_lasts_is_odd() -> None:
    lasting = reservations(reservation("j", number="1", cancelled_at=LONG_AGO))

    assert health.cancels([resource(reservations=lasting)], now=NOW).verdict is Verdict.ODD


def test_jobs_that_wait_for_a_resource_that_is_gone_are_told() -> None:
    check = health.resources_ready([resource(state="MISSING", waiting=2)])

    assert (check.verdict, check.found) == (Verdict.ODD, "gpu-a is MISSING")
