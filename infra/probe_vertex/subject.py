"""The persistent resource that is asked about, and the custom jobs that the probe makes on it and removes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.probe_vertex.wire import Answer, Wire

LABEL = "pool_queue_probe"
ENDED = frozenset(
    f"JOB_STATE_{state}" for state in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How often to look, when to stop waiting for one thing, how long a job that ends by itself takes."""

    short_seconds: int
    poll_seconds: float
    patience_seconds: float


@dataclass(kw_only=True)
class Subject:
    """`made` names every custom job that this probe created and has not removed."""

    wire: Wire
    resource_id: str
    image: str
    pace: Pace
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    made: list[str] = field(default_factory=list)
    ended_numbers: list[str] = field(default_factory=list)

    def resource(self) -> Mapping[str, Any]:
        """Raises LookupError when it cannot be read: then nothing else can be asked."""
        answer = self.wire.get(f"persistentResources/{self.resource_id}")
        if not answer.ok:
            raise LookupError(str(answer))
        return answer.body

    def pool(self) -> Mapping[str, Any]:
        """The pool with the fewest replicas, a fixed one if there is any: filling it costs the least."""
        pools = self.resource()["resourcePools"]
        found: Mapping[str, Any] = min(pools, key=lambda pool: ("autoscalingSpec" in pool, capacity(pool)))
        return found

    def used(self) -> int:
        return int(self.pool().get("usedReplicaCount", 0))

    def body(self, *, seconds: int, replicas: int = 1, exit_code: int = 0) -> dict[str, Any]:
        """A custom job that sleeps on `replicas` replicas of the pool, and then exits."""
        pool = self.pool()
        spec = {
            "machineSpec": pool["machineSpec"],
            "diskSpec": pool.get("diskSpec", {}),
            "containerSpec": {
                "imageUri": self.image,
                "command": ["sh", "-c", f"sleep {seconds}; exit {exit_code}"],
            },
        }
        first, others = {**spec, "replicaCount": "1"}, {**spec, "replicaCount": str(replicas - 1)}
        return {
            "displayName": f"pool-queue-probe-{self.run}",
            "labels": {LABEL: self.run},
            "jobSpec": {
                "persistentResourceId": self.resource_id,
                "scheduling": {"timeout": "1800s", "disableRetries": True},
                "workerPoolSpecs": [first, others] if replicas > 1 else [first],
            },
        }

    def create(self, body: Mapping[str, Any]) -> Answer:
        answer = self.wire.post("customJobs", body)
        if answer.ok:
            self.made.append(answer.body["name"])
        return answer

    def state(self, name: str) -> str:
        return str(self.wire.get(name).body.get("state", "JOB_STATE_UNSPECIFIED"))

    def wait(self, happened: Callable[[], bool]) -> float | None:
        """Seconds until `happened`; None when patience ran out."""
        began = time.monotonic()
        while not happened():
            if time.monotonic() - began > self.pace.patience_seconds:
                return None
            time.sleep(self.pace.poll_seconds)
        return round(time.monotonic() - began, 2)

    def wait_for(self, name: str, *states: str) -> float | None:
        return self.wait(lambda: self.state(name) in states)

    def end(self, name: str) -> Mapping[str, Any]:
        """The custom job after it was cancelled and has ended (or patience ran out)."""
        if self.state(name) not in ENDED:
            self.wire.post(f"{name}:cancel")
            self.wait_for(name, *ENDED)
        return self.ended(name)

    def ended(self, name: str) -> Mapping[str, Any]:
        self.ended_numbers.append(name.rsplit("/", 1)[-1])
        return self.wire.get(name).body

    def clean_up(self) -> list[str]:
        """Ends and deletes every custom job made; the names of those that are still there."""
        for name in self.made:
            self.end(name)
            self.wire.delete(name)
        self.made = [name for name in self.made if self.wire.get(name).ok]
        return self.made


def capacity(pool: Mapping[str, Any]) -> int:
    return int(pool.get("autoscalingSpec", {}).get("maxReplicaCount", 0) or pool.get("replicaCount", 0))


def ending(custom_job: Mapping[str, Any]) -> str:
    """State, error and whether it ever ran, in one line."""
    error = custom_job.get("error", {})
    ran = "ran" if custom_job.get("startTime") else "never ran"
    return f"{custom_job.get('state')}, {ran}, error {error.get('code')}: {error.get('message')}"
