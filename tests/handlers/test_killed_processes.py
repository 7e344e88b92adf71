"""A process dies at each call to the outside in turn; the message comes again, and a sweep looks."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from handlers import job_commanded, job_ended, job_requested, swept
from handlers.delivery import Delivery
from poolqueue.scheduling.jobs import Outcome, State
from tests.support.deaths import AFTER_TIMEOUT_SECONDS, QUIET_PERIOD_SECONDS, Deaths
from tests.support.installation import Installation, request, worker_pool_spec
from tests.support.soundness import check

AT_WORK = {State.SUBMITTED, State.RUNNING}


def asked(installation: Installation, job_id: str, *specs) -> Delivery:
    return installation.delivery("job-requests", json.dumps(request(job_id, *specs)).encode())


def line_of(installation: Installation, job_id: str) -> Delivery:
    """The delivery of the log line of a job that ends now."""
    installation.finish_quietly(job_id)
    (line,) = installation.log_lines
    installation.log_lines = []
    return installation.delivery("job-ended", line)


def is_at_work(installation: Installation, *job_ids: str) -> None:
    for job_id in job_ids:
        assert installation.job(job_id).state in AT_WORK, installation.states(job_id)


def test_while_it_handles_the_first_request_of_a_resource(deaths: Deaths) -> None:
    def verify(installation: Installation) -> None:
        is_at_work(installation, "killed")
        check(installation, "killed")

    deaths.at_each_effect(
        handle=job_requested.handle,
        prepare=lambda installation: asked(installation, "killed"),
        verify=verify,
    )


def test_while_it_handles_a_request_that_must_wait(deaths: Deaths) -> None:
    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("before"))
        return asked(installation, "killed", worker_pool_spec(), worker_pool_spec())

    def verify(installation: Installation) -> None:
        check(installation, "before", "killed")
        assert installation.resource().waiting == 1
        installation.finish("before")
        is_at_work(installation, "killed")
        check(installation, "before", "killed")

    deaths.at_each_effect(
        handle=job_requested.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_handles_a_request_that_is_refused(deaths: Deaths) -> None:
    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("before"))
        return asked(installation, "killed", worker_pool_spec(machine={"machineType": "none"}))

    def verify(installation: Installation) -> None:
        assert installation.job("killed").outcome is Outcome.REJECTED
        check(installation, "before", "killed")

    deaths.at_each_effect(
        handle=job_requested.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_handles_an_end_for_which_another_waits(deaths: Deaths) -> None:
    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("killed", worker_pool_spec(), worker_pool_spec()))
        installation.ask(request("next"))
        return line_of(installation, "killed")

    def verify(installation: Installation) -> None:
        assert installation.job("killed").outcome is Outcome.SUCCEEDED
        is_at_work(installation, "next")
        check(installation, "killed", "next")

    deaths.at_each_effect(
        handle=job_ended.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_sweeps_what_was_lost(deaths: Deaths) -> None:
    """One end whose line was lost, one create that never was, one that waits."""

    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("ended"))
        installation.stand_in.behave(errors=[{"method": "CreateCustomJob", "status": 503, "count": 1}])
        installation.ask(request("lost"))
        installation.ask(request("next"))
        installation.clock.advance(seconds=AFTER_TIMEOUT_SECONDS)
        installation.sweep()
        line_of(installation, "ended")
        installation.clock.advance(seconds=QUIET_PERIOD_SECONDS)
        return installation.delivery("sweeps", b"{}")

    def verify(installation: Installation) -> None:
        assert installation.job("ended").outcome is Outcome.SUCCEEDED
        is_at_work(installation, "lost", "next")
        check(installation, "ended", "lost", "next")

    deaths.at_each_effect(
        handle=swept.handle,
        prepare=prepare,
        verify=verify,
    )


@pytest.mark.parametrize("waits", [False, True], ids=["one at work", "one that waits"])
def test_while_it_cancels(deaths: Deaths, waits) -> None:
    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("first", worker_pool_spec(), worker_pool_spec()))
        if waits:
            installation.ask(request("killed"))
        command = {
            "id": "c",
            "kind": "cancel",
            "job_id": "killed" if waits else "first",
            "author": "ada",
            "reason": "r",
        }
        return installation.delivery("job-commands", json.dumps(command).encode())

    def verify(installation: Installation) -> None:
        cancelled = "killed" if waits else "first"
        if not waits:
            installation.wait(lambda: not installation.alive(), "the custom job to be cancelled")
            installation.sweep()
        assert installation.job(cancelled).outcome is Outcome.CANCELLED
        fields = installation.documents.read(["commands/c"])[0].fields
        assert fields is not None
        assert fields["result"] == "done"
        check(installation, "first", *(["killed"] if waits else []))

    deaths.at_each_effect(
        handle=job_commanded.handle,
        prepare=prepare,
        verify=verify,
    )


# --- arrays ----------------------------------------------------------------------------------------------

MEMBERS = ("sweep.0", "sweep.1", "sweep.2")


def is_sound(installation: Installation, *members: str) -> None:
    """The array knows of each of its members what their own jobs say."""
    array = installation.job("sweep").array
    assert array is not None
    jobs = {member: installation.job(member) for member in members}
    assert array.apart.bit_count() == len(members)
    outcomes = Counter(job.outcome.value for job in jobs.values() if job.outcome is not None)
    assert {outcome: (array.ended[outcome] & array.apart).bit_count() for outcome in array.ended} == outcomes
    check(installation, "sweep", *members)


def test_while_it_handles_the_request_of_an_array(deaths: Deaths) -> None:
    def prepare(installation: Installation) -> Delivery:
        body = request("sweep", array={"size": 3})
        return installation.delivery("job-requests", json.dumps(body).encode())

    def verify(installation: Installation) -> None:
        is_at_work(installation, *MEMBERS[:2])
        is_sound(installation, *MEMBERS[:2])

    deaths.at_each_effect(
        handle=job_requested.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_handles_the_end_of_a_member(deaths: Deaths) -> None:
    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("sweep", array={"size": 3}))
        return line_of(installation, "sweep.0")

    def verify(installation: Installation) -> None:
        is_at_work(installation, *MEMBERS[1:])
        is_sound(installation, *MEMBERS)
        for member in MEMBERS[1:]:
            installation.finish(member)
        assert installation.job("sweep").outcome is Outcome.SUCCEEDED

    deaths.at_each_effect(
        handle=job_ended.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_cancels_an_array(deaths: Deaths) -> None:
    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("sweep", array={"size": 30}))
        command = {"id": "c", "kind": "cancel", "job_id": "sweep", "author": "ada", "reason": "r"}
        return installation.delivery("job-commands", json.dumps(command).encode())

    def verify(installation: Installation) -> None:
        installation.wait(lambda: not installation.alive(), "the custom jobs to be cancelled")
        installation.sweep()
        array = installation.job("sweep")
        assert (array.state, array.outcome) == (State.ENDED, Outcome.CANCELLED)
        assert array.array is not None
        assert array.array.counts() == {"cancelled": 30}
        is_sound(installation, *MEMBERS[:2])

    deaths.at_each_effect(
        handle=job_commanded.handle,
        prepare=prepare,
        verify=verify,
    )
