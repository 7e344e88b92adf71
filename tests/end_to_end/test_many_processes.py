"""Many function processes and many requests at once, seen from outside: journal, outcomes, what is left."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.local.emulators import Kind
from infra.local.stack import Plan, Stack, pool, resource, start_stack
from infra.local.stack.plan import LOCATION
from poolqueue.ports import Query
from poolqueue.records import ResourceName, read_resource
from poolqueue.scheduling.pools import Resource

# Google's emulators are slow; REQUESTS=500 asks for more of both kinds.
REQUESTS = {Kind.EMBEDDED: 200, Kind.GOOGLE: 100}
EVERY_TENTH = 10
RUN_SECONDS = (0.1, 0.2, 0.5)
RESOURCES = ("shared", "other")
CPU = {"machineType": "n1-standard-4"}
GPU = {"machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1}
POOLS = (pool("cpu", CPU, 6), pool("gpu", GPU, 4))
PROCESSES = {"job_requested": 4, "job_ended": 4}
# Google's emulator pushes two messages at a time per subscription: each team's topic has one of its own.
TEAMS = ("astronomy", "biology", "chemistry", "dynamics")
FINISH_SECONDS = 240.0

BOTH_KINDS = [
    Kind.EMBEDDED,
    pytest.param(Kind.GOOGLE, marks=pytest.mark.requires("google_emulators", "thorough_run")),
]


@dataclass(frozen=True, kw_only=True)
class Published:
    team: str
    job_id: str
    body: dict[str, Any]


def requests_of(chance: random.Random, number: int) -> list[Published]:
    """So many, every tenth twice, in random order."""
    once = [_request(each, chance) for each in range(number)]
    every = [*once, *once[::EVERY_TENTH]]
    chance.shuffle(every)
    return every


def _request(number: int, chance: random.Random) -> Published:
    """One machine of a kind mostly, at times two, at times of both kinds."""
    job_id = f"job-{number}"
    demands = [[(CPU, 1)], [(CPU, 1)], [(GPU, 1)], [(CPU, 1), (CPU, 1)], [(CPU, 1), (GPU, 1)]]
    run_seconds = chance.choice(RUN_SECONDS)
    body = {
        "job_id": job_id,
        "priority": chance.choice([0, 50, 100]),
        "custom_job": {
            "displayName": job_id,
            "jobSpec": {
                "persistentResourceId": chance.choice(RESOURCES),
                "workerPoolSpecs": [
                    _worker_pool_spec(machine, replicas, run_seconds)
                    for machine, replicas in chance.choice(demands)
                ],
            },
        },
    }
    return Published(team=chance.choice(TEAMS), job_id=job_id, body=body)


def _worker_pool_spec(machine: dict[str, Any], replicas: int, run_seconds: float) -> dict[str, Any]:
    container = {
        "imageUri": "demo/image",
        "command": ["true"],
        "env": [{"name": "STAND_IN_SECONDS", "value": str(run_seconds)}],
    }
    return {"machineSpec": machine, "replicaCount": str(replicas), "containerSpec": container}


def plan(kind: Kind) -> Plan:
    """No sweep: every wake-up has to come from a request, an end or a cycle handed on."""
    return Plan(
        kind=kind,
        persistent_resources=[resource(each, *POOLS) for each in RESOURCES],
        settings={
            "teams": [{"name": team, "topics": [f"job-requests.{team}"]} for team in TEAMS],
            "pacing": {"creates_per_minute": 100_000},
            "timing": {"announce_grace": "1s"},
        },
        functions=PROCESSES,
        stand_in={"behaviour": {"run_processes": False}},
        sweep_seconds=None,
    )


@pytest.mark.timeout(360)
@pytest.mark.parametrize("kind", BOTH_KINDS)
def test_each_of_many_jobs_ends_once_whatever_the_order_and_without_a_sweep(
    kind: Kind, tmp_path: Path
) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")  # noqa: T201  pytest shows it when the test fails
    every = requests_of(random.Random(seed), int(os.environ.get("REQUESTS", REQUESTS[kind])))
    jobs = {f"{each.team}/{each.job_id}" for each in every}
    with start_stack(tmp_path, plan(kind)) as stack:
        for each in every:
            stack.publish(f"job-requests.{each.team}", each.body)
        wait_for(lambda: len(ended(stack)) == len(jobs), lambda: f"{len(ended(stack))} of {len(jobs)} ended")

        assert_journal_is_sound(stack, jobs)
        assert_each_told_in_order(stack, jobs)
        assert_many_waited(stack, of=len(jobs))
        assert_nothing_waits(stack)
        stack.sweep()
        wait_for(lambda: not unannounced(stack), lambda: f"unannounced: {unannounced(stack)}", seconds=20)


def assert_journal_is_sound(stack: Stack, jobs: set[str]) -> None:
    report = stack.report()
    report.assert_nothing_found()
    assert {"/".join(key) for key in report.jobs} == jobs
    assert [key for key, lives in report.jobs.items() if len(lives) != 1] == []
    for each, used in itertools.product(RESOURCES, POOLS):
        assert 0 < report.peak_occupancy(each, used["id"]) <= used["replica_count"]


def assert_each_told_in_order(stack: Stack, jobs: set[str]) -> None:
    told = told_of(stack)
    assert set(told) == jobs
    for job, states in told.items():
        assert sorted(states) == list(range(1, len(states) + 1)), job
        assert states[1] == "queued", job
        assert [sequence for sequence, state in states.items() if state == "ended"] == [len(states)], job


def assert_many_waited(stack: Stack, *, of: int) -> None:
    requeued = {
        each.body["job_id"] for each in stack.outcomes() if each.body.get("reason") == "needs_replicas"
    }
    assert len(requeued) > of / 5


def assert_nothing_waits(stack: Stack) -> None:
    for each in resources(stack):
        assert (each.reservations, each.waiting) == ({}, 0), each.name
        key = ResourceName.from_full(each.name).key
        assert stack.documents.find(Query(collection="jobs", where={"inbox": key})) == []


def told_of(stack: Stack) -> dict[str, dict[int, str]]:
    """The states of each job by sequence, as announced; one that is told twice is told the same."""
    told: dict[str, dict[int, str]] = defaultdict(dict)
    for each in stack.outcomes():
        attributes = each.attributes
        states = told[f"{attributes['team']}/{attributes['job_id']}"]
        sequence = int(attributes["sequence"])
        assert states.setdefault(sequence, attributes["state"]) == attributes["state"]
    return told


def ended(stack: Stack) -> set[str]:
    every = [each.attributes for each in stack.outcomes()]
    return {f"{a['team']}/{a['job_id']}" for a in every if a["state"] == "ended"}


def resources(stack: Stack) -> list[Resource]:
    found = stack.documents.find(
        Query(collection="resources", where={"region": f"{stack.project}.{LOCATION}"})
    )
    assert len(found) == len(RESOURCES)
    return [read_resource(document.fields) for document in found if document.fields is not None]


def unannounced(stack: Stack) -> list[str]:
    return [key for each in resources(stack) for key in each.unannounced]


def wait_for(ready: Callable[[], bool], what: Callable[[], str], *, seconds: float = FINISH_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail(f"after {seconds} s: {what()}")
        time.sleep(0.05)
