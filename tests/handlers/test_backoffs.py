"""A pool that is left alone after refusals, and what ends that."""

from __future__ import annotations

from datetime import timedelta

from poolqueue.scheduling.jobs import State
from tests.support.installation import Installation, request
from tests.support.sweeping import real


def refused_again_and_again(installation: Installation, job_id: str) -> None:
    """Until the pool is left alone for minutes."""
    message = "not enough free replicas"
    error = {"method": "CreateCustomJob", "status": 429, "message": message, "count": None}
    installation.stand_in.behave(errors=[error])
    installation.ask(request(job_id))
    for _ in range(4):
        installation.clock.advance(minutes=3)
        installation.sweep()
    installation.stand_in.behave(errors=[])


def left_alone_for(installation: Installation) -> timedelta:
    (backoff,) = installation.resource().backoffs.values()
    return backoff.until - installation.clock()


def test_a_release_starts_what_waits_for_a_pool_that_is_left_alone(installation: Installation) -> None:
    real(installation)
    refused_again_and_again(installation, "waits")
    assert left_alone_for(installation) > timedelta(minutes=2)

    installation.finish("real")

    assert installation.job("waits").state in {State.SUBMITTED, State.RUNNING}


def test_after_a_start_that_was_taken_refusals_begin_anew(installation: Installation) -> None:
    refused_again_and_again(installation, "first")
    installation.clock.advance(minutes=8)
    installation.sweep()
    installation.wait_running("first")
    installation.sweep()

    error = {"method": "CreateCustomJob", "status": 429, "message": "not enough free replicas", "count": 1}
    installation.stand_in.behave(errors=[error], over_capacity="reject")
    installation.ask(request("second"))

    assert installation.job("second").state in {State.SUBMITTED, State.RUNNING}  # some 15 s later
