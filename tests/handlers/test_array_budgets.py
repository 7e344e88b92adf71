"""What arrays cost, counted: their intake as one job, their members no more than jobs of a burst."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from handlers import job_ended
from poolqueue.scheduling.jobs import Outcome, State
from tests.support.installation import Installation, pool, request, worker_pool_spec
from tests.support.meter import Cost, Meter

MEMBERS = int(os.environ.get("MEMBERS", "400"))  # docs/decisions/arrays.md counts 1,000
AT_ONCE = 100
INVOCATIONS = 8


def installation_of(directory: Path, project: str, *, replicas: int) -> Installation:
    return Installation(directory, project, pools=[pool(replicas=replicas)])


def cost_of(installation: Installation, body: dict[str, Any]) -> Cost:
    meter = Meter(installation)
    with meter.running():
        installation.ask(body)
    return meter.cost


def until_all_have_ended(installation: Installation, jobs: int) -> Cost:
    """Whatever runs ends together, by many invocations at once, until all have ended; the cost of all."""
    meter, ended = Meter(installation), 0
    while ended < jobs:
        running = [each.job_id for each in installation.resource().reservations.values()]
        assert running, "nothing runs, and not all have ended"
        for job_id in running:
            installation.finish_quietly(job_id)
        lines, installation.log_lines = installation.log_lines, []
        deliveries = [installation.delivery("job-ended", line) for line in lines]
        with meter.running():
            all_at_once(installation, deliveries)
        ended += len(lines)
    return meter.cost


def all_at_once(installation: Installation, deliveries: Iterable[object]) -> None:
    with ThreadPoolExecutor(INVOCATIONS) as invocations:
        list(invocations.map(lambda each: job_ended.handle(installation.system, each), deliveries))


@pytest.mark.parametrize("members", [10, MEMBERS, 10_000])
def test_the_intake_of_an_array_costs_the_same_however_many_members_wait(
    tmp_path: Path, demo_project: str, members: int
) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("first"))
        installation.ask(request("second"))
        job = cost_of(installation, request("third"))
        array = cost_of(installation, request("sweep", array={"size": members}))

        assert installation.resource().waiting == 2 + members
    assert array.writes == job.writes + 1  # its template
    assert array.reads <= job.reads + 2


def test_members_that_wait_are_not_looked_at_one_by_one(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=2) as installation:
        installation.ask(request("sweep", worker_pool_spec(), worker_pool_spec(), array={"size": MEMBERS}))
        cost = cost_of(installation, request("beside", priority=90))

        assert installation.job("beside").state is State.QUEUED
    assert cost.writes <= 5
    assert cost.reads <= 6


@pytest.mark.timeout(600)
def test_a_member_of_a_large_array_costs_no_more_than_a_job_of_a_burst(
    tmp_path: Path, demo_project: str
) -> None:
    with installation_of(tmp_path, demo_project, replicas=AT_ONCE) as installation:
        meter = Meter(installation)
        with meter.running():
            installation.ask(request("sweep", array={"size": MEMBERS}))
        ends = until_all_have_ended(installation, MEMBERS)
        array = installation.job("sweep")

    assert array.outcome is Outcome.SUCCEEDED
    cost = Cost(
        reads=(meter.cost.reads + ends.reads) / MEMBERS,
        writes=(meter.cost.writes + ends.writes) / MEMBERS,
        vertex_calls=(meter.cost.vertex_calls + ends.vertex_calls) / MEMBERS,
        messages=(meter.cost.messages + ends.messages) / MEMBERS,
    )
    assert cost.writes <= 6
    assert cost.reads <= 8
    assert cost.vertex_calls <= 3
    assert cost.messages == 0
