"""One installation in this process: real handlers, cycle and Vertex AI adapter; store and topics in memory.

Vertex AI is the stand-in, over HTTP. Log lines are kept until a test delivers them, or delivered at once.
A cycle that lingers puts the clock forward instead of waiting.
"""

from __future__ import annotations

import base64
import itertools
import json
import time
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from handlers import data_arrived, job_commanded, job_ended, job_requested, swept
from handlers.delivery import Delivery
from infra.local.vertex import StandIn
from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.adapters.memory_publisher import MemoryPublisher
from poolqueue.adapters.vertex import VertexAI
from poolqueue.config import Settings
from poolqueue.cycle.retrying import LONGEST_PAUSE_SECONDS
from poolqueue.in_force import SettingsSource
from poolqueue.ports import Created, CustomJob, Documents, Observer, Query, Submitter
from poolqueue.records import ResourceName, job_path, read_job, read_resource, resource_path
from poolqueue.scheduling.jobs import Job, job_key
from poolqueue.scheduling.pools import Resource
from poolqueue.system import System
from poolqueue.triggers import CloudEventView, Triggers

LOCATION = "us-central1"
SMALL = {"machineType": "n1-standard-4"}
GPU = {"machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1}
DISK = {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100}
DEADLINE_SECONDS = 20.0


class Clock:
    """The real clock, which a test may put forward, or stop."""

    def __init__(self) -> None:
        self._offset = timedelta()
        self._stopped: datetime | None = None

    def __call__(self) -> datetime:
        return (self._stopped or datetime.now(UTC)) + self._offset

    def stop(self) -> None:
        """Nothing passes any more but what is put forward or slept."""
        self._stopped = datetime.now(UTC)

    def advance(self, **by: float) -> None:
        self._offset += timedelta(**by)

    def sleep(self, seconds: float) -> None:
        """Rivals really wait for one another, shortly; whoever waits for time to pass makes it pass."""
        if self._stopped or seconds > LONGEST_PAUSE_SECONDS:
            self.advance(seconds=seconds)
        else:
            time.sleep(seconds)


def pool(machine: Mapping[str, Any] = SMALL, replicas: int = 2, **changes: Any) -> dict[str, Any]:
    return {"machine_spec": machine, "disk_spec": DISK, "replica_count": replicas, **changes}


def worker_pool_spec(
    *,
    machine: Mapping[str, Any] = SMALL,
    replicas: int = 1,
    disk: Mapping[str, Any] | None = DISK,
    **more: Any,
) -> dict[str, Any]:
    spec = {
        "machineSpec": dict(machine),
        "replicaCount": str(replicas),
        "containerSpec": {"imageUri": "demo/image", "command": ["true"]},
        **more,
    }
    return spec if disk is None else {**spec, "diskSpec": dict(disk)}


def custom_job(*specs: dict[str, Any], name: str = "job", **job_spec: Any) -> dict[str, Any]:
    spec = {
        "persistentResourceId": "shared",
        "workerPoolSpecs": list(specs) or [worker_pool_spec()],
        **job_spec,
    }
    return {"displayName": name, "jobSpec": spec}


def request(job_id: str | None = None, *specs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A valid job request; `job_spec` goes into the custom job, anything else into the envelope."""
    body = custom_job(*specs, name=job_id or "job", **changes.pop("job_spec", {}))
    named = {} if job_id is None else {"job_id": job_id}
    return {**named, **changes, "custom_job": body}


class Installation:
    def __init__(
        self,
        directory: Path,
        project: str,
        *,
        pools: list[dict[str, Any]] | None = None,
        settings: Mapping[str, Any] | None = None,
        wrap: Callable[[Any], Any] = lambda port: port,
        documents: Any = None,
        **stand_in: Any,
    ) -> None:
        self.project = project
        self.name = ResourceName(project=project, location=LOCATION, id="shared")
        self.clock = Clock()
        self.log_lines: list[bytes] = []
        self.documents = MemoryDocuments() if documents is None else documents
        self.publisher = MemoryPublisher()
        resource = {
            "project": project,
            "location": LOCATION,
            "id": "shared",
            "pools": pools or [pool()],
        }
        behaviour = {"run_processes": False, **stand_in.pop("behaviour", {})}
        self.stand_in = StandIn(
            directory,
            stand_in.pop("persistent_resources", [resource]),
            publish=lambda data, _attributes: self.log_lines.append(data),
            behaviour=behaviour,
            **stand_in,
        )
        self._ids = itertools.count(1)
        self._asked = 0
        self.fields = {
            "installation": "testing",
            "project": project,
            "location": LOCATION,
            "teams": [{"name": "research", "topics": ["job-requests"]}],
            "pacing": {"creates_per_minute": 10_000},
            **(settings or {}),
        }
        self.settings_text = json.dumps(self.fields)  # JSON is YAML, too
        self._settings = Settings.model_validate(self.fields)
        self._wrap = wrap

    def __enter__(self) -> Self:
        self.stand_in.start()
        vertex = VertexAI(endpoint=self.stand_in.endpoint)
        self.system = self.system_with(documents=self.documents, submitter=vertex, observer=vertex)
        return self

    def __exit__(self, *_: object) -> None:
        self.stand_in.stop()

    def system_with(self, *, documents: Documents, submitter: Submitter, observer: Observer) -> System:
        store = self._wrap(documents)
        source = SettingsSource(
            store, self._settings, text=self.settings_text, project=self.project, clock=self.clock
        )
        return System(
            settings=self._settings,
            source=source,
            project=self.project,
            documents=store,
            publisher=self.publisher,
            submitter=submitter,
            observer=observer,
            clock=self.clock,
            token=lambda: uuid.uuid4().hex,
            sleep=self.clock.sleep,
        )

    # --- what happens to it

    def delivery(self, topic: str, data: bytes, attributes: Mapping[str, str] | None = None) -> Delivery:
        return Delivery(
            topic=f"projects/{self.project}/topics/{topic}",
            message_id=str(next(self._ids)),
            publish_time=self.clock(),
            data=data,
            attributes=attributes or {},
        )

    def ask(self, body: Any, *, topic: str = "job-requests", **attributes: str) -> Delivery:
        """Deliver a job request, and give the delivery, so that a test can deliver it again."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        delivery = self.delivery(topic, data, attributes)
        job_requested.handle(self.system, delivery)
        return delivery

    def command(self, *, topic: str = "job-commands", **body: Any) -> Mapping[str, Any]:
        """Deliver a command, and give its record."""
        return self.deliver_command(self.publish_command(topic=topic, **body))

    def publish_command(self, *, topic: str = "job-commands", **body: Any) -> Delivery:
        """A command that is published now, and delivered when a test does so."""
        named = {"id": f"command-{next(self._ids)}", "author": "tester", "reason": "a test", **body}
        return self.delivery(topic, json.dumps(named).encode())

    def deliver_command(self, delivery: Delivery) -> Mapping[str, Any]:
        """Deliver a command, perhaps not for the first time, and give its record."""
        job_commanded.handle(self.system, delivery)
        fields = self.documents.read([f"commands/{json.loads(delivery.data)['id']}"])[0].fields
        assert fields is not None
        return fields

    def submit_directly(self, *specs: dict[str, Any], name: str = "foreign", **more: Any) -> str:
        """Somebody else's custom job, which did not come through the queue; its full name."""
        body = {**custom_job(*specs, name=name), **more}
        answer = self.system.submitter.create(self.name.parent, body, timeout_seconds=20)
        assert isinstance(answer, Created), answer
        return answer.custom_job.name

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A REST call to Vertex AI as somebody else makes it; `path` begins with `projects/`."""
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(f"{self.stand_in.endpoint}/v1/{path}", data=data, method=method)
        with urllib.request.urlopen(call, timeout=20) as answer:
            return json.load(answer)

    def sweep(self) -> None:
        swept.handle(self.system, self.delivery("sweeps", b"{}"))

    def run_asked_cycles(self) -> list[dict[str, Any]]:
        """Deliver what cycles have asked for on the topic `sweeps`, and what that asks for; all of it."""
        asked = []
        while len(found := self.publisher.on(f"projects/{self.project}/topics/sweeps")) > self._asked:
            body = found[self._asked].body
            self._asked += 1
            asked.append(json.loads(body))
            swept.handle(self.system, self.delivery("sweeps", body))
        return asked

    def arrive(self, triggers: Triggers, event: CloudEventView) -> None:
        data_arrived.handle(self.system, triggers, event)

    def deliver_log_lines(self) -> int:
        """Deliver what the log sink has sent by now; how many."""
        lines, self.log_lines = self.log_lines, []
        for line in lines:
            job_ended.handle(self.system, self.delivery("job-ended", line))
        return len(lines)

    def finish(self, job_id: str, state: str = "SUCCEEDED", **error: Any) -> None:
        """End a running custom job at Vertex AI, and deliver the log line that says so."""
        self.finish_quietly(job_id, state, **error)
        self.deliver_log_lines()

    def finish_quietly(self, job_id: str, state: str = "SUCCEEDED", **error: Any) -> None:
        """End a running custom job at Vertex AI, and wait for the log line; a test delivers it."""
        job = self.job(job_id)
        assert job.custom_job is not None, f"{job_id} is {job.state}, with no custom job"
        self.wait_running(job_id)
        lines = len(self.log_lines)
        self.end(job.custom_job, state, **error)
        self.wait(lambda: len(self.log_lines) > lines, f"the log line of {job_id}")

    def end(self, custom_job: str, state: str = "SUCCEEDED", **error: Any) -> None:
        """End a custom job at Vertex AI, with or without a log line."""
        number = custom_job.rsplit("/", 1)[-1]
        self.stand_in.finish(custom_job=number, state=f"JOB_STATE_{state}", **error)

    # --- what can be seen

    def job(self, job_id: str, *, team: str = "research") -> Job:
        fields = self.documents.read([job_path(job_key(team, job_id))])[0].fields
        assert fields is not None, f"there is no job {job_id}"
        return read_job(fields)

    def resource(self, id_: str = "shared") -> Resource:
        fields = self.documents.read([resource_path(replace(self.name, id=id_))])[0].fields
        assert fields is not None, "the resource is not known yet"
        return read_resource(fields)

    def outcomes(self, job_id: str) -> list[dict[str, Any]]:
        """The messages on job-outcomes about one job, by their sequence numbers: two threads may publish."""
        found = [body for body in self.outcome_messages() if body["job_id"] == job_id]
        return sorted(found, key=lambda body: int(body["sequence"]))

    def states(self, job_id: str) -> list[str]:
        return [entry.state.value for entry in self.job(job_id).history]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.stand_in.journal() if line["event"] == kind]

    def dead_letters(self) -> list[Mapping[str, Any]]:
        found = self.documents.find(Query(collection="dead_letters", newest_first="at"))
        return [document.fields for document in found if document.fields is not None]

    def commands(self) -> list[Mapping[str, Any]]:
        return [record.fields for record in self.documents._engine.every("commands")]

    def outcome_messages(self) -> list[dict[str, Any]]:
        topic = f"projects/{self.project}/topics/job-outcomes"
        return [json.loads(message.body) for message in self.publisher.on(topic)]

    def alive(self) -> list[CustomJob]:
        """The custom jobs that are not terminal, as Vertex AI lists them."""
        return self.system.observer.unfinished(self.name.parent)

    def wait_running(self, job_id: str) -> None:
        name = self.job(job_id).custom_job
        assert name is not None
        self.wait(lambda: self.state_of(name) == "RUNNING", f"{job_id} to run at Vertex AI")

    def state_of(self, name: str) -> str | None:
        seen = self.system.observer.custom_job(name)
        return seen and seen.state.value

    @staticmethod
    def wait(ask: Callable[[], Any], what: str, *, seconds: float = DEADLINE_SECONDS) -> Any:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if answer := ask():
                return answer
            time.sleep(0.005)
        pytest.fail(f"waited {seconds} s for {what}")


def push_body(delivery: Delivery) -> bytes:
    """The delivery as a push subscription sends it."""
    message = {
        "data": base64.b64encode(delivery.data).decode(),
        "attributes": dict(delivery.attributes),
        "messageId": delivery.message_id,
        "publishTime": delivery.publish_time.isoformat().replace("+00:00", "Z"),
    }
    return json.dumps({"message": message, "subscription": "projects/demo/subscriptions/s"}).encode()
