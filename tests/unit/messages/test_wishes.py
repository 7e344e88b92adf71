from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from poolqueue.messages import JobRequest
from poolqueue.requests.wishes import Wishes
from tests.unit.messages.building import accepted, custom_job, paths, refused

OLD_DIGEST = "cdd5a5383c4f55c0f6c33beaead4e1bf06ceec359ff6ba09bd45f6a0508e4e86"
OLD_DIGEST_OF_PRIORITY_7 = "2a05a85e6ca3a8cc9ae2a5f0163653b0ee37704b1841ee236a473d2e839fdee0"
FULL = "projects/a/locations/l/persistentResources/x"


def wishing(**settings: Any) -> JobRequest:
    return accepted({**settings, "custom_job": custom_job()})


def at_fault(**settings: Any) -> list[str]:
    return paths(refused({**settings, "custom_job": custom_job()}))


def test_without_wishes_there_are_none() -> None:
    assert wishing().wishes == Wishes()


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("1.5h", 5400), (90, 90), ("90", 90)],
)
@pytest.mark.parametrize("setting", ["expected_run", "min_run", "max_wait"])
def test_a_span_has_a_unit_or_is_in_seconds(setting: str, given: object, seconds: int) -> None:
    assert getattr(wishing(**{setting: given}).wishes, setting) == seconds


def test_a_started_second_counts_as_a_whole_one() -> None:
    assert wishing(max_wait=0.2).wishes.max_wait == 1


@pytest.mark.parametrize(
    "given", ["soon", "", "1w", "1h30m", "-1s", -1, "367d", 10**30, True, [], "1e3s", "\u0661s"]
)
@pytest.mark.parametrize("setting", ["expected_run", "min_run", "max_wait"])
def test_another_span_is_refused(setting: str, given: object) -> None:
    assert at_fault(**{setting: given}) == [setting]


def test_no_run_and_no_wait_at_all_are_refused() -> None:
    assert at_fault(expected_run=0, max_wait="0h") == ["expected_run", "max_wait"]
    assert wishing(min_run="0s").wishes.min_run == 0


@pytest.mark.parametrize(
    "given",
    [
        "2026-11-23T18:00:00Z",
        "2026-11-23t18:00:00.000z",
        "2026-11-23 19:00:00+01:00",
        "2026-11-23T08:00:00-10:00",
    ],
)
def test_a_time_is_understood_with_its_zone(given: str) -> None:
    found = wishing(not_before=given).wishes.not_before

    assert found == datetime(2026, 11, 23, 18, tzinfo=UTC)
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("2026-11-23T18:00:00", "has no time zone"),
        ("2026-11-23", "is not a date with a time of day"),
        ("tomorrow", "is not a date with a time of day"),
        (1_800_000_000, "is not a date with a time of day"),
        ("2026-02-30T18:00:00Z", "is not a day or time that there is"),
        ("2026-11-23T23:59:60Z", "is not a day or time that there is"),
        ("0001-01-01T00:00:00+23:00", "is not a day or time that there is"),
        ("1999-11-23T18:00:00Z", "is not in the years 2000 to 2199"),
    ],
)
@pytest.mark.parametrize("setting", ["not_before", "deadline"])
def test_another_time_is_refused(setting: str, given: object, problem: str) -> None:
    (found,) = refused({setting: given, "custom_job": custom_job()})

    assert (found.path, found.problem) == (setting, problem)


def test_a_deadline_is_after_the_earliest_start() -> None:
    at = "2026-11-23T18:00:00Z"

    assert at_fault(not_before=at, deadline=at) == ["deadline"]
    assert wishing(not_before=at, deadline="2026-11-23T18:00:01Z").wishes.deadline is not None


@pytest.mark.parametrize(("given", "times"), [(0, 0), ("3", 3), (1000, 1000)])
def test_preemptions_may_be_limited(given: object, times: int) -> None:
    assert wishing(max_preemptions=given).wishes.max_preemptions == times


@pytest.mark.parametrize("given", [-1, 1001, 1.5, "many", True])
def test_another_limit_of_preemptions_is_refused(given: object) -> None:
    assert at_fault(max_preemptions=given) == ["max_preemptions"]


def test_attributes_say_the_same_as_the_envelope() -> None:
    attributes = {"expected_run": "2h", "max_preemptions": "0", "deadline": "2026-11-23T18:00:00Z"}

    assert accepted(custom_job(), attributes) == wishing(**attributes)


@pytest.mark.parametrize(
    ("given", "meant"), [("earliest_start", "not_before"), ("ttl", "max_wait"), ("expires_at", "deadline")]
)
def test_another_word_for_a_setting_is_refused_with_what_is_meant(given: str, meant: str) -> None:
    (problem,) = refused(custom_job(), {given: "x"})

    assert (problem.problem, problem.remedy) == ("is not a setting", f"did you mean {meant}?")


@pytest.mark.parametrize(("given", "hold"), [(True, True), (False, False), (None, False)])
def test_a_request_may_ask_to_be_held(given: object, hold: bool) -> None:
    assert wishing(hold=given).wishes.hold is hold


def test_an_attribute_asks_to_be_held_as_the_envelope_does() -> None:
    assert accepted({"hold": True, "custom_job": custom_job()}, {"hold": "true"}) == wishing(hold=True)
    assert paths(refused({"hold": True, "custom_job": custom_job()}, {"hold": "false"})) == [
        "attributes.hold"
    ]


@pytest.mark.parametrize("given", ["yes", 1, "", []])
def test_nothing_else_asks_to_be_held(given: object) -> None:
    assert at_fault(hold=given) == ["hold"]


# --- content ---------------------------------------------------------------------------------------------


def test_a_request_without_wishes_is_the_same_as_before_there_were_any() -> None:
    """Else a publisher's retry across an update would be refused as another request."""
    moved = custom_job(persistentResourceId=FULL)

    assert accepted(custom_job()).digest == OLD_DIGEST
    assert accepted({"priority": 7, "custom_job": moved}).digest == OLD_DIGEST_OF_PRIORITY_7


def test_wishes_belong_to_the_content_in_whatever_spelling() -> None:
    digest = wishing(max_wait="1h", deadline="2026-11-23T18:00:00Z").digest

    assert wishing(max_wait=3600, deadline="2026-11-23T19:00:00+01:00").digest == digest
    assert len({digest, wishing(max_wait="1h").digest, wishing(expected_run="1h").digest, OLD_DIGEST}) == 4


def test_never_to_be_preempted_is_not_the_same_as_saying_nothing() -> None:
    assert wishing(max_preemptions=0).digest != wishing().digest == wishing(min_run=0).digest


def test_a_held_request_is_not_the_same_as_one_that_may_start() -> None:
    assert wishing(hold=True).digest != wishing().digest == wishing(hold=False).digest
