"""Many deliveries at once, rivals for every commit: nothing lost, nothing twice, nobody left waiting."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from handlers import job_ended, job_requested
from handlers.delivery import Delivery
from poolqueue.cycle.bell import BellHolder
from poolqueue.scheduling.jobs import Outcome, State
from poolqueue.system import System
from tests.support.faults import Rivalry
from tests.support.installation import Installation, pool, request
from tests.support.soundness import check

THREADS = 8


def at_once(
    installation: Installation, handle: Callable[[System, Delivery], None], deliveries: Sequence[Delivery]
) -> None:
    with ThreadPoolExecutor(THREADS) as executor:
        for call in [executor.submit(handle, installation.system, each) for each in deliveries]:
            call.result()


def deliveries(installation: Installation, job_ids: Sequence[str]) -> list[Delivery]:
    """Every tenth twice, in random order."""
    made = [installation.delivery("job-requests", json.dumps(request(each)).encode()) for each in job_ids]
    shuffled = [*made, *made[::10]]
    random.Random(0).shuffle(shuffled)
    return shuffled


def end_all_that_runs(installation: Installation) -> list[Delivery]:
    """The log lines of all that has a reservation, in random order."""
    for reservation in installation.resource().reservations.values():
        installation.finish_quietly(reservation.job_id)
    lines, installation.log_lines = installation.log_lines, []
    random.Random(0).shuffle(lines)
    return [installation.delivery("job-ended", line) for line in lines]


def at_work(installation: Installation, job_ids: Sequence[str]) -> int:
    return sum(installation.job(each).state in {State.SUBMITTED, State.RUNNING} for each in job_ids)


def test_eight_at_once_run_whatever_fits_without_a_sweep(installing) -> None:
    installation = installing(pools=[pool(replicas=30)])
    job_ids = [f"j{number}" for number in range(100)]

    at_once(installation, job_requested.handle, deliveries(installation, job_ids))

    check(installation, *job_ids)
    assert at_work(installation, job_ids) == 30
    assert installation.resource().waiting == 70


def test_many_ends_at_once_start_as_many_without_a_sweep(installing) -> None:
    installation = installing(pools=[pool(replicas=25)])
    job_ids = [f"j{number}" for number in range(100)]
    at_once(installation, job_requested.handle, deliveries(installation, job_ids))

    while lines := end_all_that_runs(installation):
        ended = sum(installation.job(each).state is State.ENDED for each in job_ids)
        at_once(installation, job_ended.handle, lines)
        check(installation, *job_ids)
        assert at_work(installation, job_ids) == min(25, 100 - ended - len(lines))

    assert {installation.job(each).outcome for each in job_ids} == {Outcome.SUCCEEDED}
    assert len(installation.events("custom_job_created")) == 100


def test_200_arrivals_that_nobody_took_up_are_taken_up_by_one_sweep(installing) -> None:
    """Recorded while the bell was held by somebody who died."""
    installation = installing(pools=[pool(replicas=120)])
    installation.ask(request("first"))
    hold_bell(installation)
    job_ids = [f"j{number}" for number in range(200)]
    for each in job_ids:
        installation.ask(request(each))
    assert at_work(installation, job_ids) == 0

    installation.clock.advance(seconds=61)
    installation.sweep()

    assert at_work(installation, job_ids) == 119
    check(installation, "first", *job_ids)


def hold_bell(installation: Installation) -> None:
    assert BellHolder(installation.system, installation.name).take()


@pytest.mark.parametrize("seed", range(6))
def test_rivals_for_every_other_commit_change_no_result(installing, seed) -> None:
    installation = installing(
        pools=[pool(replicas=3)],
        wrap=lambda documents: Rivalry(documents, seed=seed, probability=0.4),
    )
    job_ids = [f"j{number}" for number in range(12)]

    for each in job_ids:
        installation.ask(request(each))
    check(installation, *job_ids)
    assert at_work(installation, job_ids) == 3
    while lines := end_all_that_runs(installation):
        for line in lines:
            job_ended.handle(installation.system, line)
        check(installation, *job_ids)

    assert {installation.job(each).outcome for each in job_ids} == {Outcome.SUCCEEDED}
