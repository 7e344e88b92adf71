"""What tests on a whole stack share: valid requests, what is heard of a job, and bounded waiting."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from infra.local.checker import CustomJobLife
from infra.local.emulators import Kind
from infra.local.stack import Announcement, Stack
from infra.local.stack.plan import LOCATION
from poolqueue.records import ResourceName, job_path, read_job, read_resource, resource_path
from poolqueue.scheduling.jobs import Job, job_key
from poolqueue.scheduling.pools import Resource
from tests.end_to_end.stand_in_support import wait_for

# For tests of what the emulators make no difference to: half of the suite's longest chain.
ON_EMBEDDED = pytest.mark.parametrize("stack", [Kind.EMBEDDED], indirect=True, ids=str)

CPU = {"machineType": "n1-standard-4"}
LARGE = {"machineType": "n1-highmem-16"}
GPU = {"machineType": "n1-standard-4", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1}
# The first request of a function's process imports the cloud's libraries, on a machine that is busy.
PATIENCE_SECONDS = 60.0
POOLCTL = Path(sys.executable).with_name("poolctl")
SECONDS_BETWEEN_SWEEPS = 2.0
FUNCTIONS = ("job_requested", "job_commanded", "job_ended", "swept")
UNTIL_FINISHED = ["sleep", "600"]


def worker_pool_spec(*command: str, machine: Mapping[str, Any] = CPU, replicas: int = 1) -> dict[str, Any]:
    return {
        "machineSpec": dict(machine),
        "replicaCount": str(replicas),
        "containerSpec": {"imageUri": "demo/image", "command": list(command) or ["true"]},
    }


def request(
    job_id: str, persistent_resource: str, *specs: dict[str, Any], timeout: str | None = None, **settings: Any
) -> dict[str, Any]:
    """`timeout` is how long an attempt may run, and so all that is known of how long it will."""
    spec = {
        "persistentResourceId": persistent_resource,
        "workerPoolSpecs": list(specs) or [worker_pool_spec()],
        **({} if timeout is None else {"scheduling": {"timeout": timeout}}),
    }
    return {"job_id": job_id, **settings, "custom_job": {"displayName": job_id, "jobSpec": spec}}


def until_finished(
    job_id: str, persistent_resource: str, *, replicas: int = 1, **settings: Any
) -> dict[str, Any]:
    """A job that occupies replicas until `finish`."""
    return request(job_id, persistent_resource, *workers(replicas, *UNTIL_FINISHED), **settings)


def workers(replicas: int, *command: str) -> list[dict[str, Any]]:
    """Worker pool specs that need so many replicas of the same machines: the first has one of them."""
    first = worker_pool_spec(*command)
    return [first] if replicas == 1 else [first, worker_pool_spec(*command, replicas=replicas - 1)]


def poolctl(stack: Stack, *arguments: str) -> tuple[int, str]:
    """Its exit code and all that it said, as a process of its own."""
    return stack.run_script([POOLCTL, *arguments], within_seconds=PATIENCE_SECONDS)


def renew(stack: Stack) -> None:
    """All functions die, and others take their place, which know nothing but what is stored."""
    for function in FUNCTIONS:
        stack.kill(function)
    with ThreadPoolExecutor(len(FUNCTIONS)) as threads:
        list(threads.map(stack.restart, FUNCTIONS))


@contextmanager
def swept_on_schedule(stack: Stack) -> Iterator[None]:
    """Who was killed may have held a bell, or a message that comes again late: sweeps make up for both."""
    over = threading.Event()

    def sweep() -> None:
        while not over.wait(SECONDS_BETWEEN_SWEEPS):
            stack.sweep()

    with ThreadPoolExecutor(1) as thread:
        sweeping = thread.submit(sweep)
        try:
            yield
        finally:
            over.set()
            sweeping.result()


# --- what is heard of a job


def announced(stack: Stack, job_id: str, *, team: str = "research") -> list[dict[str, Any]]:
    """All messages about one job in their order; a copy of one counts once."""
    bodies = [each.body for each in messages(stack, job_id, team=team)]
    by_sequence = {body["sequence"]: body for body in bodies}
    return [by_sequence[number] for number in sorted(by_sequence)]


def messages(stack: Stack, job_id: str, *, team: str = "research") -> list[Announcement]:
    return [each for each in stack.outcomes() if (each.body["team"], each.body["job_id"]) == (team, job_id)]


def wait_for_end(stack: Stack, *job_ids: str, team: str = "research") -> dict[str, Any]:
    """The messages that say how the jobs ended, by job id."""

    def ends() -> dict[str, Any] | None:
        last = {job_id: announced(stack, job_id, team=team)[-1:] for job_id in job_ids}
        found = {job_id: each[0] for job_id, each in last.items() if each and each[0]["state"] == "ended"}
        return found if len(found) == len(job_ids) else None

    found: dict[str, Any] = wait_for(ends, f"the end of {', '.join(job_ids)}", seconds=PATIENCE_SECONDS)
    return found


def wait_for_requeue(
    stack: Stack, job_id: str, *, team: str = "research", reason: str | None = None
) -> dict[str, Any]:
    """The first message that says why a job waits, or that it waits for this reason."""

    def requeued() -> dict[str, Any] | None:
        waits = [each for each in announced(stack, job_id, team=team) if each["state"] == "queued"]
        fitting = [each for each in waits if each.get("reason") and reason in {None, each["reason"]}]
        return fitting[0] if fitting else None

    found: dict[str, Any] = wait_for(requeued, f"{job_id} to be requeued", seconds=PATIENCE_SECONDS)
    return found


# --- what is recorded, and what Vertex AI has


def record(stack: Stack, job_id: str, *, team: str = "research") -> Job:
    fields = stack.documents.read([job_path(job_key(team, job_id))])[0].fields
    assert fields is not None, f"there is no job {job_id}"
    return read_job(fields)


def recorded_resource(stack: Stack, id_: str) -> Resource:
    """What the queue knows of a persistent resource."""
    name = ResourceName(project=stack.project, location=LOCATION, id=id_)
    fields = stack.documents.read([resource_path(name)])[0].fields
    assert fields is not None, f"nothing is known of {id_}"
    return read_resource(fields)


def at_vertex(stack: Stack, name: str) -> dict[str, Any]:
    """A custom job as Vertex AI's REST API shows it."""
    with urlopen(f"{stack.vertex_endpoint}/v1/{name}", timeout=20) as answer:
        return dict(json.load(answer))


def lives(stack: Stack, job_id: str, *, team: str = "research") -> tuple[CustomJobLife, ...]:
    return stack.report().jobs.get((team, job_id), ())


def wait_until_running(stack: Stack, job_id: str, *, team: str = "research") -> CustomJobLife:
    def running() -> CustomJobLife | None:
        return next((life for life in lives(stack, job_id, team=team) if life.state == "RUNNING"), None)

    found: CustomJobLife = wait_for(running, f"{job_id} to run", seconds=PATIENCE_SECONDS)
    return found


def finish(stack: Stack, job_id: str, state: str = "SUCCEEDED", *, team: str = "research") -> None:
    """End a running custom job, well unless it is said otherwise."""
    life = wait_until_running(stack, job_id, team=team)
    stack.command_stand_in("finish", custom_job=life.custom_job, state=f"JOB_STATE_{state}")


def logged(stack: Stack, function: str, event: str) -> list[dict[str, Any]]:
    """The records of one event in a function's log."""
    lines = (stack.logs / f"{function}.log").read_text(encoding="utf-8", errors="replace").splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    return [each for each in records if each["message"] == event]
