"""What a replica finds when it starts: its command line and its environment variables.

Hosts are `127.0.0.1:PORT` with ports that were free, so that replicas find each other. `TF_CONFIG` is set
only for jobs of several replicas. `gs://` stays in the AIP_ variables; STAND_IN_BUCKETS names the directory
that stands for it (`gs://bucket/path` is `$STAND_IN_BUCKETS/bucket/path`), if the stand-in was given one.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.local.vertex.custom_jobs import CustomJob

_HOST_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
_PYTHON = ("python", "python3")
_REFERENCE = re.compile(r"\$\$|\$\((?P<name>[^()\s]+)\)")
_TENSORFLOW_ROLES = ("chief", "worker", "ps", "evaluator")


@dataclass(frozen=True, kw_only=True)
class Place:
    """One replica's place in its job."""

    worker_pool: int
    index: int
    port: int

    @property
    def task(self) -> str:
        return f"workerpool{self.worker_pool}"

    @property
    def replica(self) -> str:
        return f"{self.task}-{self.index}"

    @property
    def primary(self) -> bool:
        return self.worker_pool == 0 and self.index == 0

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """`$(VAR)` becomes its value, `$$(VAR)` becomes `$(VAR)`, an unknown one stays."""

    def replacement(found: re.Match[str]) -> str:
        name = found["name"]
        return "$" if name is None else variables.get(name, found[0])

    return _REFERENCE.sub(replacement, text)


def task_of(worker_pool_spec: Mapping[str, Any]) -> Mapping[str, Any]:
    task: Mapping[str, Any] = worker_pool_spec.get("containerSpec") or worker_pool_spec.get(
        "pythonPackageSpec", {}
    )
    return task


def entry_point(worker_pool_spec: Mapping[str, Any], images: Mapping[str, Sequence[str]]) -> list[str] | None:
    """The words of the command before expansion; None if only the image, which nobody knows, would tell."""
    task = task_of(worker_pool_spec)
    args = task.get("args", [])
    if "pythonModule" in task:
        return ["python3", "-m", task["pythonModule"], *args]
    if command := task.get("command"):
        return [*command, *args]
    known = [prefix for prefix in images if task.get("imageUri", "").startswith(prefix)]
    return [*images[max(known, key=len)], *args] if known else None


def command_line(words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    argv = [expanded(word, variables) for word in words]
    return [sys.executable, *argv[1:]] if argv[0] in _PYTHON else argv


def variables(
    job: CustomJob, place: Place, places: Sequence[Place], *, project_number: str, extra: Mapping[str, str]
) -> dict[str, str]:
    """Everything set for one replica, the job's own `env` last."""
    found = {name: os.environ[name] for name in _HOST_VARIABLES if name in os.environ}
    found |= extra
    found |= {
        "CLOUD_ML_JOB_ID": job.id,
        "CLOUD_ML_PROJECT_ID": project_number,
        "CLOUD_ML_REGION": job.location,
        "CLUSTER_SPEC": json.dumps(_cluster_spec(job, place, places)),
    }
    if len(places) > 1:
        found["TF_CONFIG"] = json.dumps(_tf_config(job, place, places))
    found |= _output_variables(job)
    for each in task_of(job.spec["workerPoolSpecs"][place.worker_pool]).get("env", []):
        found[each["name"]] = expanded(each.get("value", ""), found)
    return found


def _output_variables(job: CustomJob) -> dict[str, str]:
    found = {}
    if base := job.spec.get("baseOutputDirectory", {}).get("outputUriPrefix", "").rstrip("/"):
        found = {
            "AIP_MODEL_DIR": f"{base}/model/",
            "AIP_CHECKPOINT_DIR": f"{base}/checkpoints/",
            "AIP_TENSORBOARD_LOG_DIR": f"{base}/logs/",
        }
    if tensorboard := job.spec.get("tensorboard"):
        found["AIP_TENSORBOARD_RESOURCE_NAME"] = tensorboard
    return found


def _cluster(places: Sequence[Place], role: Mapping[int, str]) -> dict[str, list[str]]:
    cluster: dict[str, list[str]] = {}
    for each in places:
        if each.worker_pool in role:
            cluster.setdefault(role[each.worker_pool], []).append(each.host)
    return cluster


def _cluster_spec(job: CustomJob, place: Place, places: Sequence[Place]) -> dict[str, Any]:
    return {
        "cluster": _cluster(places, {each.worker_pool: each.task for each in places}),
        "environment": "cloud",
        "task": {"type": place.task, "index": place.index},
        "job": job.spec,
    }


def _tf_config(job: CustomJob, place: Place, places: Sequence[Place]) -> dict[str, Any]:
    """Evaluators have a task but are not part of the cluster."""
    clustered = dict(enumerate(_TENSORFLOW_ROLES[:-1]))
    return {
        "cluster": _cluster(places, clustered),
        "environment": "cloud",
        "task": {"type": _TENSORFLOW_ROLES[place.worker_pool], "index": place.index},
        "job": job.spec,
    }
