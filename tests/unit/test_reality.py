from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from poolqueue.reality import Reality, findings
from poolqueue.records import ResourceName
from poolqueue.scheduling.pools import Resource
from tests.unit.config.building import TEAM, VISION, settings
from tests.unit.scheduling.building import GPU, NOW, at, pool, reservation, resource

NAME = ResourceName(project="demo-p", location="us-central1", id="shared")
OTHER = replace(NAME, id="other")
TEAMS = [TEAM, VISION]
UNSEEN = resource(observed_at=at(-91))


def told(new: dict[str, Any], *known: Resource, old: dict[str, Any] | None = None, **jobs: int) -> list[str]:
    """What is found, each after a question mark unless it refuses. `known` are `shared` and `other`."""
    resources = {
        name: replace(each, name=name.full) for name, each in zip((NAME, OTHER), known, strict=False)
    }
    reality = Reality(resources=resources, jobs=jobs)
    found = findings(settings(**(old or {"teams": TEAMS})), settings(**new), reality, now=NOW)
    return [("" if each.refuses else "? ") + str(each) for each in found]


def quotas(**by_team: Any) -> dict[str, Any]:
    return {"teams": TEAMS, "resource_settings": {"shared": {"quotas": by_team}}}


def test_settings_that_fit_what_is_there_are_not_spoken_against() -> None:
    new = quotas(research={"cpu": {"guaranteed": 3}}, vision={"cpu": {"guaranteed": 1}, "*": {"maximum": 1}})

    assert told(new, resource(reservation()), research=3) == []


def test_a_team_with_jobs_may_not_vanish() -> None:
    (problem,) = told({"teams": [TEAM]}, resource(), vision=1_200)

    assert problem.startswith("teams: team vision would vanish, and 1,200 jobs of it would stay behind")
    assert told({"teams": [TEAM]}, resource()) == []


def test_a_region_in_which_jobs_run_or_wait_may_not_vanish() -> None:
    there = {"location": "europe-west4"}

    (problem,) = told({"teams": TEAMS, **there}, resource(reservation(), waiting=2))
    assert "demo-p/us-central1 would not be swept any more" in problem
    assert "1 job hold replicas and 2 wait" in problem
    assert told({"teams": TEAMS, **there}, resource()) == []


def test_the_installations_label_stays_while_jobs_run() -> None:
    (problem,) = told({"teams": TEAMS, "installation": "renamed"}, resource(reservation()))

    assert problem.startswith("installation: 1 job would not be known as ours")
    assert told({"teams": TEAMS, "installation": "renamed"}, resource()) == []


def test_no_more_may_be_guaranteed_than_a_pool_has() -> None:
    (problem,) = told(
        quotas(research={"cpu": {"guaranteed": 3}}, vision={"*": {"guaranteed": 2}}),
        resource(pools=(pool(capacity=4), pool(GPU, 2))),
    )

    assert problem == (
        "resource_settings.shared.quotas: 5 replicas of pool cpu of shared are guaranteed "
        "(research 3, vision 2), and it has 4"
    )


def test_equal_pools_are_one_and_their_guarantees_add_up() -> None:
    twins = resource(pools=(pool(ids=("a", "b"), capacity=4),))

    assert told(quotas(research={"a": {"guaranteed": 2}, "b": {"guaranteed": 2}}), twins) == []
    assert "6 replicas of pool a, b" in told(quotas(research={"*": {"guaranteed": 3}}), twins)[0]


def test_a_pool_that_shrank_keeps_no_other_change_out() -> None:
    old = quotas(research={"cpu": {"guaranteed": 5}})
    (warning,) = told({**old, "pacing": {"creates_per_minute": 9}}, resource(), old=old)

    assert warning.startswith("? resource_settings.shared.quotas: 5 replicas")


def test_a_pool_that_is_not_there_is_refused_with_those_that_are() -> None:
    assert told(quotas(vision={"cpus": {"maximum": 1}}), resource()) == [
        "resource_settings.shared.quotas.vision.cpus: shared has no pool cpus; it has cpu, gpu"
    ]


@pytest.mark.parametrize("unsure", [UNSEEN, resource(state="REBOOTING"), resource(observed_at=None)])
def test_a_resource_that_is_not_seen_running_gives_a_warning_instead(unsure: Resource) -> None:
    new = quotas(vision={"cpus": {"guaranteed": 9}, "cpu": {"guaranteed": 9}})
    warnings = told(new, unsure)

    assert [warning[:2] for warning in warnings] == ["? ", "? "]
    assert "not checked against it" in warnings[0]


def test_a_resource_that_is_not_known_gives_a_warning() -> None:
    assert told(quotas(vision={"cpu": {"guaranteed": 9}})) == [
        "? resource_settings.shared.quotas: no such persistent resource is known yet"
    ]


def test_quotas_of_every_resource_are_held_against_those_without_their_own() -> None:
    new = {
        **quotas(research={"gpu": {"guaranteed": 1}}),
        "resource_defaults": {"quotas": {"vision": {"cpu": {"guaranteed": 5}, "tpu": {"guaranteed": 1}}}},
    }

    assert told(new, resource(), resource()) == [
        "resource_defaults.quotas.vision.tpu: other has no pool tpu; it has cpu, gpu",
        "resource_defaults.quotas: 5 replicas of pool cpu of other are guaranteed (vision 5), and it has 4",
    ]


def test_what_refuses_is_told_first() -> None:
    new = {
        **quotas(research={"cpu": {"guaranteed": 9}}),
        "resource_defaults": {"quotas": {"vision": {"x": {}}}},
    }
    found = told(new, resource(), UNSEEN)

    assert [each.startswith("? ") for each in found] == [False, True, True]


def test_a_pool_that_a_teams_rule_names_is_somewhere() -> None:
    def retrying(pool_id: str) -> dict[str, Any]:
        rules = [{"outcome": "failed"}, {"exit_code": 137, "pool": pool_id}]
        return {"teams": [TEAM, {**VISION, "retries": {"rules": rules}}]}

    path = "teams.1.retries.rules.1.pool"
    assert told(retrying("gpu"), resource()) == []
    assert told(retrying("huge"), resource()) == [
        f"{path}: no persistent resource has a pool huge; the known ones have cpu, gpu"
    ]
    assert told(retrying("huge"), UNSEEN)[0].startswith(f"? {path}: ")
    assert told(retrying("huge")) == [f"? {path}: no persistent resource has a pool huge; none is known yet"]
