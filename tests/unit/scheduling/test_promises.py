"""What is kept of planned starts: who went ahead, and whether they were kept."""

from __future__ import annotations

from poolqueue.scheduling.pools import Overtakings, Promise
from poolqueue.scheduling.reckoning import told
from poolqueue.scheduling.verdicts import Admit
from tests.support.watched_time import WatchedTime
from tests.unit.scheduling.building import CPU, NOW, at, demand, lasting, pool, resource, waiting


def overrun(runs: float) -> WatchedTime:
    """One job that is expected to take 100 s, a large one that waits for it, a short one that goes ahead."""
    time = WatchedTime(resource(pools=(pool(CPU, 4),)), now=NOW)
    first, large = waiting("first", traits=lasting(100)), waiting("large", demand(4), age=-1)
    time.arrives(first, runs=runs)
    time.arrives(large, runs=10)
    time.arrives(waiting("short", age=-2, traits=lasting(50)), runs=50)
    return time


def test_a_planned_start_that_is_kept_is_settled() -> None:
    time = overrun(100)
    time.run()

    assert time.board.resource.overtakings == Overtakings(count=1, settled=1)
    assert time.board.resource.promises == {}


def test_by_how_much_a_planned_start_was_missed_is_counted() -> None:
    time = overrun(300)
    time.run()

    assert time.log.promised == {"research.large": at(100)}
    assert time.board.resource.overtakings == Overtakings(count=1, settled=1, late=1, late_seconds=200)


def test_who_went_ahead_is_kept_with_the_planned_start() -> None:
    time = overrun(300)
    time.run(until=at(60))

    promise = time.board.resource.promises["research.large"]
    assert (promise.start, promise.made, promise.overtaken) == (at(100), at(1), 1)
    assert promise.ahead == ("research.short",)


def test_a_jobs_history_says_by_how_much_it_was_late_and_who_went_ahead() -> None:
    admit = Admit(waiting=waiting("large"), replicas={CPU: 4}, assignments=())
    promise = Promise(start=at(100), made=NOW, overtaken=2, ahead=("research.a", "research.b"))

    assert told(admit, promise, now=at(300)) == (
        "starts 200 s later than first planned (2026-11-23 12:01:40Z); 2 went ahead, the last research.b"
    )
    assert told(admit, None, now=at(300)) is None
