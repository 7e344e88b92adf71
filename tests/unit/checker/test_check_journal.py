"""The checker finds nothing in valid journals, and each thing that is wrong in spoilt ones."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.checker import FindingKind, check_journal
from tests.unit.checker.journals import (
    PLACE,
    POOLS,
    Line,
    demands_of,
    events,
    moment,
    valid_journals,
    written,
)


def kinds(lines: list[Line], **options: bool) -> list[FindingKind]:
    return [finding.kind for finding in check_journal(lines, **options).findings]


# --- properties ------------------------------------------------------------------------------------------


@given(valid_journals())
def test_a_valid_journal_has_no_findings(lines: list[Line]) -> None:
    check_journal(lines).assert_nothing_found()


@given(valid_journals())
def test_the_peak_is_the_largest_sum_of_claims_after_any_line(lines: list[Line]) -> None:
    report = check_journal(lines)
    for pool in POOLS:
        peak = 0
        for end in range(len(lines)):
            taken = released = 0
            for line in lines[: end + 1]:
                replicas = sum(each["replicas"] for each in line.get("demands", []) if each["pool"] == pool)
                taken += replicas if line["event"] == "replicas_taken" else 0
                released += replicas if line["event"] == "replicas_released" else 0
            peak = max(peak, taken - released)
        assert report.peak_occupancy("gpu-a", pool) == peak


@given(valid_journals(), st.data())
def test_a_claim_beyond_capacity_is_found(lines: list[Line], data: st.DataObject) -> None:
    claim = data.draw(st.sampled_from(events(lines, "replicas_taken") or [None]))
    if claim is not None:
        pool = claim["demands"][0]["pool"]
        claim["demands"][0]["replicas"] = POOLS[pool] + 1
        assert FindingKind.OVER_CAPACITY in kinds(lines)


@given(valid_journals(), st.data())
def test_a_second_custom_job_of_a_job_that_has_not_ended_is_found(
    lines: list[Line], data: st.DataObject
) -> None:
    created = [line for line in events(lines, "custom_job_created") if line["labels"]]
    original = data.draw(st.sampled_from(created or [None]))
    if original is not None:
        copy = original | {"custom_job": "77", "labels": original["labels"] | {"pool_queue_token": "other"}}
        lines.insert(lines.index(original) + 1, copy)
        assert FindingKind.OVERLAP in kinds(lines)
        assert FindingKind.REPEATED_TOKEN not in kinds(lines)


@given(valid_journals(), st.data())
def test_a_custom_job_of_a_job_that_has_succeeded_is_found(lines: list[Line], data: st.DataObject) -> None:
    jobs = check_journal(lines).jobs.values()
    succeeded = [lives[-1] for lives in jobs if lives[-1].state == "SUCCEEDED"]
    life = data.draw(st.sampled_from(succeeded or [None]))
    if life is not None:
        (created,) = [e for e in events(lines, "custom_job_created") if e["custom_job"] == life.custom_job]
        labels = created["labels"] | {"pool_queue_token": "other"}
        lines.append(created | {"custom_job": "77", "labels": labels})
        assert FindingKind.AFTER_SUCCESS in kinds(lines)
        assert FindingKind.OVERLAP not in kinds(lines)


@given(valid_journals(), st.data())
def test_a_token_on_two_custom_jobs_is_found(lines: list[Line], data: st.DataObject) -> None:
    created = [line for line in events(lines, "custom_job_created") if line["labels"]]
    if len(created) > 1:
        first, second = data.draw(st.permutations(created))[:2]
        second["labels"]["pool_queue_token"] = first["labels"]["pool_queue_token"]
        assert kinds(lines) == [FindingKind.REPEATED_TOKEN]


@given(valid_journals(), st.data())
def test_replicas_that_are_never_released_are_found(lines: list[Line], data: st.DataObject) -> None:
    release = data.draw(st.sampled_from(events(lines, "replicas_released") or [None]))
    if release is not None:
        lines.remove(release)
        assert FindingKind.NEVER_RELEASED in kinds(lines)


@given(valid_journals(), st.data())
def test_replicas_released_twice_are_found(lines: list[Line], data: st.DataObject) -> None:
    release = data.draw(st.sampled_from(events(lines, "replicas_released") or [None]))
    if release is not None:
        lines.append(release)
        assert set(kinds(lines)) == {FindingKind.INCONSISTENT}


@given(valid_journals(), st.data())
def test_a_custom_job_without_an_end_is_found(lines: list[Line], data: st.DataObject) -> None:
    ends = [line for line in lines if line.get("state") in {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"}]
    end = data.draw(st.sampled_from(ends or [None]))
    if end is not None:
        lines.remove(end)
        assert FindingKind.NO_END in kinds(lines)


@given(valid_journals(), st.data())
def test_a_process_without_an_end_is_found(lines: list[Line], data: st.DataObject) -> None:
    end = data.draw(st.sampled_from(events(lines, "replica_ended") or [None]))
    if end is not None:
        lines.remove(end)
        assert kinds(lines) == [FindingKind.PROCESS_WITHOUT_END]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["at", "event", "custom_job", "resource", "pools", "demands", "labels", "state"]),
            st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2),
        )
    )
)
def test_no_line_however_odd_makes_the_checker_fall_over(lines: list[Line]) -> None:
    check_journal(lines)


# --- single cases ----------------------------------------------------------------------------------------


def over_capacity(custom_job: str | None, token: str) -> Line:
    labels = {"pool_queue_team": "vision", "pool_queue_job": "late", "pool_queue_token": token}
    return {
        "at": moment(50).isoformat(),
        "event": "over_capacity",
        "custom_job": custom_job,
        **PLACE,
        "labels": labels,
        "demands": demands_of({"small": 2}),
        "free": {"small": 1},
        "behaviour": "reject" if custom_job is None else "pend",
    }


def test_a_create_call_that_did_not_fit_is_found_unless_allowed() -> None:
    lines = [*written().lines, over_capacity(None, "a")]
    assert kinds(lines) == [FindingKind.DID_NOT_FIT]
    assert kinds(lines, allow_over_capacity=True) == []


def test_a_token_sent_again_after_a_refusal_is_found() -> None:
    journal = written()
    journal.lines.append(over_capacity(None, "a"))
    journal.whole("late", {"small": 2}, token="a")
    assert kinds(journal.lines, allow_over_capacity=True) == [FindingKind.REPEATED_TOKEN]


def test_a_token_in_two_create_calls_is_found_even_if_no_custom_job_came_of_them() -> None:
    journal = written()
    for status in (503, None):
        labels = {"pool_queue_token": "a"}
        journal.write("request", method="POST", path="/", status=status, rpc="CreateCustomJob", labels=labels)
    assert kinds(journal.lines) == [FindingKind.REPEATED_TOKEN]


def test_a_create_call_and_its_custom_job_bear_one_token() -> None:
    journal = written()
    journal.whole("first", {"small": 1}, token="a")
    labels = {"pool_queue_token": "a"}
    journal.write("request", method="POST", path="/", status=200, rpc="CreateCustomJob", labels=labels)
    check_journal(journal.lines).assert_nothing_found()


def test_a_custom_job_that_pends_bears_its_token_once() -> None:
    journal = written()
    number = journal.whole("late", {"small": 2}, token="a")
    journal.lines.append(over_capacity(number, "a"))
    assert kinds(journal.lines, allow_over_capacity=True) == []


def test_refused_create_calls_are_counted_by_job() -> None:
    report = check_journal([*written().lines, over_capacity(None, "a"), over_capacity(None, "b")])
    assert report.refused_creates == {("vision", "late"): 2}


def test_a_pool_that_shrinks_below_what_is_taken_is_no_finding() -> None:
    journal = written()
    number = journal.create("first", {"large": 8})
    journal.begin(number, {"large": 8})
    journal.pools({"small": 3, "large": 4}, event="pools_changed")
    journal.finish(number, {"large": 8}, pid=1001)
    check_journal(journal.lines).assert_nothing_found()


def test_taking_more_of_a_pool_that_has_shrunk_is_found() -> None:
    journal = written()
    journal.pools({"small": 3, "large": 4}, event="pools_changed")
    journal.whole("first", {"large": 5})
    assert kinds(journal.lines) == [FindingKind.OVER_CAPACITY]


def test_taking_from_a_pool_that_is_gone_is_found() -> None:
    journal = written()
    journal.pools({"small": 3}, event="pools_changed")
    journal.whole("first", {"large": 1})
    assert kinds(journal.lines) == [FindingKind.OVER_CAPACITY]


def test_a_resource_that_is_deleted_and_created_again_starts_empty() -> None:
    journal = written()
    number = journal.create("first", {"small": 3})
    journal.begin(number, {"small": 3})
    journal.write("resource_deleted", **PLACE)
    journal.write("replica_ended", custom_job=number, replica="workerpool0-0", pid=1001, exit_code=-9)
    journal.state(number, "RUNNING", "FAILED")
    journal.pools()
    journal.whole("second", {"small": 3})
    check_journal(journal.lines).assert_nothing_found()


def test_running_without_replicas_is_found() -> None:
    journal = written()
    journal.whole("first", {"small": 1})
    lines = [line for line in journal.lines if not line["event"].startswith("replicas_")]
    assert kinds(lines) == [FindingKind.INCONSISTENT]


def test_a_move_after_the_end_is_found() -> None:
    journal = written()
    number = journal.whole("first", {"small": 1})
    journal.state(number, "SUCCEEDED", "RUNNING")
    assert kinds(journal.lines) == [FindingKind.INCONSISTENT]


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"not_an_object": "{"},
        {"at": "yesterday", "event": "replicas_taken"},
        {"at": moment(1).isoformat(), "event": "replicas_taken", "custom_job": "1"},
        {"at": "2026-11-23T17:00:00", "event": "cancel_requested", "custom_job": "1"},
    ],
)
def test_a_line_that_cannot_be_read_is_found(line: Line) -> None:
    assert kinds([*written().lines, line]) == [FindingKind.MALFORMED]


def test_events_that_say_nothing_about_pools_or_jobs_are_left_out() -> None:
    journal = written()
    journal.write("request", method="GET", path="/v1/x", status=200, rpc="ListCustomJobs")
    journal.write("something_new", whatever=1)
    check_journal(journal.lines).assert_nothing_found()


# --- what a report answers -------------------------------------------------------------------------------


def test_a_wait_is_from_publishing_to_the_first_running() -> None:
    journal = written()
    number = journal.whole("first", {"small": 1})
    report = check_journal(journal.lines)
    published = {("vision", "first"): moment(0), ("vision", "never"): moment(0)}
    assert report.waits(published) == {("vision", "first"): timedelta(seconds=5), ("vision", "never"): None}
    assert report.jobs["vision", "first"][0].custom_job == number


def test_starts_are_compared_in_the_order_of_taking_replicas() -> None:
    journal = written()
    numbers = {job: journal.create(job, {"small": 1}) for job in ("old", "urgent")}
    for job in ("urgent", "old"):
        journal.claim("replicas_taken", numbers[job], {"small": 1})
    report = check_journal(journal.lines)
    report.assert_started_in_order(("vision", "urgent"), ("vision", "old"))
    with pytest.raises(AssertionError, match="but it was vision/urgent, vision/old"):
        report.assert_started_in_order(("vision", "old"), ("vision", "urgent"))
    with pytest.raises(AssertionError, match="never started: vision/absent"):
        report.assert_started_in_order(("vision", "absent"), ("vision", "old"))


def test_custom_jobs_of_others_are_told_apart() -> None:
    journal = written()
    journal.whole(None, {"small": 1})
    journal.whole("ours", {"small": 1})
    report = check_journal(journal.lines)
    assert Counter(len(lives) for lives in report.jobs.values()) == {1: 1}
    assert [life.display_name for life in report.foreign] == ["somebody's"]


def test_utilisation_weighs_by_time() -> None:
    journal = written(capacities={"small": 2})
    journal.whole("first", {"small": 1})
    lines = [line for line in journal.lines if line["event"].startswith(("resource", "custom", "replicas"))]
    for second, line in zip([0, 0, 0, 10, 10, 10, 15, 20], lines, strict=True):
        line["at"] = moment(second).isoformat()
    assert check_journal(lines).utilisation("gpu-a", "small") == pytest.approx(0.25)
