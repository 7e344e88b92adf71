"""Vertex AI's messages, as camelCase JSON objects, turned into the plain values of ports.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from poolqueue.adapters.vertex_errors import MESSAGE_LIMIT
from poolqueue.ports import CustomJob, CustomJobState, ResourcePool, ResourceState, ResourceView
from poolqueue.scheduling.specs import canonical_disk, canonical_machine

# Pools are returned with the disk that Vertex AI filled in. Should one come without, only its size is
# certain: Google's pages agree on 100 GB and contradict each other about the type.
_UNTOLD_DISK: dict[str, Any] = {"bootDiskSizeGb": 100}
_SHORTEST_SECRET = 4


def custom_job_view(body: Mapping[str, Any]) -> CustomJob:
    spec = body.get("jobSpec", {})
    error = body.get("error", {})
    return CustomJob(
        name=body["name"],
        state=_custom_job_state(body.get("state")),
        display_name=body.get("displayName", ""),
        persistent_resource=_last_segment(spec.get("persistentResourceId", "")),
        labels=dict(body.get("labels", {})),
        demands=tuple(_demands(spec)),
        created=moment(body.get("createTime")),
        started=moment(body.get("startTime")),
        ended=moment(body.get("endTime")),
        error_code=error.get("code"),
        error=without_secrets(error["message"], body) if error.get("message") else None,
    )


def resource_view(body: Mapping[str, Any]) -> ResourceView:
    state = str(body.get("state", "STATE_UNSPECIFIED"))
    known = state in ResourceState.__members__
    error: str | None = body.get("error", {}).get("message")
    return ResourceView(
        # A state of tomorrow is not RUNNING: jobs wait, and the reason names it.
        state=ResourceState(state) if known else ResourceState.UPDATING,
        created=moment(body.get("createTime")),
        pools=tuple(_pool(pool) for pool in body.get("resourcePools", [])),
        error=error if known else f"state {state} is not known to this version",
    )


def without_secrets(text: str, body: Mapping[str, Any]) -> str:
    """`text`, bounded, with every value of the custom job's `env` blotted out.

    Those are secrets, and services like to quote what they were sent.
    """
    values = {value for value in _env_values(body) if len(value) >= _SHORTEST_SECRET}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "***")
    return text[:MESSAGE_LIMIT]


def moment(text: str | None) -> datetime | None:
    """An RFC 3339 time, whatever its digits of fraction, as an aware datetime in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _custom_job_state(name: object) -> CustomJobState:
    """Unknown states are UNSPECIFIED, which is not terminal: such a custom job counts as occupancy."""
    short = str(name).removeprefix("JOB_STATE_")
    return CustomJobState(short) if short in CustomJobState.__members__ else CustomJobState.UNSPECIFIED


def _demands(spec: Mapping[str, Any]) -> Iterator[tuple[str, str | None, int]]:
    """Empty worker pool specs only skip a role.

    One with a machine and no count (an unset and a zero `replicaCount` look alike) counts as one replica:
    counting it too low could overfill a pool.
    """
    for worker_pool_spec in spec.get("workerPoolSpecs", []):
        if machine := worker_pool_spec.get("machineSpec"):
            replicas = max(1, int(worker_pool_spec.get("replicaCount", 0)))
            yield canonical_machine(machine), canonical_disk(worker_pool_spec.get("diskSpec", {})), replicas


def _pool(pool: Mapping[str, Any]) -> ResourcePool:
    autoscaled = int(pool.get("autoscalingSpec", {}).get("maxReplicaCount", 0))
    return ResourcePool(
        id=pool.get("id", ""),
        machine=canonical_machine(pool.get("machineSpec", {})),
        disk=canonical_disk(pool.get("diskSpec", {})) or canonical_disk(_UNTOLD_DISK) or "",
        capacity=autoscaled or int(pool.get("replicaCount", 0)),
        used=int(pool.get("usedReplicaCount", 0)),
    )


def _env_values(body: Mapping[str, Any]) -> Iterator[str]:
    for worker_pool_spec in body.get("jobSpec", {}).get("workerPoolSpecs", []):
        for task in ("containerSpec", "pythonPackageSpec"):
            for variable in worker_pool_spec.get(task, {}).get("env", []):
                yield str(variable.get("value", ""))


def _last_segment(name: str) -> str | None:
    return name.rsplit("/", 1)[-1] or None
