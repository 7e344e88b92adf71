from __future__ import annotations

from typing import Any

from poolqueue.config import topology_notes
from tests.unit.config.building import TEAM, VISION, settings


def notes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return topology_notes(settings(**old), settings(**new))


def test_rules_alone_need_nothing_made() -> None:
    assert notes({}, {"teams": [{**TEAM, "weight": 2}], "resource_defaults": {"ordering": "fifo"}}) == []


def test_a_new_topic_needs_a_subscription_too() -> None:
    (note,) = notes({}, {"teams": [TEAM, VISION]})

    assert "the topic job-requests.vision" in note
    assert "the subscription job-requests.vision-push, which pushes to job_requested" in note


def test_a_topic_that_is_not_used_any_more_may_go() -> None:
    (note,) = notes({"teams": [TEAM, VISION]}, {})

    assert note.startswith("Terraform may remove the topic job-requests.vision and the subscription")


def test_a_topic_that_changes_hands_needs_nothing_and_one_that_changes_its_use_does() -> None:
    theirs = {**VISION, "topics": ["job-requests"]}
    (note,) = notes(
        {"teams": [TEAM], "admin_command_topics": ["admins", "more"]},
        {"teams": [theirs, {**TEAM, "topics": ["more"]}], "admin_command_topics": ["admins"]},
    )

    assert note == "Terraform must have the subscription more-push push to job_requested"


def test_outcomes_without_a_topic_would_stop_everything() -> None:
    told = notes({}, {"outcomes_topic": "told"})

    assert told[0].endswith("the topic told: while there is none, no job starts")
    assert told[1].startswith("Terraform may remove the topic job-outcomes:")


def test_a_new_project_and_triggers_are_for_others_to_bring() -> None:
    project, triggers = notes({}, {"teams": [{**TEAM, "project": "demo-q"}], "triggers": "t.yaml"})

    assert "project demo-q" in project
    assert "deployment" in triggers
