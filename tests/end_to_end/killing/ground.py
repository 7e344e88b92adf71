"""Firestore, Pub/Sub, the stand-in, a process to be killed and a healthy one, shared by many cases."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import yaml

from handlers import job_ended, job_requested, swept
from handlers.delivery import Delivery
from infra.local.emulators import Kind, start_emulators
from infra.local.nursery import Nursery
from infra.local.processes import ROOT, start_script
from infra.local.stack.outcome_log import OutcomeLog
from infra.local.topology import create_topology, topic_name
from infra.local.vertex import StandIn
from poolqueue.adapters.firestore import FirestoreDocuments, create_client
from poolqueue.config import load_settings, read_environment
from poolqueue.ports import CustomJob, Query
from poolqueue.records import (
    ResourceName,
    job_path,
    read_job,
    read_resource,
    resource_path,
)
from poolqueue.scheduling.jobs import Job, job_key
from poolqueue.scheduling.pools import Resource
from poolqueue.wiring import build_system
from tests.end_to_end.killing.deadly import Death
from tests.end_to_end.killing.victim import Victim
from tests.support.installation import LOCATION, Clock, pool, push_body, request

TEAM = "research"
UNTIL_ANSWERED_SECONDS = 3 * 60
QUIET_PERIOD_SECONDS = 6 * 60
AT_ONCE = 4
VICTIM = Path(__file__).with_name("victim.py")
WAIT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """`signal` is what killed it; `counts` are its calls, if it lived."""

    signal: int
    exit_code: int
    counts: Mapping[str, int]


class Ground:
    """One installation with many persistent resources, of one replica each: a case has one for itself."""

    def __init__(self, kind: Kind, directory: Path, project: str, *, resources: Iterable[str]) -> None:
        self.project = project
        self._kind = kind
        self._directory = directory
        self._resources = list(resources)
        self._unused = iter(self._resources)
        self._lines: dict[str, bytes] = {}
        self._clock = Clock()  # of the healthy process
        self._ids = itertools.count(1)
        self._victims = itertools.count(1)
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            self._start(parts)
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    def _start(self, parts: ExitStack) -> None:
        emulators = parts.enter_context(start_emulators(self._kind, self._directory / "logs"))
        self.stand_in = parts.enter_context(self._new_stand_in())
        self._variables = variables = {
            "GOOGLE_CLOUD_PROJECT": self.project,
            "POOL_QUEUE_SETTINGS": str(self._write_settings()),
            "POOL_QUEUE_VERTEX_ENDPOINT": self.stand_in.endpoint,
            **emulators.environment,
        }
        self._nursery = Nursery([Victim.__module__], log=self._directory / "logs" / "nursery.log", cwd=ROOT)
        parts.callback(self._nursery.close)
        create_topology(self.project, emulators.pubsub_address, {})
        self._outcomes = OutcomeLog(self.project, emulators.pubsub_address)
        parts.callback(self._outcomes.stop)
        environment = read_environment(variables)
        client = create_client(self.project, environment.database, emulator=emulators.firestore_address)
        parts.callback(client.close)  # before its server ends, which gRPC would remark upon
        system = build_system(environment, load_settings(environment))
        self.system = replace(
            system, documents=FirestoreDocuments(client), clock=self._clock, sleep=self._clock.sleep
        )

    def _new_stand_in(self) -> StandIn:
        resources = [
            {"project": self.project, "location": LOCATION, "id": each, "pools": [pool(replicas=1)]}
            for each in self._resources
        ]
        return StandIn(
            self._directory, resources, publish=self._keep_line, behaviour={"run_processes": False}
        )

    def _keep_line(self, line: bytes, _attributes: Any) -> None:
        self._lines[json.loads(line)["resource"]["labels"]["job_id"]] = line

    def _write_settings(self) -> Path:
        settings = {
            "installation": "testing",
            "location": LOCATION,
            "teams": [{"name": TEAM, "topics": ["job-requests"]}],
            "pacing": {"creates_per_minute": 100_000},
        }
        path = self._directory / "settings.yaml"
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return path

    def unused(self) -> str:
        """A persistent resource that no case has had yet."""
        return next(self._unused)

    # --- messages, to the healthy process and to one that is killed

    def request(self, resource: str, job_id: str) -> Delivery:
        body = request(job_id, job_spec={"persistentResourceId": resource})
        return self._delivery("job-requests", json.dumps(body).encode())

    def line_of(self, custom_job: str) -> Delivery:
        """The log line of a custom job that has ended."""
        number = custom_job.rsplit("/", 1)[-1]
        wait_for(lambda: number in self._lines, f"the log line of {custom_job}")
        return self._delivery("job-ended", self._lines[number])

    def _delivery(self, topic: str, content: bytes) -> Delivery:
        return Delivery(
            topic=topic_name(self.project, topic),
            message_id=str(next(self._ids)),
            publish_time=datetime.now(UTC),
            data=content,
        )

    def deliver(self, delivery: Delivery) -> None:
        match delivery.topic.rsplit("/", 1)[-1]:
            case "job-requests":
                job_requested.handle(self.system, delivery)
            case "job-ended":
                job_ended.handle(self.system, delivery)

    def sweep_after_quiet_period(self) -> None:
        """One of the sweeps during the quiet period, which notes what it misses, and the one after it."""
        for seconds in (UNTIL_ANSWERED_SECONDS, QUIET_PERIOD_SECONDS):
            self._clock.advance(seconds=seconds)
            swept.handle(self.system, self._delivery("sweeps", b"{}"))

    def kill(self, delivery: Delivery, death: Death | None, *, meets_rival: bool) -> Ended:
        """Let another process handle it and die; without a death it tells its calls."""
        functions = {"job-requests": "job_requested", "job-ended": "job_ended"}
        victim = Victim(
            function=functions[delivery.topic.rsplit("/", 1)[-1]],
            path=f"/{delivery.topic}",
            body=push_body(delivery).decode(),
            death=None if death is None else death.as_json(),
            meets_rival=meets_rival,
        )
        return self._run(victim)

    def _run(self, victim: Victim) -> Ended:
        """Returns when the process has ended."""
        name = f"victim-{next(self._victims)}"
        counts = self._directory / f"{name}.json"
        process = start_script(
            name,
            [VICTIM, victim.as_json(), counts],
            directory=self._directory / "logs",
            environment=self._variables,
            nursery=self._nursery,
        )
        code = process.process.wait(WAIT_SECONDS)
        process.stop()
        told = json.loads(counts.read_text()) if counts.exists() else {}
        return Ended(signal=max(0, -code), exit_code=max(0, code), counts=told)

    def finish(self, custom_job: str) -> None:
        """End it at Vertex AI."""
        number = custom_job.rsplit("/", 1)[-1]
        wait_for(lambda: self._state_of(custom_job) == "RUNNING", f"{custom_job} to run")
        self.stand_in.finish(custom_job=number, state="JOB_STATE_SUCCEEDED")

    def _state_of(self, custom_job: str) -> str | None:
        seen = self.system.observer.custom_job(custom_job)
        return seen and seen.state.value

    # --- what can be seen

    def name(self, resource: str) -> ResourceName:
        return ResourceName(project=self.project, location=LOCATION, id=resource)

    def job(self, job_id: str) -> Job:
        fields = self.system.documents.read([job_path(job_key(TEAM, job_id))])[0].fields
        assert fields is not None, f"there is no job {job_id}"
        return read_job(fields)

    def resource(self, resource: str) -> Resource:
        fields = self.system.documents.read([resource_path(self.name(resource))])[0].fields
        assert fields is not None, f"{resource} is not known"
        return read_resource(fields)

    def inbox(self, resource: str) -> list[str]:
        query = Query(collection="jobs", where={"inbox": self.name(resource).key})
        return [document.path for document in self.system.documents.find(query)]

    def alive(self) -> list[CustomJob]:
        return self.system.observer.unfinished(f"projects/{self.project}/locations/{LOCATION}")

    def announced(self) -> dict[str, set[int]]:
        """The sequence numbers that were announced, by job."""
        told: dict[str, set[int]] = {}
        for each in self._outcomes.announcements:
            told.setdefault(each.attributes["job_id"], set()).add(int(each.attributes["sequence"]))
        return told


def wait_for(ready: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {WAIT_SECONDS} s for {what}")
        time.sleep(0.02)


def at_once(act: Callable[[Any], Any], each_of: Iterable[Any]) -> list[Any]:
    """What `act` gives for each of them, a few at a time; the first failure is raised."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(act, each_of))
