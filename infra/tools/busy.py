"""A busy day in minutes: three teams train on two persistent resources of a local stack, for pictures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import requests

from infra.local.stack import Plan, Stack, pool, resource
from infra.local.stack.plan import LOCATION

CPU = {"machineType": "n1-standard-8"}
L4 = {"machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1}
A100 = {"machineType": "a2-highgpu-1g", "acceleratorType": "NVIDIA_TESLA_A100", "acceleratorCount": 1}
SEED = 7
CALL_SECONDS = 30.0
KINDS = {
    "research": ("ablation", "pretrain", "distil"),
    "vision": ("detector", "segmenter", "depth"),
    "speech": ("asr", "tts", "diarise"),
}
WEIGHTS = {"research": 3, "vision": 2, "speech": 1}
EPOCHS = 6
TRAINS = (
    "n=0; while [ $n -lt {epochs} ]; do n=$((n+1)); sleep {pause}; "
    'echo "epoch $n/{epochs}: loss 0.$((97 - 9 * n))"; done'
)
FAILING = "echo 'RuntimeError: CUDA out of memory. Tried to allocate 20.00 GiB' >&2; exit 1"


def busy_plan() -> Plan:
    return Plan(
        project="demo-example",
        persistent_resources=[
            resource("gpu-a", pool("cpu", CPU, 6), pool("a100", A100, 8)),
            resource("gpu-b", pool("l4", L4, 4)),
        ],
        settings={
            "installation": "example",
            "teams": [
                {"name": "research", "topics": ["job-requests"]},
                {"name": "vision", "topics": ["job-requests.vision"], "weight": 2},
                {"name": "speech", "topics": ["job-requests.speech"]},
            ],
            "pacing": {"creates_per_minute": 1000},
            "resource_settings": {"gpu-a": {"quotas": {"vision": {"a100": {"guaranteed": 3}}}}},
        },
        stand_in={"images": {"demo/": ["true"]}},
        sweep_seconds=5.0,
        page=True,
    )


@dataclass(frozen=True, kw_only=True)
class _Wish:
    team: str
    job_id: str
    resource: str
    machine: Mapping[str, Any]
    replicas: int
    seconds: int
    priority: int
    fails: bool = False

    def request(self) -> dict[str, Any]:
        trains = TRAINS.format(epochs=EPOCHS, pause=self.seconds / EPOCHS)
        command = ["sh", "-c", trains + (f"; {FAILING}" if self.fails else "")]
        spec = {
            "machineSpec": dict(self.machine),
            "replicaCount": "1",
            "containerSpec": {"imageUri": "demo/train:2026-11", "command": command},
        }
        more = [{**spec, "replicaCount": str(self.replicas - 1)}] if self.replicas > 1 else []
        job_spec = {
            "persistentResourceId": self.resource,
            "workerPoolSpecs": [spec, *more],
            "scheduling": {"timeout": "120s"},
        }
        custom_job = {"displayName": self.job_id, "jobSpec": job_spec}
        return {"job_id": self.job_id, "priority": self.priority, "custom_job": custom_job}


class Busy:
    """Publishes so that about so many jobs wait all the time."""

    def __init__(self, stack: Stack, *, waiting: int) -> None:
        self._stack = stack
        self._waiting = waiting
        self._wishes = _wishes(Random(SEED))
        self._published = 0

    def keep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            states = [each.body["state"] for each in self._stack.outcomes()]
            ended = sum(state in {"reserved", "ended"} for state in states) / 2
            while self._published - ended < self._waiting:
                _publish(self._stack, next(self._wishes))
                self._published += 1
            time.sleep(1.0)


def _publish(stack: Stack, wish: _Wish) -> None:
    topic = "job-requests" if wish.team == "research" else f"job-requests.{wish.team}"
    stack.publish(topic, wish.request())


def _wishes(chance: Random) -> Iterator[_Wish]:
    number = 100
    while True:
        number += 1
        team = chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
        place = chance.choices(["cpu", "a100", "l4"], [3, 5, 2])[0]
        machines: Mapping[str, Mapping[str, Any]] = {"cpu": CPU, "a100": A100, "l4": L4}
        yield _Wish(
            team=team,
            job_id=f"{chance.choice(KINDS[team])}-{number}",
            resource="gpu-b" if place == "l4" else "gpu-a",
            machine=machines[place],
            replicas=chance.choices([1, 2, 4], [6, 3, 2 if place == "a100" else 0])[0],
            seconds=chance.choice([12, 18, 25, 40, 55]),
            priority=chance.choice([40, 50, 50, 50, 80]),
            fails=chance.random() < 0.1,  # noqa: PLR2004  a tenth
        )


def submit_past_the_queue(stack: Stack) -> None:
    spec = {
        "machineSpec": CPU,
        "diskSpec": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100},
        "replicaCount": "1",
        "containerSpec": {"imageUri": "demo/train", "command": ["sleep", "600"]},
    }
    body = {"displayName": "by-hand", "jobSpec": {"persistentResourceId": "gpu-a", "workerPoolSpecs": [spec]}}
    url = f"{stack.vertex_endpoint}/v1/projects/{stack.project}/locations/{LOCATION}/customJobs"
    requests.post(url, json=body, timeout=CALL_SECONDS).raise_for_status()
