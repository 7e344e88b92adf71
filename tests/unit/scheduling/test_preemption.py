"""Whose attempts are ended so that another job may start."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.policies import Ordering, Preemption, Quota
from poolqueue.scheduling.pools import Reservation, Resource, free
from tests.unit.scheduling.building import (
    CPU,
    GPU,
    NOW,
    at,
    board,
    demand,
    lasting,
    pool,
    reservation,
    resource,
    waiting,
)

OWNER = {"vision": {"cpu": Quota(guaranteed=2)}}


def running(token: str, *, since: float = -600, **more: Any) -> Reservation:
    """An attempt that a sweep has seen running since then, and that may be preempted."""
    fields: dict[str, Any] = {
        "number": token,
        "running": True,
        "started": at(since),
        "preemptions": 3,
        **more,
    }
    return reservation(token, f"job-of-{token}", reserved_at=at(since - 60), **fields)


def full(*reservations: Reservation) -> Resource:
    """One pool that these fill."""
    held = sum(each.replicas[CPU] for each in reservations)
    return resource(*reservations, pools=(pool(capacity=held),))


def decision(on: Resource, *queue: Any, **policy: Any) -> Decision:
    chosen = {"preemption": Preemption.LENT, "quotas": OWNER, **policy}
    return decide(board(on, *queue, **chosen), now=NOW, slots=50)


def ended(on: Resource, *queue: Any, **policy: Any) -> list[str]:
    return sorted(each.token for each in decision(on, *queue, **policy).preempts)


def owner(*demands: Any, **more: Any) -> Any:
    return waiting("owner", *demands, team="vision", **more)


# --- replicas that are lent


def test_a_team_gets_back_what_it_is_guaranteed_and_has_lent() -> None:
    (preempt,) = decision(full(running("a"), running("b", since=-60)), owner()).preempts

    assert (preempt.token, preempt.key, preempt.by) == ("b", "research.job-of-b", "vision.owner")
    assert preempt.note == "vision.owner gets back replicas that team vision is guaranteed and had lent"


def test_nobody_is_preempted_where_it_is_off() -> None:
    assert not ended(full(running("a")), owner(), preemption=Preemption.OFF)


def test_nobody_is_preempted_for_what_is_not_guaranteed() -> None:
    own = running("own", team="vision", replicas={CPU: 2})

    assert not ended(full(running("a"), own), owner())


def test_nobody_is_preempted_if_that_is_not_enough() -> None:
    assert not ended(full(running("a"), running("never", preemptions=0)), owner(demand(2)))


def test_replicas_on_their_way_count_as_free() -> None:
    leaving = running("leaving", cancelled_at=at(-1))

    assert not ended(full(running("a"), leaving), owner())


def test_what_its_team_is_guaranteed_stays_when_more_of_it_is_on_its_way() -> None:
    """One of the two is borrowed, and that one is being ended for another job already."""
    quotas = {"vision": {"cpu": Quota(guaranteed=2)}, "research": {"cpu": Quota(guaranteed=1)}}
    leaving = running("leaving", cancelled_at=at(-1))

    assert not ended(full(running("a"), leaving), owner(demand(2)), quotas=quotas)


# --- higher priority


def test_a_higher_priority_takes_from_lower_ones_if_the_policy_says_so() -> None:
    on = full(running("low", priority=10), running("equal", priority=50))
    urgent = waiting("urgent", priority=50)

    assert ended(on, urgent, quotas={}, preemption=Preemption.HIGHER) == ["low"]
    assert not ended(on, urgent, quotas={})


@pytest.mark.parametrize(("needs", "victims"), [(1, 1), (2, 0)])
def test_a_higher_priority_takes_nothing_of_another_teams_guarantee(needs: int, victims: int) -> None:
    quotas = {"research": {"cpu": Quota(guaranteed=1)}}
    on = full(running("a"), running("b"))
    urgent = waiting("urgent", demand(needs), team="vision", priority=90)

    assert len(ended(on, urgent, quotas=quotas, preemption=Preemption.HIGHER)) == victims


# --- min_run


def test_nobody_is_preempted_within_its_min_run() -> None:
    within = running("within", since=-60, traits=lasting(9000, min_run=120))
    past = running("past", since=-600, traits=lasting(9000, min_run=120))

    assert ended(full(within, past), owner()) == ["past"]


def test_min_run_begins_when_it_is_known_to_run() -> None:
    """It was accepted long ago; since when it runs, if it does, the next sweep will tell."""
    accepted = running("a", since=-600, running=False, started=None, traits=lasting(9000, min_run=120))

    assert not ended(full(accepted), owner())


def test_who_is_not_known_to_run_and_asks_for_no_min_run_loses_nothing() -> None:
    assert ended(full(running("a", running=False, started=None)), owner()) == ["a"]


def test_in_strict_fifo_nobody_is_preempted_since_it_would_come_first_again() -> None:
    on = full(running("a"))
    urgent = waiting("urgent", priority=9)

    assert ended(on, urgent, preemption=Preemption.HIGHER) == ["a"]
    assert ended(on, urgent, preemption=Preemption.HIGHER, ordering=Ordering.FIFO) == []


# --- who loses least


def test_a_small_attempt_is_ended_rather_than_a_large_one_that_loses_less_per_replica() -> None:
    on = full(running("large", since=-100, replicas={CPU: 9}), running("small", since=-200))

    assert ended(on, waiting("j", priority=1), preemption=Preemption.HIGHER) == ["small"]


@given(
    attempts=st.lists(
        st.tuples(
            st.integers(-9, -1), st.dictionaries(st.sampled_from([CPU, GPU]), st.integers(1, 4), min_size=1)
        ),
        min_size=1,
        max_size=8,
    ),
    cpu=st.integers(1, 8),
    gpu=st.integers(0, 8),
)
def test_no_other_attempts_that_are_enough_lose_less(attempts: list[Any], cpu: int, gpu: int) -> None:
    reserved = [running(f"t{n}", since=since, replicas=held) for n, (since, held) in enumerate(attempts)]
    sizes = {key: sum(each.replicas.get(key, 0) for each in reserved) for key in (CPU, GPU)}
    on = resource(*reserved, pools=(pool(capacity=sizes[CPU]), pool(GPU, sizes[GPU])))
    wanted = {CPU: cpu, GPU: gpu}
    demands = [demand(n, key, index) for index, (key, n) in enumerate(wanted.items()) if n]

    found = ended(on, waiting("j", *demands, priority=1), preemption=Preemption.HIGHER)

    enough = [
        chosen
        for size in range(1, len(reserved) + 1)
        for chosen in combinations(reserved, size)
        if all(sum(each.replicas.get(key, 0) for each in chosen) >= n for key, n in wanted.items())
    ]
    if not enough:
        assert found == []
    else:
        assert lost(on.reservations[token] for token in found) == min(map(lost, enough))


def test_many_small_attempts_are_ended_for_a_large_job_without_a_long_search() -> None:
    on = full(*(running(f"t{n}", since=-100 - n) for n in range(400)))

    assert len(ended(on, waiting("j", demand(300), priority=1), preemption=Preemption.HIGHER)) == 300


def lost(attempts: Iterable[Reservation]) -> float:
    return sum((NOW - each.since).total_seconds() * sum(each.replicas.values()) for each in attempts)


# --- until they have left


def test_nobody_takes_what_a_job_needs_beside_what_is_being_freed_for_it() -> None:
    """Who would end before the victim ends by itself, but not before it is ended."""
    on = resource(running("a", traits=lasting(9000)), pools=(pool(capacity=2),))
    quick = waiting("quick", traits=lasting(300))

    decided = decision(on, owner(demand(2)), quick)

    assert [each.token for each in decided.preempts] == ["a"]
    assert not decided.admits
    assert decided.planned[0].at <= at(60).timestamp()


# --- of any resource

ATTEMPTS = st.lists(
    st.fixed_dictionaries(
        {
            "team": st.sampled_from(["research", "vision", "speech"]),
            "replicas": st.dictionaries(st.sampled_from([CPU, GPU]), st.integers(1, 2), min_size=1),
            "priority": st.integers(0, 3),
            "since": st.integers(-300, 0),
            "preemptions": st.integers(0, 1),
            "cancelled_at": st.sampled_from([None, None, at(-1)]),
            "traits": st.sampled_from([lasting(9000), lasting(9000, min_run=100)]),
        }
    ),
    max_size=6,
)
QUOTAS = st.dictionaries(
    st.sampled_from(["research", "vision", "speech"]),
    st.dictionaries(st.sampled_from(["cpu", "gpu"]), st.integers(0, 3).map(lambda n: Quota(guaranteed=n))),
)
LINES = st.lists(
    st.tuples(
        st.sampled_from(["research", "vision", "speech"]),
        st.integers(0, 3),
        st.sampled_from([(demand(1),), (demand(2),), (demand(1), demand(1, GPU, 1))]),
    ),
    max_size=5,
)


@given(attempts=ATTEMPTS, quotas=QUOTAS, lines=LINES, kind=st.sampled_from(Preemption))
def test_victims_are_few_enough_and_nobody_loses_what_is_its_own(
    attempts: list[dict[str, Any]], quotas: Any, lines: list[Any], kind: Preemption
) -> None:
    reserved = [running(f"t{number}", **fields) for number, fields in enumerate(attempts)]
    sizes = {key: sum(each.replicas.get(key, 0) for each in reserved) for key in (CPU, GPU)}
    pools = (pool(capacity=max(2, sizes[CPU])), pool(GPU, max(1, sizes[GPU])))
    on = resource(*reserved, pools=pools)
    queue = [
        waiting(f"w{number}", *demands, team=team, priority=priority)
        for number, (team, priority, demands) in enumerate(lines)
    ]
    decided = decision(on, *queue, quotas=quotas, preemption=kind)

    victims = [on.reservations[each.token] for each in decided.preempts]
    assert len({each.token for each in victims}) == len(victims)
    for each in victims:
        assert each.preemptions > 0
        assert each.cancelled_at is None
        assert (NOW - each.since).total_seconds() >= each.traits.min_run
    by_others = [
        on.reservations[each.token] for each in decided.preempts if _team(each.by) != _team(each.key)
    ]
    _nobody_falls_below_its_guarantee(on, by_others, quotas)
    _what_is_freed_is_enough(on, victims, decided, queue)


def _team(key: str) -> str:
    return key.partition(".")[0]


def _nobody_falls_below_its_guarantee(on: Resource, victims: list[Reservation], quotas: Any) -> None:
    """For others' sake, that is: a team's own higher priority may take from its lower ones."""
    staying = [each for each in on.reservations.values() if each.cancelled_at is None]
    for team, quota in quotas.items():
        for key, name in ((CPU, "cpu"), (GPU, "gpu")):
            own = [each for each in victims if each.team == team]
            lost = sum(each.replicas.get(key, 0) for each in own)
            held = sum(each.replicas.get(key, 0) for each in staying if each.team == team)
            guaranteed = quota.get(name, Quota()).guaranteed
            assert lost <= max(0, held - guaranteed)


def _what_is_freed_is_enough(
    on: Resource, victims: list[Reservation], decided: Decision, queue: list[Any]
) -> None:
    """For each job that others are ended for, beside all that start."""
    leaving = [each for each in on.reservations.values() if each.cancelled_at is not None]
    for line in queue:
        if line.key not in {each.by for each in decided.preempts}:
            continue
        for each in line.demands:
            key = CPU if each.machine == CPU.machine else GPU
            started = sum(admit.replicas.get(key, 0) for admit in decided.admits)
            freed = sum(r.replicas.get(key, 0) for r in [*victims, *leaving])
            assert each.replicas <= free(on)[key] - started + freed
