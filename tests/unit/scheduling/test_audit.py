"""An audit of planned starts, with exact run times, one priority class and fixed capacity.

What is promised, what is free and what might have gone ahead is computed here anew, from what really runs.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.policies import Ordering, Policy
from poolqueue.scheduling.pools import PoolKey
from poolqueue.scheduling.waiting import Waiting
from tests.support.watched_time import WatchedTime, arrive_all
from tests.unit.scheduling.building import CPU, GPU, NOW, SSD, at, demand, lasting, pool, resource, waiting

TPU = PoolKey('{"machineType":"ct5lp-hightpu-1t"}', SSD)
CAPACITY = {CPU: 4, GPU: 3, TPU: 2}
WEIGHTS = {"a": 1.0, "b": 3.0}

Arrivals = list[tuple[Waiting, float]]


@st.composite
def arrivals(
    draw, teams: tuple[str, ...] = ("a",), pools: tuple[PoolKey, ...] = (CPU, GPU, TPU), shortest: int = 1
) -> Arrivals:
    """Jobs that arrive within a short time, each on one pool or several, so that they get into each other's
    way; they take one to forty times `shortest` seconds.
    """

    def times(most: int):
        return st.integers(1, most).map(lambda n: n * shortest)

    wanted = st.dictionaries(st.sampled_from(pools), st.integers(1, 4), min_size=1, max_size=len(pools))
    jobs = draw(
        st.lists(
            st.tuples(times(60), wanted, times(40), st.sampled_from(teams)),
            min_size=2,
            max_size=20,
        )
    )
    return [
        (
            waiting(
                f"j{number}",
                *(demand(min(n, CAPACITY[key]), key, i) for i, (key, n) in enumerate(sorted(needs.items()))),
                team=team,
                age=-arrived,
                traits=lasting(seconds),
            ),
            float(seconds),
        )
        for number, (arrived, needs, seconds, team) in enumerate(jobs)
    ]


def wanted_of(line: Waiting) -> Counter[PoolKey]:
    by_machine = {key.machine: key for key in CAPACITY}
    wanted: Counter[PoolKey] = Counter()
    for each in line.demands:
        wanted[by_machine[each.machine]] += each.replicas
    return wanted


class Auditor:
    """Looks at each decision once it is carried out."""

    def __init__(self, *, backfills: bool = True) -> None:
        self._backfills = backfills

    def __call__(self, time: WatchedTime, decision: Decision) -> None:
        used = time.used_now()
        assert all(used[key] <= n for key, n in CAPACITY.items()), "more is used than there is"
        free = {key: n - used[key] for key, n in CAPACITY.items()}
        planned = {plan.key: plan for plan in decision.planned}
        heads = {key: self._earliest(time, time.waiting[key]) for key in planned}
        for key, plan in planned.items():
            assert plan.at == heads[key][0].timestamp(), "it is planned for another time than it can start"
        for line in time.waiting.values():
            if all(n <= free[key] for key, n in wanted_of(line).items()):
                self._must_wait(time, line, heads)

    def _must_wait(self, time: WatchedTime, line: Waiting, heads) -> None:
        """It fits now, so that there must be a planned start that it would delay."""
        assert self._backfills is False or any(
            self._delays(time, line, start, spare) for start, spare in heads.values()
        ), f"{line.key} fits, delays nobody, and does not start"

    def _delays(self, time: WatchedTime, line: Waiting, start: datetime, spare) -> bool:
        ends = time.now.timestamp() + line.traits.timeout
        wanted = wanted_of(line)
        return ends > start.timestamp() and any(wanted[key] > n for key, n in spare.items())

    def _earliest(self, time: WatchedTime, line: Waiting):
        """When it can start if nobody else does, and what it then leaves of its pools."""
        wanted = wanted_of(line)
        for moment in sorted({time.now, *(attempt.ends for attempt in time.running.values())}):
            used: Counter[PoolKey] = Counter()
            for attempt in time.running.values():
                if attempt.ends > moment:
                    used.update(attempt.replicas)
            spare = {key: CAPACITY[key] - used[key] - n for key, n in wanted.items()}
            if all(n >= 0 for n in spare.values()):
                return moment, spare
        raise AssertionError("it can never start")


def run(jobs: Arrivals, *, ordering: Ordering, weights=WEIGHTS) -> WatchedTime:
    pools = tuple(pool(key, n, ids=(key.machine,)) for key, n in CAPACITY.items())
    time = WatchedTime(
        resource(pools=pools),
        now=NOW,
        policy=Policy(ordering=ordering, weights=weights, firm_after=timedelta(0)),
        look=Auditor(backfills=ordering is Ordering.PRIORITY),
    )
    arrive_all(time, jobs)
    time.run(until=at(10**8))
    assert not time.waiting, "somebody still waits"
    return time


def broken_promises(time: WatchedTime) -> dict[str, tuple[datetime, datetime]]:
    """What started later than it was first promised."""
    return {
        key: (start, time.log.started[key])
        for key, start in time.log.promised.items()
        if time.log.started[key] > start
    }


@pytest.mark.parametrize("ordering", [Ordering.FIFO, Ordering.PRIORITY])
@given(jobs=arrivals(pools=(CPU,)))
@settings(max_examples=40)
def test_on_one_pool_nobody_starts_later_than_promised(ordering, jobs) -> None:
    assert not broken_promises(run(jobs, ordering=ordering))


@pytest.mark.parametrize("ordering", [Ordering.FIFO, Ordering.PRIORITY])
@given(jobs=arrivals())
@settings(max_examples=40)
def test_on_several_pools_nobody_starts_later_than_promised(ordering, jobs) -> None:
    assert not broken_promises(run(jobs, ordering=ordering))


@given(jobs=arrivals(teams=("a", "b", "c")))
@settings(max_examples=40)
def test_among_teams_nobody_starts_later_than_promised(jobs) -> None:
    assert not broken_promises(run(jobs, ordering=Ordering.PRIORITY))


@given(jobs=arrivals(shortest=3_601))
@settings(max_examples=40)
def test_a_firm_place_of_expected_starts_no_later_than_promised_but_for_what_is_surely_short(jobs) -> None:
    assert not broken_promises(run(jobs, ordering=Ordering.EXPECTED))
