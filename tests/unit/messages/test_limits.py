from __future__ import annotations

from typing import Any

import pytest

from tests.unit.messages.building import (
    PACKAGE,
    accepted,
    custom_job,
    paths,
    refused,
    with_container,
    worker_pool_spec,
)

SPECS = "custom_job.jobSpec.workerPoolSpecs"
CONTAINER = f"{SPECS}[0].containerSpec"


def specs(*each: dict[str, Any]) -> dict[str, Any]:
    return custom_job(workerPoolSpecs=list(each))


def labelled(labels: dict[str, str]) -> dict[str, Any]:
    return {**custom_job(), "labels": labels}


def variables(count: int) -> list[dict[str, str]]:
    return [{"name": f"N{i}", "value": ""} for i in range(count)]


def packaged(**fields: Any) -> dict[str, Any]:
    spec = worker_pool_spec(pythonPackageSpec={**PACKAGE, **fields})
    del spec["containerSpec"]
    return specs(spec)


@pytest.mark.parametrize(
    "message",
    [
        {**custom_job(), "displayName": "ü" * 128},
        labelled({f"k{i}": "v" for i in range(60)}),
        labelled({"0" + "k" * 62: "v" * 63, "a_b-c": ""}),
        with_container(env=variables(100)),
        with_container(args=["x" * 99_999, "y"]),
        packaged(packageUris=["gs://b/p"] * 100),
        specs(worker_pool_spec(), {}, {}, worker_pool_spec(replicaCount=1_000)),
        specs(worker_pool_spec(diskSpec={"bootDiskSizeGb": 100})),
        specs(worker_pool_spec(diskSpec={"bootDiskSizeGb": 64_000})),
        custom_job(scheduling={"timeout": "315360000s"}),
        custom_job(persistentResourceId="a" * 63),
    ],
)
def test_what_is_at_a_limit_is_accepted(message: dict[str, Any]) -> None:
    accepted(message)


@pytest.mark.parametrize(
    ("message", "path", "problem"),
    [
        ({**custom_job(), "displayName": "x" * 129}, "custom_job.displayName", "129 characters"),
        (labelled({f"k{i}": "v" for i in range(61)}), "custom_job.labels", "61 labels, more than 60"),
        (labelled({"_k": "v"}), "custom_job.labels._k", "not a label's key"),
        (labelled({"k" * 64: "v"}), f"custom_job.labels.{'k' * 64}", "not a label's key"),
        (labelled({"": "v"}), "custom_job.labels.", "not a label's key"),
        (labelled({"k": "V"}), "custom_job.labels.k", "not a label's value"),
        (labelled({"k": "v" * 64}), "custom_job.labels.k", "not a label's value"),
        (labelled({"pool_queue_team": "v"}), "custom_job.labels.pool_queue_team", "Pool Queue uses itself"),
        (with_container(env=variables(101)), f"{CONTAINER}.env", "101 variables"),
        (with_container(env=[{"value": "x"}]), f"{CONTAINER}.env[0].name", "is missing"),
        (with_container(env=[{"name": ""}]), f"{CONTAINER}.env[0].name", "is missing"),
        (with_container(args=["x" * 60_000, "y" * 40_001]), f"{CONTAINER}.args", "100001 characters"),
        (with_container(imageUri=""), f"{CONTAINER}.imageUri", "is missing"),
        (packaged(packageUris=["u"] * 101), f"{SPECS}[0].pythonPackageSpec.packageUris", "more than 100"),
        (packaged(packageUris=[]), f"{SPECS}[0].pythonPackageSpec.packageUris", "is missing"),
        (packaged(pythonModule=""), f"{SPECS}[0].pythonPackageSpec.pythonModule", "is missing"),
        (packaged(executorImageUri=""), f"{SPECS}[0].pythonPackageSpec.executorImageUri", "is missing"),
        (specs(), SPECS, "there is no worker pool spec"),
        (specs({}), f"{SPECS}[0]", "is empty"),
        (specs({}, worker_pool_spec()), f"{SPECS}[0]", "is empty"),
        (specs(worker_pool_spec(replicaCount=2)), f"{SPECS}[0].replicaCount", "is not 1"),
        (specs(worker_pool_spec(replicaCount=None)), f"{SPECS}[0].replicaCount", "is not 1"),
        (
            specs(worker_pool_spec(), worker_pool_spec(replicaCount=0)),
            f"{SPECS}[1].replicaCount",
            "not at least 1",
        ),
        (
            specs(worker_pool_spec(), worker_pool_spec(replicaCount=None)),
            f"{SPECS}[1].replicaCount",
            "not at least 1",
        ),
        (specs(worker_pool_spec(machineSpec={})), f"{SPECS}[0].machineSpec.machineType", "is missing"),
        (specs(worker_pool_spec(pythonPackageSpec=PACKAGE)), f"{SPECS}[0]", "both containerSpec and"),
        (specs(worker_pool_spec(containerSpec=None)), f"{SPECS}[0]", "neither containerSpec nor"),
        (
            specs(worker_pool_spec(diskSpec={"bootDiskSizeGb": 99})),
            f"{SPECS}[0].diskSpec.bootDiskSizeGb",
            "not 100 to 64000",
        ),
        (
            specs(worker_pool_spec(diskSpec={"bootDiskSizeGb": 64_001})),
            f"{SPECS}[0].diskSpec.bootDiskSizeGb",
            "not 100 to 64000",
        ),
        (custom_job(persistentResourceId=""), "custom_job.jobSpec.persistentResourceId", "is missing"),
        (custom_job(persistentResourceId="Gpu"), "custom_job.jobSpec.persistentResourceId", "not the name"),
        (custom_job(persistentResourceId="a-"), "custom_job.jobSpec.persistentResourceId", "not the name"),
        (
            custom_job(persistentResourceId="a" * 64),
            "custom_job.jobSpec.persistentResourceId",
            "not the name",
        ),
        (
            custom_job(persistentResourceId="projects/p/locations/l/customJobs/1"),
            "custom_job.jobSpec.persistentResourceId",
            "not the name",
        ),
    ],
)
def test_what_is_beyond_a_limit_is_refused_where_it_is(
    message: dict[str, Any], path: str, problem: str
) -> None:
    (told,) = refused(message)

    assert told.path == path
    assert problem in told.problem
    assert told.remedy


def test_a_label_can_be_wrong_in_key_and_value() -> None:
    assert paths(refused(labelled({"K": "V"}))) == ["custom_job.labels.K"] * 2


def test_what_grows_as_json_is_refused_before_it_outgrows_its_document() -> None:
    args = ", ".join([r'"\a"'] * 40_000)
    message = f"""
persistentResourceId: gpu-a
workerPoolSpecs:
- machineSpec: {{machineType: n1-standard-4}}
  replicaCount: 1
  containerSpec: {{imageUri: europe-docker.pkg.dev/p/r/train:1, args: [{args}]}}
"""

    (told,) = refused(message)

    assert told.path == "custom_job"
    assert "as JSON" in told.problem
