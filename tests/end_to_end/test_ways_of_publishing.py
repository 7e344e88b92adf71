"""The ways in which Vertex AI's page on persistent resources runs a job, each published instead.

https://cloud.google.com/vertex-ai/docs/training/persistent-resource-train
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform

from infra.local.stack import Stack
from infra.local.stack.plan import DISK, LOCATION
from poolqueue.requests.gcloud_flags import custom_job_from_gcloud_flags
from poolqueue.scheduling.jobs import Outcome
from tests.end_to_end.stack_support import CPU, GPU, at_vertex, lives, record, wait_for_end

pytestmark = [pytest.mark.timeout(180), pytest.mark.usefixtures("on_schedule")]

IMAGE = "demo/train:1"
T4 = {"machineType": "n1-standard-4", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1}
DEFAULT_TIMEOUT = {"timeout": "86400s"}


def run(stack: Stack, body: bytes | Mapping[str, Any], job_id: str, /, **attributes: str) -> dict[str, Any]:
    """Publish, and wait until the job has succeeded; its custom job as Vertex AI shows it."""
    stack.publish("job-requests", body, **attributes)
    said = wait_for_end(stack, job_id)[job_id]
    (life,) = lives(stack, job_id)
    assert said["outcome"] == "succeeded"
    assert life.state == "SUCCEEDED"
    assert record(stack, job_id).outcome is Outcome.SUCCEEDED
    return at_vertex(stack, said["custom_job"])


def labels_of(job_id: str) -> dict[str, str]:
    """Ours, save the submission token, which is random."""
    return {
        "pool_queue_installation": "local",
        "pool_queue_team": "research",
        "pool_queue_job": job_id,
    }


def without_token(labels: Mapping[str, str]) -> dict[str, str]:
    assert labels["pool_queue_token"]
    return {name: value for name, value in labels.items() if name != "pool_queue_token"}


def with_disk(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {**spec, "diskSpec": DISK}


def test_the_rest_body_of_the_page(stack: Stack) -> None:
    spec = {
        "machineSpec": dict(CPU),
        "diskSpec": DISK,
        "replicaCount": "1",
        "containerSpec": {
            "imageUri": IMAGE,
            "command": ["test"],
            "args": ["$(AIP_MODEL_DIR)", "!=", "a b"],
            "env": [{"name": "EPOCHS", "value": "3"}],
        },
    }
    job_spec = {
        "persistentResourceId": "published",
        "workerPoolSpecs": [spec],
        "scheduling": {"timeout": "3600s", "disableRetries": True},
        "serviceAccount": "trainer@demo.iam.gserviceaccount.com",
        "baseOutputDirectory": {"outputUriPrefix": "gs://models/rest"},
    }
    body = {
        "displayName": "by REST",
        "jobSpec": job_spec,
        "labels": {"experiment": "baseline"},
        "encryptionSpec": {"kmsKeyName": "projects/p/locations/us-central1/keyRings/r/cryptoKeys/k"},
    }

    got = run(stack, body, "by-rest", job_id="by-rest")

    assert got["jobSpec"] == job_spec
    assert (got["displayName"], got["encryptionSpec"]) == ("by REST", body["encryptionSpec"])
    assert without_token(got["labels"]) == {"experiment": "baseline", **labels_of("by-rest")}


def test_the_python_sample_of_the_page(stack: Stack) -> None:
    """As on the page, with a machine of today, up to `run`; `to_dict` gives what `run` would send."""
    aiplatform.init(
        project=stack.project,
        location=LOCATION,
        staging_bucket="gs://staging",
        credentials=AnonymousCredentials(),
    )
    worker_pool_specs = [
        {
            "machine_spec": {
                "machine_type": "n1-standard-4",
                "accelerator_type": "NVIDIA_TESLA_T4",
                "accelerator_count": 1,
            },
            "replica_count": 1,
            "container_spec": {"image_uri": IMAGE, "command": [], "args": []},
        }
    ]
    custom_job = aiplatform.CustomJob(
        display_name="by the SDK",
        worker_pool_specs=worker_pool_specs,
        persistent_resource_id="published",
    )
    body = custom_job.to_dict()

    got = run(stack, {"job_id": "by-sdk", "custom_job": body}, "by-sdk")

    spec = {"machineSpec": T4, "replicaCount": "1", "containerSpec": {"imageUri": IMAGE}}
    assert got["jobSpec"] == {
        **body["jobSpec"],
        "persistentResourceId": "published",
        "workerPoolSpecs": [with_disk(spec)],
        "scheduling": DEFAULT_TIMEOUT,
    }
    assert got["displayName"] == "by the SDK"
    assert without_token(got["labels"]) == labels_of("by-sdk")


def test_the_worker_pool_specs_of_the_python_sample_as_they_stand(stack: Stack) -> None:
    """The dictionaries in snake_case that the sample hands to the SDK, without the SDK."""
    machine = {"machine_type": "n1-standard-4", "accelerator_type": "NVIDIA_TESLA_T4", "accelerator_count": 1}
    container = {"image_uri": IMAGE, "command": [], "args": []}
    specs = [{"machine_spec": machine, "replica_count": 1, "container_spec": container}]
    custom_job = {
        "display_name": "in snake_case",
        "job_spec": {"persistent_resource_id": "published", "worker_pool_specs": specs},
    }

    got = run(stack, {"job_id": "in-snake", "custom_job": custom_job}, "in-snake")

    (spec,) = got["jobSpec"]["workerPoolSpecs"]
    assert spec == with_disk({"machineSpec": T4, "replicaCount": "1", "containerSpec": {"imageUri": IMAGE}})


def test_the_flags_of_gcloud_converted(stack: Stack) -> None:
    t4 = "NVIDIA_TESLA_T4"
    converted = custom_job_from_gcloud_flags(
        [
            *["gcloud", "ai", "custom-jobs", "create", "--region=us-central1"],
            "--display-name=by gcloud",
            "--persistent-resource-id=published",
            "--labels=experiment=flags",
            f"--worker-pool-spec=machine-type=n1-standard-4,replica-count=1,container-image-uri={IMAGE}",
            f"--worker-pool-spec=machine-type=n1-standard-4,accelerator-type={t4},container-image-uri={IMAGE}",
            "--command=test",
            "--args=a b,!=,c",
        ]
    )

    got = run(stack, {"job_id": "by-flags", "custom_job": converted["custom_job"]}, "by-flags")

    container = {"imageUri": IMAGE, "command": ["test"], "args": ["a b", "!=", "c"]}
    assert got["jobSpec"] == {
        "persistentResourceId": "published",
        "scheduling": DEFAULT_TIMEOUT,
        "workerPoolSpecs": [
            with_disk({"machineSpec": machine, "replicaCount": "1", "containerSpec": container})
            for machine in (CPU, GPU)
        ],
    }
    assert without_token(got["labels"]) == {"experiment": "flags", **labels_of("by-flags")}


def test_the_config_file_of_gcloud_bare_with_settings_as_attributes(stack: Stack) -> None:
    config = f"""
persistentResourceId: published
baseOutputDirectory: {{outputUriPrefix: gs://models/yaml}}
workerPoolSpecs:
- machineSpec: {{machineType: n1-standard-4}}
  replicaCount: 1
  containerSpec:
    imageUri: {IMAGE}
    command: [test, "yes", "=", yes]  # YAML in JSON style: both are the same string
"""
    settings = {"job_id": "by-yaml", "priority": "70", "display_name": "by config"}

    got = run(stack, config.encode(), "by-yaml", **settings)

    container = {"imageUri": IMAGE, "command": ["test", "yes", "=", "yes"]}
    assert got["jobSpec"] == {
        "persistentResourceId": "published",
        "scheduling": DEFAULT_TIMEOUT,
        "baseOutputDirectory": {"outputUriPrefix": "gs://models/yaml"},
        "workerPoolSpecs": [
            with_disk({"machineSpec": dict(CPU), "replicaCount": "1", "containerSpec": container})
        ],
    }
    assert got["displayName"] == "by config"
    assert record(stack, "by-yaml").priority == 70
