from __future__ import annotations

import json
from typing import Any

import pytest

from poolqueue.scheduling.failures import BadEnd
from poolqueue.scheduling.retries import Pause, Retries, RetryRule
from tests.unit.messages.building import accepted, custom_job, refused


def asking(retries: Any) -> Retries | None:
    return accepted({"retries": retries, "custom_job": custom_job()}).retries


def test_a_request_that_says_nothing_leaves_them_to_its_team() -> None:
    assert accepted(custom_job()).retries is None
    assert asking(None) is None


def test_all_that_can_be_said_is_read() -> None:
    found = asking(
        {
            "attempts": 4,
            "backoff": "1m",
            "longest_backoff": "1h",
            "infrastructure": 5,
            "rules": [
                {"exit_code": 137, "retry": "once", "pool": "a100"},
                {"error": "INVALID_ARGUMENT", "retry": "never"},
                {"outcome": ["expired", "failed"], "text": "CUDA", "retry": 3, "backoff": "10m"},
            ],
        }
    )

    assert found == Retries(
        attempts=4,
        pause=Pause(first=60, longest=3600),
        infrastructure=5,
        rules=(
            RetryRule(exit_codes=(137,), retry=1, pool="a100"),
            RetryRule(error_classes=("INVALID_ARGUMENT",), retry=0),
            RetryRule(
                ends=(BadEnd.EXPIRED, BadEnd.FAILED),
                text="CUDA",
                retry=3,
                pause=Pause(first=600, longest=1800),
            ),
        ),
    )


def test_asking_for_them_is_enough_for_three_attempts() -> None:
    assert asking({}) == Retries(attempts=3)


@pytest.mark.parametrize(
    ("said", "pause"),
    [
        ({"backoff": 0}, Pause(first=0)),
        ({"backoff": "2h"}, Pause(first=7200, longest=7200)),
        ({"longest_backoff": "10s"}, Pause(first=10, longest=10)),
    ],
)
def test_of_two_pauses_the_one_left_out_gives_way(said: dict[str, Any], pause: Pause) -> None:
    found = asking(said)

    assert found is not None
    assert found.pause == pause


def test_they_may_stand_in_an_attribute_as_json() -> None:
    said = {"attempts": 2, "rules": [{"exit_code": [1, 2]}]}

    assert accepted(custom_job(), {"retries": json.dumps(said)}).retries == asking(said)


def test_equal_retries_are_equal_content_in_whatever_spelling() -> None:
    one = {"rules": [{"exit_code": 137, "retry": "once", "backoff": "60s", "longest_backoff": "30m"}]}
    two = {"attempts": 3, "rules": [{"exit_code": [137], "retry": 1, "backoff": "1m"}]}
    digests = {
        accepted({"retries": each, "custom_job": custom_job()}).digest for each in (one, two, {"attempts": 2})
    }

    assert len(digests) == 2


@pytest.mark.parametrize(
    ("said", "path", "problem"),
    [
        (3, "retries", "is not a mapping of attempts, backoff, longest_backoff, infrastructure, rules"),
        ({"attempt": 3}, "retries.attempt", "is not a field of it"),
        ({"attempts": 0}, "retries.attempts", "is not a number of attempts"),
        ({"attempts": 21}, "retries.attempts", "is not a number of attempts"),
        ({"attempts": True}, "retries.attempts", "is not a number of attempts"),
        ({"infrastructure": -1}, "retries.infrastructure", "is not a number of attempts"),
        ({"backoff": "soon"}, "retries.backoff", "is not a duration"),
        (
            {"backoff": "2m", "longest_backoff": "1m"},
            "retries.longest_backoff",
            "is shorter than the backoff",
        ),
        ({"rules": []}, "retries.rules", "is not a list of 1 to 20 rules"),
        ({"rules": {"exit_code": 1}}, "retries.rules", "is not a list of 1 to 20 rules"),
        ({"rules": [{"exit_code": 1}] * 21}, "retries.rules", "is not a list of 1 to 20 rules"),
        ({"rules": [{}]}, "retries.rules[0]", "is not a rule: a mapping of"),
        ({"rules": [{"exit": 1}]}, "retries.rules[0].exit", "is not a field of it"),
        ({"rules": [{"exit_code": 0}]}, "retries.rules[0].exit_code", "is not the exit code"),
        ({"rules": [{"exit_code": [1, 256]}]}, "retries.rules[0].exit_code[1]", "is not the exit code"),
        ({"rules": [{"exit_code": []}]}, "retries.rules[0].exit_code", "is not a list of 1 to 20 values"),
        ({"rules": [{"error": "OOM"}]}, "retries.rules[0].error", "is not a class of errors"),
        ({"rules": [{"error": "CANCELLED"}]}, "retries.rules[0].error", "is not a class of errors"),
        ({"rules": [{"error": [[]]}]}, "retries.rules[0].error[0]", "is not a class of errors"),
        ({"rules": [{"outcome": "lost"}]}, "retries.rules[0].outcome", "is not an outcome"),
        ({"rules": [{"text": ""}]}, "retries.rules[0].text", "is not a part of an error's text"),
        ({"rules": [{"text": "a\nb"}]}, "retries.rules[0].text", "is not a part of an error's text"),
        ({"rules": [{"retry": "twice"}]}, "retries.rules[0].retry", "is not a number of times"),
        ({"rules": [{"retry": 3}]}, "retries.rules[0].retry", "is more often than attempts: 3 allows"),
        ({"rules": [{"pool": "a b"}]}, "retries.rules[0].pool", "is not the id of a pool"),
        ({"rules": [{"retry": "never", "pool": "big"}]}, "retries.rules[0].pool", "says how to retry"),
        (
            {"rules": [{"exit_code": 1, "error": "INTERNAL"}]},
            "retries.rules[0].exit_code",
            "only a failed attempt",
        ),
        (
            {"rules": [{"exit_code": 1, "outcome": "expired"}]},
            "retries.rules[0].exit_code",
            "only a failed attempt",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(said: Any, path: str, problem: str) -> None:
    (found,) = refused({"retries": said, "custom_job": custom_job()})

    assert found.path == path
    assert found.problem.startswith(problem)
    assert found.remedy


def test_what_is_no_json_in_an_attribute_is_told() -> None:
    (problem,) = refused(custom_job(), {"retries": "3 times"})

    assert (problem.path, problem.value) == ("attributes.retries", "3 times")


@pytest.mark.parametrize("setting", ["retry", "max_attempts", "max_retries", "retry_policy", "on_failure"])
def test_other_words_for_it_lead_there(setting: str) -> None:
    (problem,) = refused({setting: 3, "custom_job": custom_job()})

    assert problem.remedy == "did you mean retries?"
