"""The processor time that learned run times take: to read and store them, and to tell a decision."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from benchmarks.cycle_cpu import milliseconds
from benchmarks.figures import Figure, Say
from poolqueue.records import Queue, read_queue, read_run_times, write_queue, write_run_times
from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.catching_up import caught_up, expectations_of
from poolqueue.scheduling.jobs import Demand
from poolqueue.scheduling.policies import Ordering, Policy
from poolqueue.scheduling.pools import RESERVATIONS_LIMIT, Pool, PoolKey, Reservation, Resource
from poolqueue.scheduling.run_times import KEYS_LIMIT, Outcome, RunTimes
from poolqueue.scheduling.similarity import traits_of
from poolqueue.scheduling.traits import Traits
from poolqueue.scheduling.waiting import Waiting

LINES = 10_000
KINDS = 300  # of jobs
RUNS = 20_000
POOL = PoolKey(machine="machine", disk="disk")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def time_learning(quick: bool, say: Say) -> list[Figure]:  # noqa: FBT001  as `Benchmark.measure` says
    repeats = 3 if quick else 9
    chance = random.Random(1)
    say(f"learn from {RUNS:,} runs")
    kinds = [_traits(n) for n in range(KINDS)]
    resource = _resource(kinds, chance)
    learned = caught_up(_learned(kinds, chance), resource, now=NOW)
    fields = write_run_times(learned)
    stored = read_run_times(fields)
    later = NOW + timedelta(minutes=1)
    queue, _ = Queue().changed(add=_lines(kinds))
    lines = read_queue([write_queue(queue, 0)]).waiting()
    say(f"read, store and decide, {repeats} times")
    acts: dict[str, Callable[[], object]] = {
        f"read run times of {len(stored.evidence):,} keys": lambda: read_run_times(fields),
        "write them": lambda: write_run_times(learned),
        f"bring them up to {RESERVATIONS_LIMIT:,} running jobs": partial(
            caught_up, stored, resource, now=later
        ),
        f"that, and decide on {LINES:,} waiting jobs by them": partial(
            _decide, stored, resource, lines, later
        ),
    }
    size = (len(fields["keys"]) + len(fields["weights"])) / 1000
    return [
        *(
            Figure(name=name, value=milliseconds(act, repeats), unit="ms", decimals=0)
            for name, act in acts.items()
        ),
        Figure(name="size of their document", value=size, unit="kB", decimals=0),
    ]


def _decide(stored: RunTimes, resource: Resource, lines: list[Waiting], now: datetime) -> None:
    known = expectations_of(stored, resource, now=now)
    board = Board(resource, lines, policy=Policy(ordering=Ordering.EXPECTED), expectations=known, now=now)
    decide(board, now=now, slots=LINES)


def _traits(kind: int) -> Traits:
    return traits_of(
        team=f"team-{kind % 7}",
        name="ab"[kind % 2] * (kind // 2 + 1),
        images=[f"image-{kind % 20}"],
        machines=[("machine", kind % 4 + 1)],
        arguments=[f"--kind={kind}"],
        timeout=86_400,
    )


def _learned(kinds: list[Traits], chance: random.Random) -> RunTimes:
    """As many keys as are kept: some of jobs that come again, others that came once."""
    run_times = RunTimes()
    once = [Traits(keys=(f"once-{n}", "team", "machine")) for n in range(KEYS_LIMIT)]
    for traits in [*once, *chance.choices(kinds, k=RUNS)]:
        run_times.learn(Outcome(traits=traits, seconds=chance.lognormvariate(7, 2.5)))
    return run_times


def _resource(kinds: list[Traits], chance: random.Random) -> Resource:
    running = [
        Reservation(
            token=f"{n:032x}",
            team=f"team-{n % 7}",
            job_id=f"running-{n}",
            attempt=1,
            replicas={POOL: 1},
            reserved_at=NOW,
            submit_by=NOW,
            running=True,
            started=NOW - timedelta(seconds=chance.lognormvariate(8, 2)),
            traits=chance.choice(kinds),
        )
        for n in range(RESERVATIONS_LIMIT - 100)
    ]
    pool = Pool(key=POOL, ids=("pool",), capacity=RESERVATIONS_LIMIT)
    return Resource(
        name="projects/demo-p/locations/us-central1/persistentResources/shared",
        state="RUNNING",
        pools=(pool,),
        observed_at=NOW,
        reservations={each.token: each for each in running},
    )


def _lines(kinds: list[Traits]) -> list[Waiting]:
    return [
        Waiting(
            team=f"team-{n % KINDS % 7}",
            job_id=f"waiting-{n:05}",
            priority=0,
            arrived=NOW - timedelta(seconds=n),
            demands=(Demand(index=0, machine=POOL.machine, disk=POOL.disk, replicas=1 + n % KINDS % 4),),
            traits=kinds[n % KINDS],
        )
        for n in range(LINES)
    ]
