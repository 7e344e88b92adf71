"""Vertex AI's limits on a custom job, checked on its normalised body before Vertex AI sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from poolqueue.requests.collecting import Problems
from poolqueue.scheduling.problems import shortened

MOST_LABELS = 60  # Vertex AI takes 64, of which Pool Queue adds 4
OUR_LABELS = "pool_queue_"
LONGEST_DISPLAY_NAME = 128
MOST_ENVIRONMENT = 100
MOST_ARGUMENT_CHARACTERS = 100_000
MOST_PACKAGES = 100
MOST_BODY_BYTES = 320_000  # ours: YAML can spell in 256 KB what takes three times as much as JSON
MOST_WORKER_POOL_SPECS = 100  # ours: Vertex AI documents four roles
DISK_GB = range(100, 64_001)

# Vertex AI documents that international letters are allowed; its validator, as users saw it, lets none pass.
LABEL_KEY_RULE = "[a-z0-9][a-z0-9_-]{0,62}"
LABEL_VALUE_RULE = "[a-z0-9_-]{0,63}"

_LABEL_KEY = re.compile(LABEL_KEY_RULE)
_LABEL_VALUE = re.compile(LABEL_VALUE_RULE)


def check_limits(custom_job: Mapping[str, Any], problems: Problems) -> None:
    """Adds to `problems` each limit that `custom_job`, a normalised body, breaks."""
    _check_size(custom_job, problems)
    _check_display_name(custom_job.get("displayName", ""), problems)
    _check_labels(custom_job.get("labels", {}), problems)
    spec = custom_job.get("jobSpec", {})
    _check_scheduling(spec.get("scheduling", {}), problems)
    _check_worker_pool_specs(spec.get("workerPoolSpecs"), problems)


def _check_size(custom_job: Mapping[str, Any], problems: Problems) -> None:
    size = len(json.dumps(custom_job, separators=(",", ":"), ensure_ascii=False).encode())
    if size > MOST_BODY_BYTES:
        problems.add(
            "custom_job",
            custom_job,
            f"has {size} bytes as JSON, more than {MOST_BODY_BYTES}",
            "move what is large out of the request, for example to Cloud Storage",
        )


def _check_display_name(name: str, problems: Problems) -> None:
    if len(name) > LONGEST_DISPLAY_NAME:
        problems.add(
            "custom_job.displayName",
            name,
            f"has {len(name)} characters, more than {LONGEST_DISPLAY_NAME}",
            "shorten it",
        )


def _check_labels(labels: Mapping[str, str], problems: Problems) -> None:
    if len(labels) > MOST_LABELS:
        problems.add(
            "custom_job.labels",
            labels,
            f"has {len(labels)} labels, more than {MOST_LABELS}",
            f"give at most {MOST_LABELS}: Vertex AI takes 64 and Pool Queue adds 4",
        )
    for key, value in labels.items():
        path = f"custom_job.labels.{shortened(key)}"
        if not _LABEL_KEY.fullmatch(key):
            problems.add(
                path, key, "is not a label's key", "use 1-63 of a-z, 0-9, _ and -, a letter or digit first"
            )
        elif key.startswith(OUR_LABELS):
            problems.add(
                path, key, f"starts with {OUR_LABELS}, which Pool Queue uses itself", "rename the label"
            )
        if not _LABEL_VALUE.fullmatch(value):
            problems.add(path, value, "is not a label's value", "use at most 63 of a-z, 0-9, _ and -")


def _check_scheduling(scheduling: Mapping[str, Any], problems: Problems) -> None:
    if scheduling.get("timeout") == "0s":
        problems.add(
            "custom_job.jobSpec.scheduling.timeout", "0s", "is zero", "leave it out for the team's default"
        )


def _check_worker_pool_specs(specs: list[Mapping[str, Any]] | None, problems: Problems) -> None:
    path = "custom_job.jobSpec.workerPoolSpecs"
    if not specs:
        problems.add(path, specs, "there is no worker pool spec", "give at least one")
        return
    if len(specs) > MOST_WORKER_POOL_SPECS:
        problems.add(path, specs, f"has more than {MOST_WORKER_POOL_SPECS} worker pool specs", "give fewer")
        return
    for index, spec in enumerate(specs):
        place = f"{path}[{index}]"
        if spec:
            _check_worker_pool_spec(index, spec, place, problems)
        elif index == 0:
            problems.add(place, spec, "the first worker pool spec is empty", "only later ones may be empty")


def _check_worker_pool_spec(index: int, spec: Mapping[str, Any], path: str, problems: Problems) -> None:
    _check_replicas(index, spec, f"{path}.replicaCount", problems)
    if not spec.get("machineSpec", {}).get("machineType"):
        problems.add(
            f"{path}.machineSpec.machineType", None, "is missing", "name the machine type of the pool"
        )
    size = spec.get("diskSpec", {}).get("bootDiskSizeGb", 0)
    if size and size not in DISK_GB:
        problems.add(
            f"{path}.diskSpec.bootDiskSizeGb", size, "is not 100 to 64000", "give the pool's disk size"
        )
    _check_task(spec, path, problems)


def _check_replicas(index: int, spec: Mapping[str, Any], path: str, problems: Problems) -> None:
    replicas = spec.get("replicaCount")
    if index == 0 and replicas != "1":
        problems.add(
            path,
            replicas,
            "is not 1 in the first worker pool spec",
            "give 1; put other replicas in a second spec",
        )
    elif replicas is None or int(replicas) < 1:
        problems.add(
            path, replicas, "is not at least 1", "give the number of replicas, or an empty worker pool spec"
        )


def _check_task(spec: Mapping[str, Any], path: str, problems: Problems) -> None:
    tasks = [name for name in ("containerSpec", "pythonPackageSpec") if name in spec]
    if len(tasks) != 1:
        which = (
            "both containerSpec and pythonPackageSpec"
            if tasks
            else "neither containerSpec nor pythonPackageSpec"
        )
        problems.add(path, spec, f"has {which}", "give exactly one of the two")
        return
    task, place = spec[tasks[0]], f"{path}.{tasks[0]}"
    required = {
        "containerSpec": ["imageUri"],
        "pythonPackageSpec": ["executorImageUri", "pythonModule", "packageUris"],
    }
    for name in required[tasks[0]]:
        if not task.get(name):
            problems.add(f"{place}.{name}", task.get(name), "is missing", "give it: Vertex AI requires it")
    if len(task.get("packageUris", [])) > MOST_PACKAGES:
        problems.add(
            f"{place}.packageUris", task["packageUris"], f"has more than {MOST_PACKAGES}", "give fewer"
        )
    _check_arguments(task, place, problems)
    _check_environment(task.get("env", []), f"{place}.env", problems)


def _check_arguments(task: Mapping[str, Any], path: str, problems: Problems) -> None:
    characters = sum(len(argument or "") for argument in task.get("args", []))
    if characters > MOST_ARGUMENT_CHARACTERS:
        problems.add(
            f"{path}.args",
            task["args"],
            f"have {characters} characters together, more than {MOST_ARGUMENT_CHARACTERS}",
            "put long input in Cloud Storage and pass its name",
        )


def _check_environment(env: list[Mapping[str, Any]], path: str, problems: Problems) -> None:
    if len(env) > MOST_ENVIRONMENT:
        problems.add(path, env, f"has {len(env)} variables, more than {MOST_ENVIRONMENT}", "give fewer")
    for index, variable in enumerate(env):
        if not variable.get("name"):
            problems.add(f"{path}[{index}].name", None, "is missing", "name the variable")
