"""Command lines and environment variables of replicas."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from infra.local.vertex import environment
from infra.local.vertex.custom_jobs import CustomJob
from infra.local.vertex.environment import Place


def custom_job(*specs: dict[str, Any], **job_spec: Any) -> CustomJob:
    container = {"replicaCount": "1", "containerSpec": {"imageUri": "x"}}
    return CustomJob(
        id="1234567890123456789",
        project="demo-x",
        location="us-central1",
        name="projects/123456789012/locations/us-central1/customJobs/1234567890123456789",
        body={"displayName": "d", "jobSpec": {"workerPoolSpecs": list(specs) or [container], **job_spec}},
        resource=None,
        demands=(),
    )


def variables(job: CustomJob, place: Place, *places: Place) -> dict[str, str]:
    return environment.variables(
        job, place, [place, *places], project_number="123456789012", extra={"EXTRA": "1"}
    )


CHIEF = Place(worker_pool=0, index=0, port=20001)
WORKERS = (Place(worker_pool=1, index=0, port=20002), Place(worker_pool=1, index=1, port=20003))
EVALUATOR = Place(worker_pool=3, index=0, port=20004)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A}", "$A ${A}"),
        ("$(A", "$(A"),
    ],
)
def test_references_expand_as_the_api_describes(text: str, expected: str) -> None:
    assert environment.expanded(text, {"A": "1", "B": "2"}) == expected


def test_env_may_refer_to_earlier_variables_and_to_those_of_the_service() -> None:
    env = [
        {"name": "A", "value": "$(CLOUD_ML_REGION)"},
        {"name": "B", "value": "$(A)/b"},
        {"name": "C", "value": "$(D)"},
        {"name": "D"},
    ]
    job = custom_job({"replicaCount": "1", "containerSpec": {"imageUri": "x", "env": env}})

    found = variables(job, CHIEF)

    assert [found[name] for name in "ABCD"] == ["us-central1", "us-central1/b", "$(D)", ""]


def test_a_single_replica_has_a_cluster_spec_and_no_tf_config() -> None:
    job = custom_job()

    found = variables(job, CHIEF)

    assert json.loads(found["CLUSTER_SPEC"]) == {
        "cluster": {"workerpool0": ["127.0.0.1:20001"]},
        "environment": "cloud",
        "task": {"type": "workerpool0", "index": 0},
        "job": job.spec,
    }
    assert "TF_CONFIG" not in found
    assert (found["CLOUD_ML_JOB_ID"], found["CLOUD_ML_PROJECT_ID"], found["CLOUD_ML_REGION"]) == (
        job.id,
        "123456789012",
        "us-central1",
    )
    assert found["EXTRA"] == "1"


def test_several_replicas_see_each_other_in_both_variables() -> None:
    found = variables(custom_job(), CHIEF, *WORKERS, EVALUATOR)

    cluster = {
        "workerpool0": ["127.0.0.1:20001"],
        "workerpool1": ["127.0.0.1:20002", "127.0.0.1:20003"],
        "workerpool3": ["127.0.0.1:20004"],
    }
    assert json.loads(found["CLUSTER_SPEC"])["cluster"] == cluster
    tensorflow = json.loads(found["TF_CONFIG"])
    assert tensorflow["task"] == {"type": "chief", "index": 0}
    assert tensorflow["cluster"] == {"chief": cluster["workerpool0"], "worker": cluster["workerpool1"]}


def test_output_variables_come_from_the_base_directory_only() -> None:
    with_base = custom_job(baseOutputDirectory={"outputUriPrefix": "gs://bucket/run/"})

    found = variables(with_base, CHIEF)

    assert found["AIP_MODEL_DIR"] == "gs://bucket/run/model/"
    assert found["AIP_CHECKPOINT_DIR"] == "gs://bucket/run/checkpoints/"
    assert found["AIP_TENSORBOARD_LOG_DIR"] == "gs://bucket/run/logs/"
    assert not [name for name in variables(custom_job(), CHIEF) if name.startswith("AIP_")]


def test_the_stand_ins_own_variables_stay_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "localhost:1")

    assert "FIRESTORE_EMULATOR_HOST" not in variables(custom_job(), CHIEF)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"containerSpec": {"imageUri": "x", "command": ["a"], "args": ["b"]}}, ["a", "b"]),
        ({"containerSpec": {"imageUri": "gcr.io/demo/train:2", "args": ["b"]}}, ["python", "t.py", "b"]),
        ({"containerSpec": {"imageUri": "gcr.io/other"}}, ["fallback"]),
        ({"containerSpec": {"imageUri": "docker.io/unknown", "args": ["b"]}}, None),
        (
            {"pythonPackageSpec": {"executorImageUri": "x", "pythonModule": "m.n", "args": ["b"]}},
            ["python3", "-m", "m.n", "b"],
        ),
    ],
)
def test_the_entry_point_is_the_commands_or_the_longest_known_images(task, words) -> None:
    images = {"gcr.io/": ["fallback"], "gcr.io/demo/train": ["python", "t.py"]}

    assert environment.entry_point(task, images) == words


def test_python_is_this_python_and_references_in_words_expand() -> None:
    assert environment.command_line(["python3", "-c", "$(A)"], {"A": "1"}) == [sys.executable, "-c", "1"]
