"""The processor time of a cycle's own work over a long queue: decide, read and write the queue document."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from benchmarks.figures import Figure, Say
from poolqueue.records import Queue, read_queue, write_queue
from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.expectations import TimeoutsOnly
from poolqueue.scheduling.jobs import Demand
from poolqueue.scheduling.policies import Ordering, Policy
from poolqueue.scheduling.pools import Pool, PoolKey, Resource
from poolqueue.scheduling.specs import canonical_disk, canonical_machine
from poolqueue.scheduling.waiting import Waiting

LINES = 10_000
KINDS = 20  # of machines, each with its pool
REPLICAS = 50
DISK = canonical_disk({"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100}) or ""
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def time_cycle(quick: bool, say: Say) -> list[Figure]:  # noqa: FBT001  as `Benchmark.measure` says
    repeats = 3 if quick else 9
    resource, lines = _resource(), _lines()
    queue, _ = Queue().changed(add=lines)
    stored = write_queue(queue, 0)
    read = read_queue([stored]).waiting()
    say(f"decide and store {LINES:,} lines, {repeats} times")
    return [
        *(
            Figure(
                name=f"decide on {LINES:,} waiting jobs, {ordering.value}",
                value=milliseconds(partial(_decide, resource, read, ordering), repeats),
                unit="ms",
                decimals=0,
                budget=50,
            )
            for ordering in Ordering
        ),
        Figure(
            name=f"read a queue document of {LINES:,} lines",
            value=milliseconds(lambda: read_queue([stored]), repeats),
            unit="ms",
            decimals=0,
        ),
        Figure(
            name=f"write a queue document of {LINES:,} lines",
            value=milliseconds(lambda: write_queue(queue, 0), repeats),
            unit="ms",
            decimals=0,
        ),
        Figure(name="size of that document", value=len(stored["lines"]) / 1000, unit="kB", decimals=0),
    ]


def _decide(resource: Resource, lines: list[Waiting], ordering: Ordering) -> None:
    policy = Policy(ordering=ordering)
    board = Board(resource, lines, policy=policy, expectations=TimeoutsOnly(), now=NOW)
    decide(board, now=NOW, slots=LINES)


def milliseconds(act: Callable[[], object], repeats: int) -> float:
    """Median of the processor time, which other programs disturb less than the clock's."""

    def once() -> float:
        began = time.process_time()
        act()
        return time.process_time() - began

    return statistics.median(once() for _ in range(repeats)) * 1000


def _machine(kind: int) -> str:
    return canonical_machine({"machineType": f"n1-standard-{kind}"})


def _resource() -> Resource:
    """Every pool has room for some of the jobs that want it."""
    pools = tuple(
        Pool(
            key=PoolKey(machine=_machine(kind), disk=DISK),
            ids=(f"pool-{kind}",),
            capacity=REPLICAS,
        )
        for kind in range(KINDS)
    )
    return Resource(name="demo.us-central1.shared", state="RUNNING", pools=pools, observed_at=NOW)


def _lines() -> list[Waiting]:
    return [
        Waiting(
            team=f"team-{n % 7}",
            job_id=f"training-run-{n:05}",
            priority=n % 101,
            arrived=NOW - timedelta(seconds=n % 3000),
            demands=(Demand(index=0, machine=_machine(n % KINDS), disk=DISK, replicas=1 + n % 4),),
        )
        for n in range(LINES)
    ]
