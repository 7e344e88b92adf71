"""Starts the parts of a stack in the order in which they need each other, and is the handle to them all."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

import grpc
from google.pubsub_v1 import PublisherClient, PubsubMessage
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from infra.local.checker import Report, check_journal, read_journal
from infra.local.emulators import Emulators, start_emulators
from infra.local.nursery import Nursery
from infra.local.processes import ROOT, Child, start_module, start_script
from infra.local.stack.function_server import IMPORTED, FunctionServer, start_function
from infra.local.stack.outcome_log import Announcement, OutcomeLog
from infra.local.stack.plan import PAGE, Plan, write_settings, write_stand_in_configuration
from infra.local.stack.schedule import Schedule
from infra.local.topology import TOPICS, create_topology, topic_name
from poolqueue.adapters.firestore import FirestoreDocuments, create_client
from poolqueue.config import Settings, load_settings, read_environment
from poolqueue.ports import Documents

Say = Callable[[str, str], None]

STAND_IN_STOP_SECONDS = 3.0
FUNCTION_STOP_SECONDS = 1.0
CALL_SECONDS = 60.0


class Stack:
    """A running system, below one directory; made by `start_stack`. Use it as a context."""

    def __init__(self, directory: Path, plan: Plan) -> None:
        self.directory = directory.absolute()
        self.plan = plan
        self.functions: dict[str, FunctionServer] = {}
        self._parts = contextlib.ExitStack()

    # --- start and stop

    def start(self, say: Say = lambda _part, _where: None) -> None:
        """Start everything; `say` hears of each part. Raises `NotReady` after stopping what was started."""
        try:
            self._start_data_plane()
            say("Firestore", self.emulators.firestore_address)
            say("Pub/Sub", f"{self.emulators.pubsub_address}, REST on {self.emulators.pubsub_http_address}")
            self._start_stand_in()
            say("Vertex AI", f"{self.vertex_endpoint}, a stand-in that really runs the jobs")
            self._start_functions()
            say("functions", ", ".join(f"{name} :{each.port}" for name, each in self.functions.items()))
            if self.page_url:
                say("page", self.page_url)
            self._subscribe()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self._parts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_data_plane(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "buckets").mkdir(exist_ok=True)
        self.settings_file = write_settings(self.plan, self.directory)
        self._start_nursery()
        self.emulators: Emulators = start_emulators(self.plan.kind, self.logs)
        self._parts.callback(self._stop_emulators)

    def _start_nursery(self) -> None:
        """It gets ready while the emulators start."""
        self._nursery: Nursery | None = None
        if not self.plan.starts_cold:
            self.logs.mkdir(parents=True, exist_ok=True)
            self._nursery = Nursery(IMPORTED, log=self.logs / "nursery.log", cwd=ROOT)
            self._parts.callback(self._nursery.close)

    def _start_stand_in(self) -> None:
        configuration = write_stand_in_configuration(self.plan, self.directory)
        arguments = ["infra.local.vertex", "--config", str(configuration), "--directory", str(self.stand_in)]
        self.stand_in.mkdir(exist_ok=True)
        self.stand_in_process: Child = start_module(
            "stand-in", arguments, directory=self.logs, environment=self.emulators.environment
        )
        self._parts.callback(self.stand_in_process.stop, grace_seconds=STAND_IN_STOP_SECONDS)
        announced = self.stand_in_process.announced(timeout_seconds=self.plan.start_seconds)
        self.vertex_endpoint = f"http://127.0.0.1:{announced['port']}"
        self.journal_path = Path(announced["journal"])

    def _start_functions(self) -> None:
        self._parts.callback(self._stop_functions)
        with ThreadPoolExecutor(len(self.plan.targets)) as threads:
            starts = [threads.submit(self._start_function, target) for target in self.plan.targets]
        self.functions = {each.result().target: each.result() for each in starts if not each.exception()}
        for each in starts:
            each.result()

    def _start_function(self, target: str, *, port: int = 0) -> FunctionServer:
        return start_function(
            target,
            source=self.plan.source,
            environment={**self.environment(), **self.plan.function_environment},
            directory=self.logs,
            workers=self.plan.workers(target),
            port=port,
            timeout_seconds=self.plan.start_seconds,
            nursery=self._nursery,
        )

    def _stop_functions(self) -> None:
        """All at once, and soon: whatever they still do is recorded, or comes again."""
        with ThreadPoolExecutor(len(self.plan.targets)) as threads:
            for function in self.functions.values():
                threads.submit(function.child.stop, grace_seconds=FUNCTION_STOP_SECONDS)

    def _stop_emulators(self) -> None:
        with ThreadPoolExecutor(2) as threads:
            for each in (self.emulators.firestore, self.emulators.pubsub):
                threads.submit(each.stop)

    def _subscribe(self) -> None:
        environment = read_environment(self.environment())
        self.settings: Settings = load_settings(environment)
        client = create_client(self.project, environment.database, emulator=self.emulators.firestore_address)
        self._parts.callback(client.close)
        self.documents: Documents = FirestoreDocuments(client)
        channel = grpc.insecure_channel(self.emulators.pubsub_address)
        self._parts.callback(channel.close)
        self._publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        urls = {topic.name: self.functions[topic.function].url for topic in TOPICS if topic.function}
        topics = [topic for team in self.settings.teams for topic in (*team.topics, *team.command_topics)]
        teams = list(dict.fromkeys(topic.partition(".")[2] for topic in topics if "." in topic))
        address = self.emulators.pubsub_address
        create_topology(self.plan.project, address, urls, teams=teams, adjust=self.plan.adjust)
        self._outcomes = OutcomeLog(self.plan.project, address)
        self._parts.callback(self._outcomes.stop)
        if self.plan.sweep_seconds is not None:
            self._parts.callback(Schedule(self.sweep, seconds=self.plan.sweep_seconds).stop)

    # --- where things are

    @property
    def project(self) -> str:
        return self.plan.project

    @property
    def logs(self) -> Path:
        """A file of output per process."""
        return self.directory / "logs"

    @property
    def stand_in(self) -> Path:
        """The stand-in's directory: journal, log lines, output of every replica."""
        return self.directory / "stand-in"

    @property
    def buckets(self) -> Path:
        """What stands for `gs://`."""
        return self.directory / "buckets"

    @property
    def page_url(self) -> str | None:
        """Where a browser finds the page, if the plan has one."""
        return f"{self.functions[PAGE].url}/" if self.plan.page else None

    def environment(self) -> dict[str, str]:
        """What a process needs to belong to this system: a function, poolctl, or a publisher."""
        return {
            "GOOGLE_CLOUD_PROJECT": self.project,
            "POOL_QUEUE_SETTINGS": str(self.settings_file),
            "POOL_QUEUE_DATABASE": "(default)",
            "POOL_QUEUE_VERTEX_ENDPOINT": self.vertex_endpoint,
            "POOL_QUEUE_LOGGING_ENDPOINT": self.vertex_endpoint,
            **self.emulators.environment,
        }

    # --- what can be done to it

    def publish(self, topic: str, body: bytes | str | Mapping[str, Any], **attributes: str) -> str:
        """Publish to a topic by its short name; a mapping goes as JSON. The message's id, once accepted."""
        match body:
            case bytes():
                content = body
            case str():
                content = body.encode()
            case _:
                content = json.dumps(body).encode()
        answer = self._publisher.publish(
            topic=topic_name(self.project, topic),
            messages=[PubsubMessage(data=content, attributes=attributes)],
            timeout=CALL_SECONDS,
        )
        return str(answer.message_ids[0])

    def sweep(self) -> None:
        """What the schedule does, now."""
        self.publish(self.settings.sweeps_topic, b"{}")

    def send_event(self, event: Mapping[str, Any]) -> None:
        """Send a CloudEvent, in its structured JSON form, to `data_arrived`, and wait until it is taken."""
        content = {"specversion": "1.0", "datacontenttype": "application/json", **event}
        url = self.functions["data_arrived"].url
        _post(url, content, content_type="application/cloudevents+json")

    def command_stand_in(self, command: str, **fields: Any) -> Any:
        """`behaviour`, `pools`, `state`, `finish` or `log-line`, as the stand-in takes them."""
        return json.loads(_post(f"{self.vertex_endpoint}/stand-in/{command}", fields))

    def kill(self, target: str) -> None:
        """SIGKILL all processes of a function at once; it is gone until `restart`."""
        self.functions[target].child.kill()

    def kill_worker(self, target: str, pid: int) -> None:
        """SIGKILL one worker process of a function; another takes its place."""
        if pid not in self.functions[target].workers():
            raise ValueError(f"{pid} is no worker of {target}")
        os.kill(pid, signal.SIGKILL)

    def restart(self, target: str) -> None:
        """Start a killed function again, on its port."""
        self.functions[target] = self._start_function(target, port=self.functions[target].port)

    def run_script(self, command: Sequence[str | Path], *, within_seconds: float) -> tuple[int, str]:
        """The exit code of a Python script that belongs to this system, and all that it said.

        Raises `subprocess.TimeoutExpired`.
        """
        directory = self.directory / "scripts" / uuid.uuid4().hex
        child = start_script(
            "script", command, directory=directory, environment=self.environment(), nursery=self._nursery
        )
        try:
            code = child.process.wait(within_seconds)
        finally:
            child.stop()
        return code, child.log.read_text(errors="replace")

    # --- what can be seen

    def outcomes(self) -> list[Announcement]:
        """What was announced on `job-outcomes` so far, in the order of receipt."""
        return self._outcomes.announcements

    def journal(self) -> list[dict[str, Any]]:
        """What the stand-in saw and did so far."""
        return list(read_journal(self.journal_path))

    def report(self) -> Report:
        """What the checker makes of the journal."""
        return check_journal(self.journal())


def start_stack(directory: Path, plan: Plan | None = None, *, say: Say = lambda _part, _where: None) -> Stack:
    """The system, ready for messages. `directory` gets its files; `say` hears of each part as it is ready,
    with its name and address.

    Everything ends with `Stack.stop`, or soon after this process ends in whatever way. Raises `NotReady`,
    naming what did not start, with the end of its log.
    """
    stack = Stack(directory, plan or Plan())
    stack.start(say)
    return stack


def _post(url: str, content: Mapping[str, Any], *, content_type: str = "application/json") -> bytes:
    body = json.dumps(content).encode()
    request = Request(url, data=body, headers={"Content-Type": content_type})
    with urlopen(request, timeout=CALL_SECONDS) as answer:
        return bytes(answer.read())
