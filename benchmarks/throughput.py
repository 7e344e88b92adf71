"""Requests recorded per second and the latency from a release to the next submit, on a whole local stack."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Say, percentile
from infra.local.emulators import Kind
from infra.local.stack import Plan, Stack, pool, resource, start_stack

PROCESSES = 4
PUBLISHERS = 8
POLL_SECONDS = 0.02
LONGEST_SECONDS = 120.0
UNMEASURED_RELEASES = 3  # the process of job_ended imports its libraries at the first
MACHINE = {"machineType": "n1-standard-4"}
RECORDED = b'"message": "job_recorded"'


def embedded(quick: bool, say: Say) -> list[Figure]:  # noqa: FBT001  as `Benchmark.measure` says
    return _measure(Kind.EMBEDDED, quick=quick, say=say)


def google(quick: bool, say: Say) -> list[Figure]:  # noqa: FBT001  as `Benchmark.measure` says
    return _measure(Kind.GOOGLE, quick=quick, say=say)


def _measure(kind: Kind, *, quick: bool, say: Say) -> list[Figure]:
    requests, releases = (60, 10) if quick else (400, 50)
    say("start the stack")
    plan = Plan(
        kind=kind,
        persistent_resources=[resource("shared", pool("cpu", MACHINE, 1))],
        settings={"pacing": {"creates_per_minute": 100_000}},
        functions={"job_requested": PROCESSES},
        sweep_seconds=None,
        starts_cold=True,
    )
    with (
        tempfile.TemporaryDirectory(prefix="pool-queue-bench-") as name,
        start_stack(Path(name), plan) as stack,
    ):
        say("the first request, which loads the libraries")
        first = _first_submit(stack)
        _publish(stack, "warm", PROCESSES * PUBLISHERS)
        say(f"record {requests} requests behind a job that fills the pool")
        rate = requests / _publish(stack, "job", requests)
        say(f"{releases} releases, each with a submit after it")
        latencies = _release(stack, releases)
    return [
        Figure(name=f"requests recorded, {PROCESSES} processes", value=rate, unit="/s"),
        Figure(name="release to next submit, p50", value=percentile(latencies, 50), unit="ms", decimals=0),
        Figure(name="release to next submit, p90", value=percentile(latencies, 90), unit="ms", decimals=0),
        Figure(name="first request of a process to its submit", value=first, unit="s"),
    ]


def _request(job_id: str, *command: str) -> dict[str, Any]:
    container = {"imageUri": "demo/image", "command": list(command)}
    spec = {"machineSpec": MACHINE, "replicaCount": "1", "containerSpec": container}
    job_spec = {"persistentResourceId": "shared", "workerPoolSpecs": [spec]}
    return {"job_id": job_id, "custom_job": {"displayName": job_id, "jobSpec": job_spec}}


def _first_submit(stack: Stack) -> float:
    """Seconds from publishing the job that then fills the pool until Vertex AI has it."""
    began = time.monotonic()
    stack.publish("job-requests", _request("occupant", "sleep", "600"))
    _until(lambda: _events(stack, "replicas_taken"), "the first submit")
    return time.monotonic() - began


def _publish(stack: Stack, name: str, count: int) -> float:
    """Seconds from the first publish call until the last of `count` requests is recorded."""
    before = _recorded(stack)
    began = time.monotonic()
    with ThreadPoolExecutor(PUBLISHERS) as publishers:
        bodies = [_request(f"{name}-{number}", "true") for number in range(count)]
        list(publishers.map(lambda body: stack.publish("job-requests", body), bodies))
        _until(lambda: _recorded(stack) >= before + count, f"{count} records")
    return time.monotonic() - began


def _recorded(stack: Stack) -> int:
    return (stack.logs / "job_requested.log").read_bytes().count(RECORDED)


def _release(stack: Stack, releases: int) -> list[float]:
    """Milliseconds from each release of the only replica to the next job there, by the stand-in's journal."""
    (occupant,) = _events(stack, "replicas_taken")
    stack.command_stand_in("finish", custom_job=occupant["custom_job"], state="JOB_STATE_SUCCEEDED")
    enough = releases + UNMEASURED_RELEASES + 1
    _until(lambda: len(_events(stack, "custom_job_created")) > enough, f"{releases} releases")
    return list(_gaps(stack.journal()))[UNMEASURED_RELEASES:][:releases]


def _gaps(journal: Sequence[Mapping[str, Any]]) -> Iterator[float]:
    wanted = ("replicas_released", "custom_job_created")
    moves = [line for line in journal if line["event"] in wanted]
    for before, after in pairwise(moves):
        if (before["event"], after["event"]) == wanted:
            gap = datetime.fromisoformat(after["at"]) - datetime.fromisoformat(before["at"])
            yield gap.total_seconds() * 1000


def _events(stack: Stack, event: str) -> list[dict[str, Any]]:
    return [line for line in stack.journal() if line["event"] == event]


def _until(ask: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not ask():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {LONGEST_SECONDS:.0f} s for {what}")
        time.sleep(POLL_SECONDS)
