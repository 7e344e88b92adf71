"""The design's budgets per job, counted by the code that the tests assert them with."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure, Say
from infra.local.firestore_wire import EmbeddedFirestore
from poolqueue.adapters.firestore import FirestoreDocuments, create_client
from tests.handlers.test_budgets import one_pool, run_alone, run_burst, seed_waiting
from tests.support.installation import Installation, pool
from tests.support.meter import Cost

WRITES_ALONE, READS_ALONE, CALLS = 9, 10, 3
WRITES_OF_BURST, READS_OF_BURST, FOR_WAITING = 6, 8, 1
BURST = 1000
SHORT, LONG = 100, 10_000


def count(quick: bool, say: Say) -> list[Figure]:  # noqa: FBT001  as `Benchmark.measure` says
    jobs = 100 if quick else BURST
    say("one job alone")
    alone = _alone()
    say(f"{jobs:,} jobs that fit")
    fits = _burst(jobs, replicas=jobs)
    say(f"{jobs:,} jobs, a third at a time")
    waits = _burst(jobs, replicas=jobs // 3)
    say(f"a job beside {SHORT} and beside {LONG:,} waiting ones")
    short, long = _beside(SHORT), _beside(LONG)
    return [
        *_figures("alone on an idle system", alone, writes=WRITES_ALONE, reads=READS_ALONE),
        *_of_burst(jobs, fits, "all fit", extra=0),
        *_of_burst(jobs, waits, "2/3 wait", extra=FOR_WAITING),
        *_growth(short, long),
    ]


def _of_burst(jobs: int, cost: Cost, what: str, *, extra: int) -> list[Figure]:
    """The budgets are those of a long burst: what a burst costs as a whole is divided by its jobs."""
    is_long = jobs >= BURST
    return _figures(
        f"in a burst of {jobs:,}, {what}",
        cost,
        writes=WRITES_OF_BURST + extra if is_long else None,
        reads=READS_OF_BURST + extra if is_long else None,
    )


def _figures(what: str, cost: Cost, *, writes: float | None, reads: float | None) -> list[Figure]:
    return [
        Figure(name=f"Firestore writes, {what}", value=cost.writes, budget=writes),
        Figure(name=f"Firestore reads, {what}", value=cost.reads, budget=reads),
        Figure(name=f"Vertex AI calls, {what}", value=cost.vertex_calls, budget=CALLS),
        Figure(name=f"messages of our own, {what}", value=cost.messages, budget=0),
    ]


def _growth(short: Cost, long: Cost) -> list[Figure]:
    """In percent, from `SHORT` waiting jobs to `LONG`."""
    pairs = {"writes": (short.writes, long.writes), "reads": (short.reads, long.reads)}
    return [
        Figure(
            name=f"growth of {kind}, {SHORT} to {LONG:,} waiting",
            value=(after / before - 1) * 100,
            unit="%",
            budget=20,
            decimals=0,
        )
        for kind, (before, after) in pairs.items()
    ]


def _alone() -> Cost:
    with _directory() as directory, one_pool(directory, _project(), 1) as installation:
        return _settled(installation)


def _beside(waiting: int) -> Cost:
    with _directory() as directory, one_pool(directory, _project(), 1) as installation:
        _settled(installation)
        seed_waiting(installation, waiting)
        return run_alone(installation, "beside")


def _settled(installation: Installation) -> Cost:
    """The cost of a job when the resource is known and its capacity confirmed."""
    run_alone(installation, "before")
    installation.sweep()
    return run_alone(installation, "alone")


def _burst(jobs: int, *, replicas: int) -> Cost:
    pools = [pool(replicas=replicas)]
    project = _project()
    with (
        _directory() as directory,
        _firestore(project) as documents,
        Installation(directory, project, pools=pools, documents=documents) as installation,
    ):
        return run_burst(installation, jobs)


@contextmanager
def _firestore(project: str) -> Iterator[FirestoreDocuments]:
    """Embedded: counts do not depend on the kind."""
    server = EmbeddedFirestore()
    server.start()
    client = create_client(project, emulator=server.address)
    try:
        yield FirestoreDocuments(client)
    finally:
        client.close()
        server.stop()


@contextmanager
def _directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pool-queue-bench-") as name:
        yield Path(name)


def _project() -> str:
    return f"demo-{uuid.uuid4().hex[:12]}"
