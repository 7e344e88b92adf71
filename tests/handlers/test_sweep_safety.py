"""What a sweep must not do: mistake a custom job, believe one listing alone, take old news for new."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handlers import swept
from poolqueue.scheduling.jobs import State
from poolqueue.scheduling.pools import occupied
from tests.support.installation import Installation, pool, request
from tests.support.soundness import check
from tests.support.sweeping import (
    SlowToShowResources,
    clone,
    observed_at,
    real,
    resources_of_one_replica,
    sweep_with,
)

# --- several custom jobs with one token ------------------------------------------------------------------


@pytest.mark.parametrize("seen_before", [False, True], ids=["not seen yet", "seen by a sweep"])
def test_the_end_of_a_clone_is_not_the_end_of_the_job(installation: Installation, seen_before) -> None:
    running = real(installation)
    if seen_before:
        installation.sweep()
    copy = clone(installation, "real")

    installation.end(copy)
    installation.wait(lambda: installation.log_lines, "the clone's log line")
    installation.deliver_log_lines()
    installation.sweep()

    assert installation.job("real").state is State.RUNNING
    assert installation.job("real").custom_job == running
    assert installation.state_of(running) == "RUNNING"
    assert list(installation.resource().reservations) == [installation.job("real").token]


@pytest.mark.parametrize("seen_before", [False, True], ids=["not seen yet", "seen by a sweep"])
def test_a_clone_counts_as_occupancy_and_is_the_one_that_is_cancelled(installing, seen_before) -> None:
    installation = installing(pools=[pool(replicas=3)])
    running = real(installation)
    if seen_before:
        installation.sweep()
    copy = clone(installation, "real")

    installation.sweep()
    assert sum(occupied(installation.resource()).values()) == 2
    installation.sweep()

    installation.wait(lambda: installation.state_of(copy) == "CANCELLED", "the clone to be cancelled")
    assert installation.state_of(running) == "RUNNING"
    assert {each["custom_job"] for each in installation.events("cancel_requested")} == {copy.split("/")[-1]}
    installation.sweep()
    assert sum(occupied(installation.resource()).values()) == 1


def test_the_end_of_the_job_is_found_though_a_clone_runs_on(installation: Installation) -> None:
    real(installation)
    clone(installation, "real")
    installation.finish_quietly("real")
    installation.log_lines = []

    installation.sweep()
    installation.sweep()

    assert installation.job("real").state is State.ENDED
    assert not installation.resource().reservations


# --- a custom job that no listing shows -------------------------------------------------------------------


class LaggingObserver:
    """Listings that do not show yet what was created lately."""

    def __init__(self, observer) -> None:
        self._observer = observer

    def __getattr__(self, name):
        return getattr(self._observer, name)

    def unfinished(self, parent):
        return []

    def by_token(self, parent, token):
        return []


def lose_the_answer(installation: Installation) -> None:
    error = {"method": "CreateCustomJob", "status": 503, "count": 1, "after_effect": True}
    installation.stand_in.behave(errors=[error])
    installation.ask(request("lost"))


def lagging_sweep(installation: Installation) -> None:
    system = replace(installation.system, observer=LaggingObserver(installation.system.observer))
    swept.handle(system, installation.delivery("sweeps", b"{}"))


def test_one_sweep_alone_never_settles_that_there_is_no_custom_job(installation: Installation) -> None:
    lose_the_answer(installation)
    installation.clock.advance(minutes=10)

    lagging_sweep(installation)

    assert installation.job("lost").state is State.RESERVED
    installation.sweep()
    assert installation.job("lost").attempt == 1
    assert installation.job("lost").custom_job == installation.alive()[0].name


def test_two_sweeps_moments_apart_settle_nothing_either(installation: Installation) -> None:
    lose_the_answer(installation)
    installation.clock.advance(minutes=10)

    lagging_sweep(installation)
    installation.clock.advance(seconds=20)
    lagging_sweep(installation)

    assert installation.job("lost").state is State.RESERVED
    assert len(installation.alive()) == 1


def test_an_absence_seen_before_the_quiet_period_is_over_is_settled_by_the_first_sweep_after_it(
    installation: Installation,
) -> None:
    installation.stand_in.behave(errors=[{"method": "CreateCustomJob", "status": 503, "count": 1}])
    installation.ask(request("lost"))
    installation.clock.advance(minutes=3)
    installation.sweep()
    assert installation.job("lost").state is State.RESERVED

    installation.clock.advance(minutes=5)
    installation.sweep()

    assert installation.job("lost").attempt == 2
    check(installation, "lost")


# --- old news ---------------------------------------------------------------------------------------------


def test_capacity_counts_as_observed_when_the_listing_was_asked_for(installing, demo_project) -> None:
    ids = ("shared", "a")
    installation = installing(persistent_resources=resources_of_one_replica(demo_project, *ids))
    for id_ in ids:
        installation.ask(request(f"on-{id_}", job_spec={"persistentResourceId": id_}))
    installation.clock.advance(seconds=60)
    before = installation.clock()

    sweep_with(installation, SlowToShowResources(installation, 50))

    assert all(0 <= (at - before).total_seconds() < 10 for at in observed_at(installation, *ids))


def test_a_listing_that_has_become_old_is_asked_for_again(installing, demo_project) -> None:
    ids = ("shared", "a", "b")
    installation = installing(persistent_resources=resources_of_one_replica(demo_project, *ids))
    for id_ in ids:
        installation.ask(request(f"on-{id_}", job_spec={"persistentResourceId": id_}))
    slow = SlowToShowResources(installation, 61)

    sweep_with(installation, slow)

    assert slow.listings == 3
