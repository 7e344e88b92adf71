from __future__ import annotations

import json
from typing import Any

import pytest

from poolqueue.messages import JobRequest, Problem
from tests.unit.messages.building import accepted, custom_job, paths, refused

FULL_B = "projects/p/locations/europe-west4/persistentResources/b"
ELSEWHERE = "projects/q/locations/us-central1/persistentResources/b"


def homeless() -> dict[str, Any]:
    job = custom_job()
    del job["jobSpec"]["persistentResourceId"]
    return job


def asking(*alternatives: object, job: dict[str, Any] | None = None) -> JobRequest:
    return accepted({"alternatives": list(alternatives), "custom_job": job or custom_job()})


def told(alternatives: object, job: dict[str, Any] | None = None) -> tuple[Problem, ...]:
    return refused({"alternatives": alternatives, "custom_job": job or custom_job()})


def places(request: JobRequest) -> list[tuple[str | None, int]]:
    return [(place.resource and place.resource.full, place.after) for place in request.alternatives]


def test_alternatives_keep_their_order_and_when_they_may_be_used() -> None:
    request = asking("b", {"persistent_resource": "any", "after": "30m"})

    assert request.persistent_resource == "gpu-a"
    assert places(request) == [(FULL_B, 0), (None, 1800)]


def test_a_full_name_may_lead_to_another_project() -> None:
    assert places(asking("b", ELSEWHERE)) == [(FULL_B, 0), (ELSEWHERE, 0)]


def test_without_a_persistent_resource_the_first_alternative_is_the_home() -> None:
    request = asking(ELSEWHERE, "c", job=homeless())

    assert (request.project, request.location, request.persistent_resource) == ("q", "us-central1", "b")
    assert request.custom_job["jobSpec"]["persistentResourceId"] == "b"
    assert [place.path for place in request.alternatives] == ["alternatives[1]"]


def test_a_request_for_any_has_no_home_yet() -> None:
    request = asking("any", job=homeless()["jobSpec"])

    assert (request.persistent_resource, request.location) == (None, "europe-west4")
    assert places(request) == [(None, 0)]


def test_where_the_job_waits_first_needs_no_time() -> None:
    problems = told([{"persistent_resource": "b", "after": "1h"}], homeless())

    assert paths(problems) == ["alternatives[0].persistent_resource"]


def test_neither_a_persistent_resource_nor_alternatives_is_refused() -> None:
    for alternatives in ([], None):
        (problem,) = told(alternatives, homeless())
        assert problem.path == "custom_job.jobSpec.persistentResourceId"
        assert "alternatives" in problem.remedy


@pytest.mark.parametrize(
    ("alternatives", "path"),
    [
        (["gpu-a"], "alternatives[0]"),
        (["b", FULL_B], "alternatives[1]"),
        (["any", {"persistent_resource": "any", "after": 9}], "alternatives[1].persistent_resource"),
        (["B"], "alternatives[0]"),
        ([3], "alternatives[0]"),
        ([None], "alternatives[0]"),
        ([{"after": "1h"}], "alternatives[0].persistent_resource"),
        ([{"persistent_resource": "b", "after": "later"}], "alternatives[0].after"),
        ([{"persistent_resource": "b", "afer": "1h"}], "alternatives[0].afer"),
        ("b", "alternatives"),
        ({"b": 1}, "alternatives"),
        ([f"r{number}" for number in range(11)], "alternatives"),
    ],
)
def test_another_list_is_refused_by_its_place(alternatives: object, path: str) -> None:
    assert paths(told(alternatives)) == [path]


def test_an_attribute_holds_them_as_json() -> None:
    text = json.dumps(["b", {"persistent_resource": "any", "after": "30m"}])
    request = accepted(custom_job(), {"alternatives": text})

    assert places(request) == [(FULL_B, 0), (None, 1800)]
    assert accepted({"alternatives": ["b"], "custom_job": custom_job()}, {"alternatives": '[ "b" ]'})


@pytest.mark.parametrize(
    "text", ["any", "[", '["b"] x', "[" * 1024, '{"a": 1, "a": 2}', "[NaN]", '["\\u0000"]']
)
def test_another_attribute_is_refused(text: str) -> None:
    assert paths(refused(custom_job(), {"alternatives": text})) == ["attributes.alternatives"]


def test_alternatives_belong_to_the_content() -> None:
    digests = {
        asking().digest,
        asking("b").digest,
        asking("b", "c").digest,
        asking("c", "b").digest,
        asking("any").digest,
        asking({"persistent_resource": "b", "after": 60}).digest,
    }

    assert len(digests) == 6
    assert asking().digest == accepted(custom_job()).digest
    assert asking({"persistent_resource": FULL_B, "after": "1m"}).digest in digests


def test_naming_the_home_first_among_the_alternatives_is_the_same_content() -> None:
    assert asking("gpu-a", "b", job=homeless()).digest == asking("b").digest
