"""A process dies at each call to the outside in turn; the message comes again, and a sweep looks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from handlers import job_commanded, job_ended, job_requested, swept
from handlers.delivery import Delivery
from poolqueue.scheduling.jobs import Outcome, State
from poolqueue.system import System
from tests.support.faults import Death, Killed, mortal
from tests.support.installation import Installation, request, worker_pool_spec
from tests.support.soundness import check

MOST_CALLS = 80
EFFECTS = {"commit", "create", "cancel", "publish", "publish_all"}
AFTER_TIMEOUT = 3 * 60
QUIET_PERIOD = 6 * 60

Handle = Callable[[System, Delivery], None]
AT_WORK = {State.SUBMITTED, State.RUNNING}


def killed_at_each_call(
    directory: Path,
    project: str,
    *,
    after_effect: bool,
    handle: Handle,
    prepare: Callable[[Installation], Delivery],
    verify: Callable[[Installation], None],
) -> None:
    """A fresh installation for each call, and one in which the process lives, to know them. Death after a
    call that only looks is death before the next one, and not tried twice.
    """

    def fresh(number: int) -> Installation:
        here = directory / str(number)
        here.mkdir()
        return Installation(here, f"{project}-{number}")

    spared = Death(at=MOST_CALLS)
    with fresh(0) as installation:
        handle(mortal(installation.system, spared), prepare(installation))
    for number, name in enumerate(spared.names, start=1):
        if after_effect and name not in EFFECTS:
            continue
        with fresh(number) as installation:
            delivery = prepare(installation)
            death = Death(at=number, after_effect=after_effect)
            with suppress(Killed):
                handle(mortal(installation.system, death), delivery)
            handle(installation.system, delivery)
            installation.clock.advance(seconds=AFTER_TIMEOUT)
            installation.sweep()
            installation.clock.advance(seconds=QUIET_PERIOD)
            installation.sweep()
            try:
                verify(installation)
            except AssertionError as error:
                raise AssertionError(f"killed at call {number}, {name}: {error}") from error


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


@pytest.fixture(params=[False, True], ids=["before its effect", "after its effect"])
def after_effect(request: pytest.FixtureRequest) -> bool:
    return request.param


def test_while_it_handles_the_first_request_of_a_resource(tmp_path, demo_project, after_effect) -> None:
    def verify(installation: Installation) -> None:
        is_at_work(installation, "killed")
        check(installation, "killed")

    killed_at_each_call(
        tmp_path,
        demo_project,
        after_effect=after_effect,
        handle=job_requested.handle,
        prepare=lambda installation: asked(installation, "killed"),
        verify=verify,
    )


def test_while_it_handles_a_request_that_must_wait(tmp_path, demo_project, after_effect) -> None:
    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("before"))
        return asked(installation, "killed", worker_pool_spec(), worker_pool_spec())

    def verify(installation: Installation) -> None:
        check(installation, "before", "killed")
        assert installation.resource().waiting == 1
        installation.finish("before")
        is_at_work(installation, "killed")
        check(installation, "before", "killed")

    killed_at_each_call(
        tmp_path,
        demo_project,
        after_effect=after_effect,
        handle=job_requested.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_handles_a_request_that_is_refused(tmp_path, demo_project, after_effect) -> None:
    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("before"))
        return asked(installation, "killed", worker_pool_spec(machine={"machineType": "none"}))

    def verify(installation: Installation) -> None:
        assert installation.job("killed").outcome is Outcome.REJECTED
        check(installation, "before", "killed")

    killed_at_each_call(
        tmp_path,
        demo_project,
        after_effect=after_effect,
        handle=job_requested.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_handles_an_end_for_which_another_waits(tmp_path, demo_project, after_effect) -> None:
    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("killed", worker_pool_spec(), worker_pool_spec()))
        installation.ask(request("next"))
        return line_of(installation, "killed")

    def verify(installation: Installation) -> None:
        assert installation.job("killed").outcome is Outcome.SUCCEEDED
        is_at_work(installation, "next")
        check(installation, "killed", "next")

    killed_at_each_call(
        tmp_path,
        demo_project,
        after_effect=after_effect,
        handle=job_ended.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_sweeps_what_was_lost(tmp_path, demo_project, after_effect) -> None:
    """One end whose line was lost, one create that never was, one that waits."""

    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("ended"))
        installation.stand_in.behave(errors=[{"method": "CreateCustomJob", "status": 503, "count": 1}])
        installation.ask(request("lost"))
        installation.ask(request("next"))
        installation.clock.advance(seconds=AFTER_TIMEOUT)
        installation.sweep()
        line_of(installation, "ended")
        installation.clock.advance(seconds=QUIET_PERIOD)
        return installation.delivery("sweeps", b"{}")

    def verify(installation: Installation) -> None:
        assert installation.job("ended").outcome is Outcome.SUCCEEDED
        is_at_work(installation, "lost", "next")
        check(installation, "ended", "lost", "next")

    killed_at_each_call(
        tmp_path,
        demo_project,
        after_effect=after_effect,
        handle=swept.handle,
        prepare=prepare,
        verify=verify,
    )


@pytest.mark.parametrize("waits", [False, True], ids=["one at work", "one that waits"])
def test_while_it_cancels(tmp_path, demo_project, after_effect, waits) -> None:
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

    killed_at_each_call(
        tmp_path,
        demo_project,
        after_effect=after_effect,
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


def test_while_it_handles_the_request_of_an_array(tmp_path, demo_project, after_effect) -> None:
    def prepare(installation: Installation) -> Delivery:
        body = request("sweep", array={"size": 3})
        return installation.delivery("job-requests", json.dumps(body).encode())

    def verify(installation: Installation) -> None:
        is_at_work(installation, *MEMBERS[:2])
        is_sound(installation, *MEMBERS[:2])

    killed_at_each_call(
        tmp_path,
        demo_project,
        after_effect=after_effect,
        handle=job_requested.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_handles_the_end_of_a_member(tmp_path, demo_project, after_effect) -> None:
    def prepare(installation: Installation) -> Delivery:
        installation.ask(request("sweep", array={"size": 3}))
        return line_of(installation, "sweep.0")

    def verify(installation: Installation) -> None:
        is_at_work(installation, *MEMBERS[1:])
        is_sound(installation, *MEMBERS)
        for member in MEMBERS[1:]:
            installation.finish(member)
        assert installation.job("sweep").outcome is Outcome.SUCCEEDED

    killed_at_each_call(
        tmp_path,
        demo_project,
        after_effect=after_effect,
        handle=job_ended.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_cancels_an_array(tmp_path, demo_project, after_effect) -> None:
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

    killed_at_each_call(
        tmp_path,
        demo_project,
        after_effect=after_effect,
        handle=job_commanded.handle,
        prepare=prepare,
        verify=verify,
    )
