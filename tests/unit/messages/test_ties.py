from __future__ import annotations

from typing import Any

import pytest

from poolqueue.messages import JobRequest
from poolqueue.requests.ties import Ties
from poolqueue.scheduling.dependency import After, Dependency, OnFailed
from poolqueue.scheduling.serial_keys import Serial
from tests.unit.messages.building import accepted, custom_job, paths, refused


def tied(**settings: Any) -> JobRequest:
    return accepted({**settings, "custom_job": custom_job()})


def at_fault(**settings: Any) -> list[str]:
    return paths(refused({**settings, "custom_job": custom_job()}))


def test_without_ties_there_are_none() -> None:
    assert tied().ties == Ties()


def test_one_of_a_serial_key_runs_unless_more_are_asked_for() -> None:
    assert tied(serial_key="models/resnet").ties.serial == Serial(key="models/resnet", limit=1)
    assert tied(serial_key="k", serial_limit=3).ties.serial == Serial(key="k", limit=3)


def test_ties_may_be_attributes() -> None:
    request = accepted(custom_job(), {"serial_key": "k", "serial_limit": "3"})

    assert request.ties.serial == Serial(key="k", limit=3)


@pytest.mark.parametrize("key", ["", " k", "two words", "k" * 129, 7, ["k"], "k\n", "é", "-k", "a;b"])
def test_a_key_is_a_plain_word(key: object) -> None:
    assert at_fault(serial_key=key) == ["serial_key"]


@pytest.mark.parametrize("limit", [0, -1, 1_001, "many", 1.5, True])
def test_a_limit_is_a_number_of_jobs(limit: object) -> None:
    assert at_fault(serial_key="k", serial_limit=limit) == ["serial_limit"]


def test_a_limit_alone_limits_nothing() -> None:
    assert at_fault(serial_limit=2) == ["serial_limit"]


def test_another_key_or_limit_is_other_content() -> None:
    digests = {
        tied(**settings).digest
        for settings in (
            {},
            {"serial_key": "k"},
            {"serial_key": "l"},
            {"serial_key": "k", "serial_limit": 2},
        )
    }

    assert len(digests) == 4
    assert tied(serial_key="k").digest == tied(serial_key="k", serial_limit=1).digest


# --- dependencies ----------------------------------------------------------------------------------------


def test_dependencies_are_ids_or_say_after_what() -> None:
    ties = tied(depends_on=["a", {"job_id": "b", "after": "failure"}, {"job_id": "c"}]).ties

    assert ties.depends_on == (
        Dependency(job_id="a"),
        Dependency(job_id="b", after=After.FAILURE),
        Dependency(job_id="c", after=After.SUCCESS),
    )
    assert ties.on_failed_dependency is OnFailed.END


def test_dependencies_may_be_an_attribute_in_json() -> None:
    attributes = {"depends_on": '["a", {"job_id": "b", "after": "end"}]', "on_failed_dependency": "release"}
    ties = accepted(custom_job(), attributes).ties

    assert [each.job_id for each in ties.depends_on] == ["a", "b"]
    assert ties.on_failed_dependency is OnFailed.RELEASE


@pytest.mark.parametrize("given", ["a", [], {"job_id": "a"}, 7, [f"j{n}" for n in range(101)]])
def test_dependencies_are_a_list(given: object) -> None:
    assert at_fault(depends_on=given) == ["depends_on"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("A", "depends_on[1]"),
        (7, "depends_on[1]"),
        ("a/b", "depends_on[1]"),
        ({}, "depends_on[1].job_id"),
        ({"job_id": ""}, "depends_on[1].job_id"),
        ({"job_id": "b", "after": "start"}, "depends_on[1].after"),
        ({"job_id": "b", "after": ["end"]}, "depends_on[1].after"),
        ({"job_id": "b", "when": "end"}, "depends_on[1].when"),
        ("a", "depends_on[1]"),
        ({"job_id": "a", "after": "end"}, "depends_on[1]"),
    ],
)
def test_a_dependency_is_told_where_it_is_wrong(given: object, path: str) -> None:
    assert at_fault(depends_on=["a", given]) == [path]


def test_a_job_does_not_depend_on_itself() -> None:
    assert at_fault(job_id="j", depends_on=["a", "j"]) == ["depends_on[1]"]


@pytest.mark.parametrize("given", ["cancel", "", 1, True, ["end"]])
def test_what_a_failed_dependency_does_is_known(given: object) -> None:
    assert at_fault(depends_on=["a"], on_failed_dependency=given) == ["on_failed_dependency"]


def test_a_failed_dependency_needs_dependencies() -> None:
    assert at_fault(on_failed_dependency="release") == ["on_failed_dependency"]


def test_the_order_of_dependencies_is_no_content() -> None:
    both = [tied(depends_on=each).digest for each in (["a", "b"], [{"job_id": "b", "after": "success"}, "a"])]

    assert both[0] == both[1]
    assert both[0] != tied(depends_on=["a", "b"], on_failed_dependency="release").digest
    assert both[0] != tied(depends_on=["a"]).digest
