"""Settings that are applied: checked, put in force by compare and set, and at work at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers import job_commanded, job_requested, swept
from poolqueue.records.settings import CURRENT, KEPT_VERSIONS, version_path
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.handlers.conftest import Installing
from tests.support.installation import Installation, request, worker_pool_spec

RESEARCH = {"name": "research", "topics": ["job-requests"], "command_topics": ["research-commands"]}
VISION = {"name": "vision", "topics": ["vision"]}


@pytest.fixture
def installation(installing: Installing) -> Installation:
    return installing(settings={"teams": [RESEARCH, VISION]})


def text(installation: Installation, **more: Any) -> str:
    return json.dumps({**installation.fields, **more})


def apply(installation: Installation, *, topic: str = "job-commands", **how: Any) -> Any:
    """Apply the settings with some fields changed; the command's record. Sweeps hear of it at once."""
    own = {key: how.pop(key) for key in ("id", "base_version", "reason", "settings") if key in how}
    record = installation.command(topic=topic, kind="apply", **{"settings": text(installation, **how), **own})
    deliver_sweeps(installation)
    return record


def deliver_sweeps(installation: Installation) -> int:
    topic = f"projects/{installation.project}/topics/sweeps"
    messages = installation.publisher.on(topic)
    for message in messages:
        swept.handle(installation.system, installation.delivery("sweeps", message.body))
    installation.publisher.messages[:] = [m for m in installation.publisher.messages if m.topic != topic]
    return len(messages)


def current(installation: Installation) -> Any:
    return installation.documents.read([CURRENT])[0].fields


def weights(installation: Installation) -> list[float]:
    return [team.weight for team in installation.system.refreshed().settings.teams]


def test_applied_settings_are_in_force_with_who_and_why(installation: Installation) -> None:
    record = apply(installation, teams=[{**RESEARCH, "weight": 3}, VISION], reason="their turn")

    assert record["result"] == "done"
    assert record["message"] == "version 1 is in force: team research: weight 1.0 -> 3.0"
    assert (record["version"], record["warnings"]) == (1, [])
    stored = current(installation)
    assert (stored["version"], stored["author"], stored["reason"]) == (1, "tester", "their turn")
    assert json.loads(stored["text"])["teams"][0]["weight"] == 3
    assert weights(installation) == [3.0, 1.0]


def test_each_version_stays_in_the_history(installation: Installation) -> None:
    for number in (1, 2):
        apply(installation, pacing={"creates_per_minute": number}, base_version=number - 1)

    first, second = installation.documents.read([version_path(1), version_path(2)])
    assert first.fields is not None
    assert second.fields is not None
    assert json.loads(first.fields["text"])["pacing"] == {"creates_per_minute": 1}
    assert second.fields["version"] == current(installation)["version"] == 2


def test_the_history_has_an_end(installation: Installation) -> None:
    for number in range(1, KEPT_VERSIONS + 2):
        apply(installation, pacing={"creates_per_minute": number})

    oldest, kept = installation.documents.read([version_path(1), version_path(2)])
    assert (oldest.exists, kept.exists) == (False, True)


def test_of_two_administrators_the_second_is_told_of_the_first(installation: Installation) -> None:
    apply(installation, pacing={"creates_per_minute": 1}, base_version=0, reason="slower")
    record = apply(installation, pacing={"creates_per_minute": 2}, base_version=0)

    assert record["result"] == "refused"
    assert (
        "version 1 is in force (by tester: slower), and these settings were made from version 0"
        in (record["message"])
    )
    assert current(installation)["version"] == 1


def test_without_a_base_version_the_last_one_wins(installation: Installation) -> None:
    apply(installation, pacing={"creates_per_minute": 1})
    assert apply(installation, pacing={"creates_per_minute": 2})["version"] == 2


def test_without_a_base_version_what_comes_late_does_not_undo_what_was_published_after_it(
    installation: Installation,
) -> None:
    fields = {**installation.fields, "pacing": {"creates_per_minute": 1}}
    late = installation.publish_command(kind="apply", settings=json.dumps(fields))
    apply(installation, pacing={"creates_per_minute": 2}, reason="faster")

    record = installation.deliver_command(late)

    assert (record["result"], record["in_force"]) == ("refused", 1)
    assert record["message"].startswith("overtaken: version 1 (by ")
    assert "faster) was published after these settings" in record["message"]
    assert installation.system.refreshed().settings.pacing.creates_per_minute == 2


def test_the_same_text_again_makes_no_version(installation: Installation) -> None:
    apply(installation, pacing={"creates_per_minute": 1})
    record = apply(installation, pacing={"creates_per_minute": 1}, base_version=1)

    assert (record["result"], record["message"]) == ("done", "version 1 is in force and says the same")
    assert current(installation)["version"] == 1


def test_a_command_that_is_delivered_again_applies_once(installation: Installation) -> None:
    body = {"id": "c", "kind": "apply", "author": "a", "reason": "r", "base_version": 0}
    data = json.dumps({**body, "settings": text(installation, pacing={"creates_per_minute": 1})}).encode()
    for _ in range(2):
        job_commanded.handle(installation.system, installation.delivery("job-commands", data))

    assert current(installation)["version"] == 1
    assert installation.documents.read(["commands/c"])[0].fields["result"] == "done"


def test_a_team_may_not_apply_settings(installation: Installation) -> None:
    record = apply(installation, topic="research-commands", pacing={"creates_per_minute": 1})

    assert (record["result"], record["message"]) == (
        "refused",
        "only an administrators' topic may apply; publish it there",
    )
    assert current(installation) is None


def test_settings_that_are_wrong_are_refused_field_by_field_and_change_nothing(
    installation: Installation,
) -> None:
    record = apply(installation, resource_defaults={"patience": "1h"}, pacing={"creates_per_minute": 0})

    assert record["result"] == "refused"
    assert "resource_defaults.patience: is no setting any more" in record["message"]
    assert "pacing.creates_per_minute" in record["message"]
    assert current(installation) is None
    assert weights(installation) == [1.0, 1.0]


def test_what_does_not_fit_what_is_there_is_refused_and_changes_nothing(installation: Installation) -> None:
    installation.ask(request("runs"), topic="vision")
    installation.ask(request("fills"))
    installation.ask(request("waits"), topic="vision")
    quotas = {"research": {"*": {"guaranteed": 3}}}
    record = apply(
        installation,
        teams=[RESEARCH],
        resource_settings={"shared": {"quotas": quotas}},
    )

    assert record["result"] == "refused"
    assert "team vision would vanish, and 2 jobs of it" in record["message"]
    assert (
        "3 replicas of pool n1-standard-4 of shared are guaranteed (research 3), and it has 2"
        in record["message"]
    )
    assert current(installation) is None


def test_what_needs_terraform_is_accepted_and_told(installation: Installation) -> None:
    record = apply(installation, teams=[RESEARCH, {**VISION, "topics": ["vision", "vision-2"]}])

    assert record["result"] == "done"
    (warning,) = record["warnings"]
    assert "must make the topic vision-2 and the subscription vision-2-push" in warning


def test_a_new_pace_starts_what_waited_for_the_old_one(installing: Installing) -> None:
    installation = installing(settings={"pacing": {"creates_per_minute": 1}})
    installation.ask(request("first"))
    installation.ask(request("second"))
    assert installation.job("second").state is State.QUEUED

    apply(installation, pacing={"creates_per_minute": 100})

    assert installation.job("second").state is State.SUBMITTED


def test_another_ordering_lets_start_what_the_old_one_held_back(installing: Installing) -> None:
    fifo = {"shared": {"ordering": "fifo"}}
    installation = installing(settings={"teams": [RESEARCH, VISION], "resource_settings": fifo})
    installation.ask(request("occupant"))
    installation.ask(request("wide", worker_pool_spec(), worker_pool_spec()))
    installation.ask(request("short", job_spec={"scheduling": {"timeout": "60s"}}))
    assert installation.job("short").state is State.QUEUED

    apply(installation, resource_settings={"shared": {"ordering": "priority"}})

    assert installation.job("short").state is State.SUBMITTED
    assert installation.job("wide").state is State.QUEUED


def test_resources_on_which_nothing_waits_or_changes_are_not_rung(installation: Installation) -> None:
    for job in ("one", "two"):
        installation.ask(request(job))
    installation.command(kind="apply", settings=text(installation, pacing={"creates_per_minute": 9}))
    assert deliver_sweeps(installation) == 0

    installation.ask(request("waits"))
    more = {"timing": {"linger": "10s"}, "pacing": {"creates_per_minute": 9}}
    installation.command(kind="apply", settings=text(installation, **more))
    assert deliver_sweeps(installation) == 0

    more["resource_defaults"] = {"firm_after": "1h"}
    installation.command(kind="apply", settings=text(installation, **more))
    assert deliver_sweeps(installation) == 1


def test_settings_are_too_large_beyond_200_kilobytes(installation: Installation) -> None:
    record = installation.command(kind="apply", settings="#" * 200_001)

    assert record["result"] == "refused"
    assert "200001 bytes" in record["message"]


# --- what a team may have waiting ------------------------------------------------------------------------


def limited(installing: Installing, most: int) -> Installation:
    return installing(settings={"teams": [{**RESEARCH, "max_waiting": most}, VISION]})


def test_a_request_beyond_what_may_wait_is_refused_with_the_numbers(installing: Installing) -> None:
    installation = limited(installing, 2)
    installation.ask(request("fills", worker_pool_spec(), worker_pool_spec()))
    for job in ("a", "b", "c"):
        installation.ask(request(job))

    refused = installation.job("c")
    assert (refused.outcome, refused.reason) == (Outcome.REJECTED, Reason.TOO_MANY_WAITING)
    assert refused.error == "job_id: team research has 2 jobs waiting for shared, and may have 2"
    assert "cancel some" in refused.problems[0]["remedy"]
    installation.ask(request("theirs"), topic="vision")
    assert installation.job("theirs", team="vision").state is State.QUEUED


def test_the_refused_id_may_be_used_once_there_is_room(installing: Installing) -> None:
    installation = limited(installing, 1)
    installation.ask(request("fills", worker_pool_spec(), worker_pool_spec()))
    installation.ask(request("a"))
    installation.ask(request("b"))
    installation.finish("fills")

    installation.ask(request("b"))

    assert installation.job("b").outcome is None


def test_a_request_that_comes_again_is_no_further_job(installing: Installing) -> None:
    installation = limited(installing, 1)
    installation.ask(request("fills", worker_pool_spec(), worker_pool_spec()))
    delivery = installation.ask(request("a"))
    job_requested.handle(installation.system, delivery)
    installation.ask(request("a"))

    assert installation.job("a").state is State.QUEUED
    assert installation.dead_letters() == []
