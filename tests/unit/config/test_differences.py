from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from poolqueue.config import differences
from poolqueue.config.differences import duration_text, shown
from tests.unit.config.building import TEAM, VISION, settings


def told(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [str(each) for each in differences(settings(**old), settings(**new))]


def test_settings_do_not_differ_from_themselves() -> None:
    both = {"teams": [TEAM, VISION], "resource_settings": {"gpu": {"ordering": "fifo"}}}

    assert told(both, both) == []


def test_a_changed_field_is_told_with_both_values() -> None:
    assert told({}, {"teams": [{**TEAM, "weight": 3, "max_wait": "36h"}]}) == [
        "team research: weight 1.0 -> 3.0",
        "team research: max_wait (nothing) -> 36h",
    ]
    assert told({}, {"pacing": {"creates_per_minute": 9}}) == ["pacing: creates_per_minute 50 -> 9"]
    assert told({}, {"timing": {"linger": "90s"}}) == ["timing: linger 30s -> 90s"]
    assert told({}, {"sweeps_topic": "ticks"}) == ["installation: sweeps_topic sweeps -> ticks"]


def test_of_a_team_that_comes_or_goes_what_is_said_of_it_is_told() -> None:
    added = told({}, {"teams": [TEAM, {**VISION, "priority": {"maximum": 40}}]})

    assert added == [
        "team vision: name (nothing) -> vision",
        "team vision: topics (nothing) -> [job-requests.vision]",
        "team vision: priority.minimum (nothing) -> 0",
        "team vision: priority.maximum (nothing) -> 40",
    ]
    assert told({"teams": [TEAM, VISION]}, {})[0] == "team vision: name vision -> (nothing)"


def test_the_order_of_teams_matters_to_triggers_that_name_none() -> None:
    assert told({"teams": [TEAM, VISION]}, {"teams": [VISION, TEAM]}) == [
        "installation: first_team research -> vision"
    ]


def test_what_changes_for_every_resource_is_told_once() -> None:
    own = {"resource_settings": {"gpu": {"max_pending": "5m"}}}

    assert told(own, {**own, "resource_defaults": {"ordering": "fifo"}}) == [
        "every resource: ordering priority -> fifo"
    ]


def test_what_a_resource_says_itself_is_told_as_it_takes_effect() -> None:
    old = {"resource_defaults": {"ordering": "fifo"}}
    new = {**old, "resource_settings": {"gpu": {"ordering": "expected"}}}

    assert told(old, new) == ["resource gpu: ordering fifo -> expected"]
    assert told(new, old) == ["resource gpu: ordering expected -> fifo"]
    assert told(old, {**old, "resource_settings": {"gpu": {"ordering": "fifo"}}}) == []


def test_quotas_are_told_by_team_and_pool() -> None:
    def quotas(**by_pool: Any) -> dict[str, Any]:
        return {"resource_settings": {"gpu": {"quotas": {"research": by_pool}}}}

    assert told(
        quotas(l4={"guaranteed": 2}), quotas(l4={"guaranteed": 3, "maximum": 4}, t4={"lends": False})
    ) == [
        "resource gpu: quotas.research.l4 guaranteed 2 -> guaranteed 3, maximum 4",
        "resource gpu: quotas.research.t4 (nothing) -> guaranteed 0, lends false",
    ]


def test_a_teams_retries_are_told_rule_by_rule() -> None:
    def retrying(**retries: Any) -> dict[str, Any]:
        return {"teams": [{**TEAM, "retries": retries}]}

    first = "(exit_code [137], pool big, retry 1)"
    rules = [{"exit_code": 137, "retry": "once", "pool": "big"}, {"error": "INVALID_ARGUMENT", "retry": 0}]

    assert told(retrying(attempts=3), retrying(attempts=4, rules=rules)) == [
        "team research: retries.attempts 3 -> 4",
        f"team research: retries.rules [] -> [{first}, (error [INVALID_ARGUMENT], retry 0)]",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (90, "90s"),
        (120, "2m"),
        (5400, "90m"),
        (86_400, "1d"),
        (129_600, "36h"),
        (0.5, "0.5s"),
        (1.25, "1.25s"),
    ],
)
def test_a_duration_is_written_as_it_could_be_in_the_file(seconds: float, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text


def test_values_are_shown_on_one_line() -> None:
    assert [shown(value) for value in (None, True, [], ["a", "b"], {"a": None})] == [
        "(nothing)",
        "true",
        "[]",
        "[a, b]",
        "a (nothing)",
    ]
