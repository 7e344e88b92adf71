"""Builds valid requests for these tests; a test changes only what it is about."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from poolqueue.messages import BadRequest, JobRequest, Problem, parse_request

CONTAINER = {"imageUri": "europe-docker.pkg.dev/p/r/train:1", "args": ["--lr=0.1"]}
WORKER_POOL_SPEC = {
    "machineSpec": {"machineType": "n1-standard-4"},
    "replicaCount": 1,
    "containerSpec": CONTAINER,
}
PACKAGE = {
    "executorImageUri": "europe-docker.pkg.dev/vertex-ai/training/tf-cpu.2-14:latest",
    "packageUris": ["gs://b/p.tar.gz"],
    "pythonModule": "trainer.task",
}


def custom_job(**job_spec: Any) -> dict[str, Any]:
    spec = {"persistentResourceId": "gpu-a", "workerPoolSpecs": [WORKER_POOL_SPEC], **job_spec}
    return copy.deepcopy({"displayName": "resnet", "jobSpec": spec})


def worker_pool_spec(**fields: Any) -> dict[str, Any]:
    return copy.deepcopy({**WORKER_POOL_SPEC, **fields})


def with_container(**fields: Any) -> dict[str, Any]:
    return custom_job(workerPoolSpecs=[worker_pool_spec(containerSpec={**CONTAINER, **fields})])


def parse(
    message: bytes | str | Mapping[str, Any], attributes: Mapping[str, str] | None = None
) -> JobRequest | BadRequest:
    if isinstance(message, Mapping):
        message = json.dumps(message)
    raw = message.encode() if isinstance(message, str) else message
    return parse_request(
        raw, attributes or {}, default_job_id="derived", project="p", location="europe-west4"
    )


def accepted(
    message: bytes | str | Mapping[str, Any], attributes: Mapping[str, str] | None = None
) -> JobRequest:
    parsed = parse(message, attributes)
    assert isinstance(parsed, JobRequest), parsed
    return parsed


def refused(
    message: bytes | str | Mapping[str, Any], attributes: Mapping[str, str] | None = None
) -> tuple[Problem, ...]:
    parsed = parse(message, attributes)
    assert isinstance(parsed, BadRequest), parsed
    assert parsed.problems
    return parsed.problems


def paths(problems: tuple[Problem, ...]) -> list[str]:
    return [problem.path for problem in problems]
