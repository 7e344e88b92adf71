"""What a create call is refused for, and in which words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.local.vertex import validation, wire
from infra.local.vertex.errors import ServiceError
from infra.local.vertex.pools import PersistentResource, ResourceKey, new_pools
from infra.local.vertex.settings import PoolSettings


def body(**changes: Any) -> dict[str, Any]:
    container = {"imageUri": "x", "command": ["true"]}
    spec = {"machineSpec": {"machineType": "m"}, "replicaCount": "1", "containerSpec": container}
    return {"displayName": "d", "jobSpec": {"workerPoolSpecs": [spec]}, **changes}


def spec(**changes: Any) -> dict[str, Any]:
    return {**body()["jobSpec"]["workerPoolSpecs"][0], **changes}


def fields_refused(given: Mapping[str, Any]) -> list[str]:
    with pytest.raises(ServiceError) as refusal:
        validation.check_custom_job(given)
    return [each["field"] for each in refusal.value.details[0]["fieldViolations"]]


def test_a_valid_job_passes() -> None:
    validation.check_custom_job(body(labels={"a-1_b": "", "1": "x" * 63}))


def test_all_findings_come_in_one_answer_in_the_services_words() -> None:
    with pytest.raises(ServiceError) as refusal:
        validation.check_custom_job({"labels": {"A": "b"}})

    assert refusal.value.code == 400
    assert refusal.value.message.startswith(
        "List of found errors:\t1.Field: custom_job.display_name; Message: Required field is not set.\t"
        "2.Field: custom_job.labels; Message: There can be no more than 64 labels"
    )
    assert refusal.value.message.endswith("\t")


@pytest.mark.parametrize(
    "labels",
    [
        {f"l{number}": "" for number in range(65)},
        {"Upper": ""},
        {"_a": ""},
        {"": ""},
        {"k" * 64: ""},
        {"a": "v" * 64},
        {"a": "$1.27"},
        {"a": "Ä"},
    ],
)
def test_labels_have_limits(labels: dict[str, str]) -> None:
    assert fields_refused(body(labels=labels)) == ["custom_job.labels"]


def test_a_display_name_is_at_most_128_characters() -> None:
    assert fields_refused(body(displayName="d" * 129)) == ["custom_job.display_name"]


SPECS = "custom_job.job_spec.worker_pool_specs"


@pytest.mark.parametrize(
    ("specs", "field"),
    [
        ([], SPECS),
        ([spec(replicaCount="2")], f"{SPECS}[0].replica_count"),
        ([spec(machineSpec={})], f"{SPECS}[0].machine_spec.machine_type"),
        ([spec(containerSpec={})], f"{SPECS}[0].task"),
        ([spec(), {"replicaCount": "1"}], f"{SPECS}[1].machine_spec.machine_type"),
        ([spec(containerSpec={"imageUri": "x", "env": [{"name": "A"}] * 101})], f"{SPECS}[0].env"),
        ([spec(containerSpec={"imageUri": "x", "args": ["x" * 50_001] * 2})], f"{SPECS}[0].args"),
        ([spec()] * 5, SPECS),
    ],
)
def test_worker_pool_specs_have_limits(specs: list[dict[str, Any]], field: str) -> None:
    assert field in fields_refused(body(jobSpec={"workerPoolSpecs": specs}))


def test_later_worker_pool_specs_may_be_empty() -> None:
    validation.check_custom_job(body(jobSpec={"workerPoolSpecs": [spec(), {}, spec(replicaCount="7")]}))


def resource() -> PersistentResource:
    key = ResourceKey(project="demo-x", location="us-central1", id="r")
    pools = new_pools([PoolSettings(machine_spec={"machineType": "m"}, replica_count=2)])
    return PersistentResource(key=key, name="", pools=pools)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"machineSpec": {"machineType": "other"}}, "No resource pool"),
        ({"machineSpec": {"machineType": "m", "acceleratorCount": 1}}, "No resource pool"),
        ({"diskSpec": {"bootDiskType": "pd-standard"}}, "No resource pool"),
        ({"diskSpec": {"bootDiskSizeGb": 200}}, "No resource pool"),
        ({"replicaCount": "3"}, "more than the 2 replicas"),
    ],
)
def test_a_spec_that_no_pool_can_ever_serve_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ServiceError, match=words) as refusal:
        validation.demands([spec(**changes)], resource())

    assert refusal.value.code == 400


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"foo": 1}, "Unknown name \"foo\" at 'custom_job': Cannot find field."),
        (
            {"jobSpec": {"workerPoolSpecs": [{"machineSpec": {"x": 1}}]}},
            "Unknown name \"x\" at 'custom_job.job_spec.worker_pool_specs[0].machine_spec'",
        ),
        ({"displayName": 3}, "Invalid value at 'custom_job'"),
        ({"jobSpec": {"scheduling": {"timeout": "abc"}}}, "Invalid value"),
        ([1], "Root element must be a message."),
    ],
)
def test_json_that_does_not_fit_the_message_is_refused(given: object, message: str) -> None:
    with pytest.raises(ServiceError) as refusal:
        wire.custom_job(json.dumps(given).encode())

    assert refusal.value.message.startswith("Invalid JSON payload received. ")
    assert message in refusal.value.message
    assert refusal.value.status == "INVALID_ARGUMENT"


def test_names_and_numbers_of_enums_and_both_cases_of_names_are_accepted() -> None:
    snake = {"display_name": "d", "job_spec": {"scheduling": {"strategy": 3}}}
    camel = {"displayName": "d", "jobSpec": {"scheduling": {"strategy": "STANDARD"}}}

    assert wire.custom_job(json.dumps(snake).encode()) == wire.custom_job(json.dumps(camel).encode())
