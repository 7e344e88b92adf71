"""The stand-in as a command: what it prints, and that nothing of it stays behind."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.end_to_end.stand_in_support import is_alive, parent, resource, wait_for

REPLICA = "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"


@contextlib.contextmanager
def running(tmp_path: Path, project: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    config = tmp_path / "stand_in.yaml"
    config.write_text(yaml.safe_dump({"persistent_resources": [resource(project)]}), encoding="utf-8")
    command = ["-m", "infra.local.vertex", "--config", str(config), "--directory", str(tmp_path / "run")]
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def start_a_replica(told: dict[str, Any], project: str) -> list[int]:
    container = {"imageUri": "x", "command": ["python3", "-c", REPLICA]}
    spec = {"machineSpec": {"machineType": "n1-standard-4"}, "replicaCount": 1, "containerSpec": container}
    body = {"displayName": "d", "jobSpec": {"persistentResourceId": "shared", "workerPoolSpecs": [spec]}}
    url = f"http://127.0.0.1:{told['port']}/v1/{parent(project)}/customJobs"
    assert requests.post(url, json=body, timeout=10).status_code == 200
    pid = wait_for(lambda: started(Path(told["journal"])), "a replica")
    return [pid, wait_for(lambda: child_of(pid), "its child")]


def started(journal: Path) -> int | None:
    lines = map(json.loads, journal.read_text(encoding="utf-8").splitlines())
    return next((line["pid"] for line in lines if line["event"] == "replica_started"), None)


def child_of(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return int(children[0]) if children else None


@pytest.mark.requires("linux")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_replicas_end_with_the_stand_in_however_it_ends(
    tmp_path: Path, demo_project: str, number: signal.Signals
) -> None:
    with running(tmp_path, demo_project) as (process, told):
        pids = start_a_replica(told, demo_project)
        assert all(map(is_alive, pids))

        process.send_signal(number)

        code = process.wait(timeout=20)
        assert code == (-number if number is signal.SIGKILL else 0)
        wait_for(lambda: not any(map(is_alive, pids)), "the replicas' end")
