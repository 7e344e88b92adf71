"""What the stand-in's tests share: a stand-in, a client, a valid custom job, and bounded waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform_v1.services.job_service import JobServiceClient

from infra.local.vertex import StandIn

LOCATION = "us-central1"
MACHINE = {"machine_type": "n1-standard-4"}
DISK = {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 100}
DEADLINE_SECONDS = 20.0


def pool(replica_count: int = 2, **changes: Any) -> dict[str, Any]:
    return {"machine_spec": MACHINE, "disk_spec": DISK, "replica_count": replica_count, **changes}


def resource(project: str, *pools: dict[str, Any]) -> dict[str, Any]:
    return {"project": project, "location": LOCATION, "id": "shared", "pools": list(pools) or [pool()]}


def start(tmp_path: Path, project: str, *pools: dict[str, Any], **settings: Any) -> StandIn:
    """Not started yet: use it as a context."""
    return StandIn(
        directory=tmp_path / "stand_in", persistent_resources=[resource(project, *pools)], **settings
    )


def parent(project: str) -> str:
    return f"projects/{project}/locations/{LOCATION}"


def client(stand_in: StandIn) -> JobServiceClient:
    return JobServiceClient(
        transport="rest",
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=stand_in.endpoint),
    )


def worker_pool_spec(
    command: Sequence[str] = ("true",), *, replicas: int = 1, **container: Any
) -> dict[str, Any]:
    return {
        "machine_spec": MACHINE,
        "disk_spec": DISK,
        "replica_count": replicas,
        "container_spec": {"image_uri": "demo/image", "command": list(command), **container},
    }


def custom_job(*specs: dict[str, Any], name: str = "job", **changes: Any) -> dict[str, Any]:
    job_spec = {"persistent_resource_id": "shared", "worker_pool_specs": list(specs) or [worker_pool_spec()]}
    return {"display_name": name, "job_spec": {**job_spec, **changes.pop("job_spec", {})}, **changes}


def python(program: str) -> list[str]:
    return ["python3", "-c", program]


def wait_for(ask: Callable[[], Any], what: str, *, seconds: float = DEADLINE_SECONDS) -> Any:
    """The first true answer; fails by name when it does not come in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if answer := ask():
            return answer
        time.sleep(0.01)
    pytest.fail(f"waited {seconds} s for {what}")


def events(stand_in: StandIn, event: str, **fields: Any) -> list[dict[str, Any]]:
    return [
        each
        for each in stand_in.journal()
        if each["event"] == event and all(each.get(key) == value for key, value in fields.items())
    ]


def wait_for_event(stand_in: StandIn, event: str, **fields: Any) -> dict[str, Any]:
    return wait_for(lambda: events(stand_in, event, **fields), f"{event} {fields}")[0]


def wait_for_state(stand_in: StandIn, name: str, state: str) -> dict[str, Any]:
    custom_job_id = name.rsplit("/", 1)[-1]
    return wait_for_event(stand_in, "custom_job_state", custom_job=custom_job_id, state=f"JOB_STATE_{state}")


def states(stand_in: StandIn, name: str) -> list[str]:
    moves = events(stand_in, "custom_job_state", custom_job=name.rsplit("/", 1)[-1])
    return [each["state"].removeprefix("JOB_STATE_") for each in moves]


def output(stand_in: StandIn, name: str, replica: str = "workerpool0-0") -> str:
    path = stand_in.journal_path.parent / "output" / name.rsplit("/", 1)[-1] / f"{replica}.log"
    return path.read_text(encoding="utf-8")


def is_alive(pid: int) -> bool:
    """A zombie counts as dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


def call(stand_in: StandIn, method: str, path: str, **arguments: Any) -> requests.Response:
    return requests.request(method, f"{stand_in.endpoint}/{path}", timeout=10, **arguments)
