"""What is left to whoever holds the bell, who may be dead; and bounds on what one commit carries."""

from __future__ import annotations

import random
import string

import pytest

from poolqueue.cycle.bell import BellHolder
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.support.installation import Installation, pool, request, worker_pool_spec
from tests.support.soundness import check

TWO = (worker_pool_spec(), worker_pool_spec())


def somebody_died_holding_the_bell(installation: Installation) -> None:
    assert BellHolder(installation.system, installation.name).take()


def random_text(characters: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=characters))


def test_an_end_among_rivals_is_noted_and_taken_up_by_the_next_cycle(installation: Installation) -> None:
    installation.ask(request("j", *TWO))
    installation.ask(request("next"))
    installation.finish_quietly("j")
    somebody_died_holding_the_bell(installation)
    installation.deliver_log_lines()
    assert installation.job("j").outcome is None

    installation.clock.advance(seconds=61)
    installation.ask(request("later"))

    assert installation.job("j").outcome is Outcome.SUCCEEDED
    assert installation.job("next").state is State.SUBMITTED
    check(installation, "j", "next", "later")


def test_a_noted_end_and_the_sweep_end_a_job_once(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish_quietly("j")
    somebody_died_holding_the_bell(installation)
    installation.deliver_log_lines()

    installation.sweep()

    assert installation.job("j").outcome is Outcome.SUCCEEDED
    assert installation.states("j").count("ended") == 1
    check(installation, "j")


def test_a_job_whose_end_was_noted_keeps_its_outcome_though_it_is_cancelled(
    installation: Installation,
) -> None:
    installation.ask(request("j"))
    installation.finish_quietly("j", "FAILED")
    somebody_died_holding_the_bell(installation)
    installation.deliver_log_lines()

    installation.command(kind="cancel", job_id="j")
    installation.clock.advance(seconds=61)
    installation.sweep()

    assert installation.job("j").outcome is Outcome.FAILED
    check(installation, "j")


def test_a_request_left_to_a_dead_holder_starts_with_the_next_sweep(installation: Installation) -> None:
    installation.ask(request("first"))
    somebody_died_holding_the_bell(installation)
    installation.ask(request("j"))

    installation.clock.advance(seconds=61)
    installation.sweep()

    assert installation.job("j").state is State.SUBMITTED
    check(installation, "first", "j")


def test_many_of_the_largest_requests_at_once_never_make_a_commit_too_large(installing) -> None:
    """Each with 240 KB that hardly compress, half of them as machines that no pool has."""
    installation = installing(pools=[pool(replicas=30)])
    installation.ask(request("first"))
    somebody_died_holding_the_bell(installation)
    for number in range(24):
        env = [{"name": "V", "value": random_text(240_000, number)}]
        container = {"imageUri": "demo/image", "env": env}
        installation.ask(request(f"j{number}", worker_pool_spec(containerSpec=container)))

    installation.clock.advance(seconds=61)
    installation.sweep()

    job_ids = [f"j{number}" for number in range(24)]
    assert all(installation.job(each).state in {State.SUBMITTED, State.RUNNING} for each in job_ids)
    check(installation, "first", *job_ids)


def test_demands_that_hardly_compress_make_nobody_else_wait(installation: Installation) -> None:
    installation.stand_in.set_state(resource="shared", state="REBOOTING")
    installation.ask(request("first"))
    somebody_died_holding_the_bell(installation)
    for number in range(12):
        machine = {"machineType": random_text(230_000, number)}
        installation.ask(request(f"j{number}", worker_pool_spec(machine=machine)))
    installation.clock.advance(seconds=61)
    installation.sweep()
    installation.stand_in.set_state(resource="shared", state="RUNNING")

    installation.sweep()

    assert installation.job("first").state is State.SUBMITTED
    assert installation.resource().waiting == 12


@pytest.mark.parametrize("specs", [2, 100])
def test_a_refusal_with_very_long_problems_is_recorded_and_announced(
    installation: Installation, specs: int
) -> None:
    characters = 200_000 // specs
    machines = [{"machineType": random_text(characters, number)} for number in range(specs)]

    installation.ask(request("j", *(worker_pool_spec(machine=each) for each in machines)))

    job = installation.job("j")
    assert (job.outcome, job.reason) == (Outcome.REJECTED, Reason.NO_MATCHING_POOL)
    assert installation.outcomes("j")[-1]["problems"]
