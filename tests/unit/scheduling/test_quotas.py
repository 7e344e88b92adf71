"""What teams are guaranteed of a pool, lend, borrow, and may have at the most."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.policies import Quota
from poolqueue.scheduling.pools import Resource
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

OWN_TWO = {"vision": {"cpu": Quota(guaranteed=2)}}


def decision(on: Resource, *queue: Any, quotas: Any = OWN_TWO, **policy: Any) -> Decision:
    return decide(board(on, *queue, quotas=quotas, **policy), now=NOW, slots=50)


def admitted(on: Resource, *queue: Any, **policy: Any) -> list[str]:
    return [admit.waiting.job_id for admit in decision(on, *queue, **policy).admits]


def held(team: str, replicas: int, token: str = "t1", **more: Any) -> Any:
    return reservation(token, f"job-of-{token}", replicas={CPU: replicas}, team=team, **more)


def two_free() -> Resource:
    return resource(held("others", 2))


# --- what is guaranteed


def test_who_stays_within_its_guarantee_goes_before_a_higher_priority() -> None:
    queue = [waiting("urgent", demand(2), priority=9, age=9), waiting("own", demand(2), team="vision")]

    assert admitted(two_free(), *queue) == ["own"]


def test_beyond_its_guarantee_a_team_is_one_of_all() -> None:
    queue = [waiting("urgent", demand(2), priority=9), waiting("more", demand(3), team="vision", age=9)]

    assert admitted(resource(held("others", 1)), *queue) == ["urgent"]


def test_what_a_team_holds_counts_towards_its_guarantee() -> None:
    queue = [waiting("urgent", demand(2), priority=9), waiting("own", demand(2), team="vision", age=9)]

    assert admitted(resource(held("vision", 2)), *queue) == ["urgent"]


def test_a_large_job_at_one_pool_does_not_hide_the_guarantee_of_another() -> None:
    quotas = {"vision": {"gpu": Quota(guaranteed=2)}}
    queue = [
        waiting("large", demand(4), team="vision", age=9),
        waiting("own", demand(2, GPU), team="vision"),
        waiting("urgent", demand(2, GPU), priority=9),
    ]

    assert admitted(two_free(), *queue, quotas=quotas) == ["own"]


def test_within_a_pool_a_team_keeps_its_own_order() -> None:
    quotas = {"vision": {"cpu": Quota(guaranteed=4)}}
    queue = [
        waiting("first", demand(4), team="vision", age=9),
        waiting("later", demand(2), team="vision", traits=lasting(10**6)),
    ]

    assert admitted(resource(held("others", 1)), *queue, quotas=quotas) == []


# --- lending and borrowing


def test_what_is_guaranteed_and_idle_is_lent() -> None:
    assert admitted(resource(), waiting("j", demand(4))) == ["j"]


def test_a_team_that_does_not_lend_keeps_its_replicas_idle() -> None:
    quotas = {"vision": {"cpu": Quota(guaranteed=2, lends=False)}}
    queue = [waiting("too-large", demand(3), age=9), waiting("fits", demand(2))]

    decided = decision(resource(), *queue, quotas=quotas)

    assert [admit.waiting.job_id for admit in decided.admits] == ["fits"]
    (wait,) = decided.waits()
    assert (wait.reason, wait.short_by) == (Reason.REPLICAS_GUARANTEED, {CPU: 1})


def test_what_it_holds_itself_is_not_kept_twice() -> None:
    quotas = {"vision": {"cpu": Quota(guaranteed=2, lends=False)}}

    assert admitted(resource(held("vision", 1)), waiting("j", demand(2)), quotas=quotas) == ["j"]


@pytest.mark.parametrize(
    ("quota", "most"),
    [(Quota(guaranteed=1, borrows=False), 1), (Quota(guaranteed=1, maximum=3), 3), (Quota(guaranteed=1), 4)],
)
def test_a_team_borrows_up_to_its_maximum(quota, most) -> None:
    queue = [waiting(f"{n}", team="vision") for n in range(5)]

    decided = decision(resource(), *queue, quotas={"vision": {"cpu": quota}})

    assert len(decided.admits) == most
    reasons = {wait.reason for wait in decided.waits()}
    assert reasons == {Reason.TEAM_AT_MAXIMUM if most < 4 else Reason.NEEDS_REPLICAS}


# --- who waits for what its quota leaves


def test_who_waits_for_its_own_team_to_end_something_is_not_passed_for_ever_by_its_teams_others() -> None:
    quotas = {"vision": {"cpu": Quota(maximum=2)}}
    on = resource(held("vision", 1, traits=lasting(100)))
    queue = [
        waiting("large", demand(2), team="vision", age=9),
        waiting("long", team="vision", traits=lasting(101)),
        waiting("short", team="vision", traits=lasting(100)),
        waiting("other", demand(1)),
    ]

    decided = decision(on, *queue, quotas=quotas)

    assert {admit.waiting.job_id for admit in decided.admits} == {"short", "other"}


def test_who_waits_beside_what_others_keep_is_not_passed_for_ever() -> None:
    quotas = {"vision": {"cpu": Quota(guaranteed=1, lends=False)}}
    on = resource(held("others", 1, traits=lasting(100)))
    queue = [
        waiting("large", demand(3), age=9),
        waiting("long", traits=lasting(101)),
        waiting("short", traits=lasting(100)),
    ]

    decided = decision(on, *queue, quotas=quotas)

    assert {admit.waiting.job_id for admit in decided.admits} == {"short"}
    assert [plan.at for plan in decided.planned] == [at(100).timestamp()]


# --- equal pools


def test_quotas_of_equal_pools_add_up() -> None:
    pools = (replace(pool(CPU, 6), ids=("cpu-a", "cpu-b")),)
    quotas = {"vision": {"cpu-a": Quota(maximum=2), "cpu-b": Quota(maximum=1)}}
    queue = [waiting(f"{n}", team="vision") for n in range(5)]

    assert len(admitted(resource(pools=pools), *queue, quotas=quotas)) == 3


def test_a_job_above_its_teams_maximum_holds_up_nobody() -> None:
    quotas = {"vision": {"cpu": Quota(maximum=2)}}
    queue = [waiting("above", demand(3), team="vision", age=9), waiting("own", team="vision"), waiting("j")]

    assert set(admitted(resource(), *queue, quotas=quotas)) == {"own", "j"}


def test_a_team_at_its_maximum_holds_up_no_other_team() -> None:
    quotas = {"vision": {"cpu": Quota(maximum=2)}}
    on = resource(held("vision", 2, traits=lasting(100)), held("others", 1, "t2", traits=lasting(50)))
    queue = [
        waiting("own", demand(2), team="vision", age=99),
        waiting("wide", demand(2), team="wide", age=9),
        waiting("long", team="long", traits=lasting(10**6)),
    ]

    decided = decision(on, *queue, quotas=quotas)

    assert [plan.key for plan in decided.planned] == ["wide.wide"]


def test_what_does_not_come_free_for_a_team_does_not_count_in_its_planned_start() -> None:
    quotas = {"vision": {"cpu": Quota(guaranteed=2, lends=False)}}
    on = resource(
        held("vision", 2, traits=lasting(50)),
        held("others", 2, "t2", traits=lasting(100)),
    )

    decided = decision(on, waiting("j", demand(2)), quotas=quotas)

    assert [plan.at for plan in decided.planned] == [at(100).timestamp()]
