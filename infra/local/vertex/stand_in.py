"""A stand-in for Vertex AI: puts the parts together, starts and stops them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from infra.local.vertex.admin import Admin
from infra.local.vertex.application import Application
from infra.local.vertex.behaviours import Misbehaviour
from infra.local.vertex.job_service import JobService
from infra.local.vertex.journal import Journal
from infra.local.vertex.life import Lives
from infra.local.vertex.logs import Logs, Publish
from infra.local.vertex.names import Projects
from infra.local.vertex.operations import Operations
from infra.local.vertex.resource_service import ResourceService
from infra.local.vertex.server import Server
from infra.local.vertex.settings import Settings
from infra.local.vertex.timeline import Timeline
from infra.local.vertex.topic import LogTopic
from infra.local.vertex.world import World


class StandIn:
    """One Vertex AI of every project and location, on a port of 127.0.0.1.

    `directory` gets `journal.jsonl`, `logs/` and `output/`. The other settings are those of the YAML file.
    `publish`, if given, gets what would be published to `log_topic`.
    """

    def __init__(
        self,
        directory: Path,
        persistent_resources: Sequence[Mapping[str, Any]] = (),
        *,
        log_topic: str | None = None,
        publish: Publish | None = None,
        port: int = 0,
        **settings: Any,
    ) -> None:
        given = {**settings, "persistent_resources": list(persistent_resources), "log_topic": log_topic}
        directory.mkdir(parents=True, exist_ok=True)
        self._assemble(directory, Settings.model_validate(given), publish, port)

    @classmethod
    def from_settings(cls, directory: Path, settings: Settings, *, port: int = 0) -> Self:
        return cls(directory, port=port, **settings.model_dump())

    def _assemble(self, directory: Path, settings: Settings, publish: Publish | None, port: int) -> None:
        self._timeline = Timeline()
        self._journal = Journal(directory / "journal.jsonl")
        self._topic = LogTopic(settings.log_topic) if settings.log_topic else None
        misbehaviour = Misbehaviour(settings.behaviour)
        projects = Projects(settings.project_numbers)
        operations = Operations(self._timeline)
        world = World()
        logs = Logs(
            directory=directory / "logs",
            journal=self._journal,
            timeline=self._timeline,
            misbehaviour=misbehaviour,
            delay_seconds=settings.timings.log_delay_seconds,
            publish=self._topic.publish if self._topic else publish,
        )
        self._lives = Lives(
            world=world,
            directory=directory / "output",
            settings=settings,
            journal=self._journal,
            timeline=self._timeline,
            misbehaviour=misbehaviour,
            projects=projects,
            logs=logs,
        )
        jobs = JobService(
            world=world,
            lives=self._lives,
            misbehaviour=misbehaviour,
            operations=operations,
            projects=projects,
            timings=settings.timings,
        )
        resources = ResourceService(
            world=world,
            lives=self._lives,
            misbehaviour=misbehaviour,
            operations=operations,
            projects=projects,
            timings=settings.timings,
            journal=self._journal,
        )
        for each in settings.persistent_resources:
            resources.configure(each)
        self._admin = Admin(
            misbehaviour=misbehaviour,
            resources=resources,
            jobs=jobs,
            lives=self._lives,
            logs=logs,
            journal=self._journal,
        )
        self._application = Application(
            timeline=self._timeline,
            journal=self._journal,
            misbehaviour=misbehaviour,
            projects=projects,
            jobs=jobs,
            resources=resources,
            operations=operations,
            admin=self._admin,
        )
        self._server = Server(port, self._application.answer)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def journal_path(self) -> Path:
        return self._journal.path

    def start(self) -> None:
        self._lives.runs.start_warden()
        self._timeline.start()
        self._server.start()

    def stop(self) -> None:
        """Ends every replica, with all processes of its group."""
        self._application.stop()
        self._server.stop()
        self._timeline.stop()
        self._lives.runs.stop()
        if self._topic:
            self._topic.close()
        self._journal.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def journal(self) -> list[dict[str, Any]]:
        return self._journal.records()

    def behave(self, **behaviour: Any) -> dict[str, Any]:
        with self._timeline.lock:
            return self._admin.behave(behaviour)

    def change_pools(self, **command: Any) -> dict[str, Any]:
        with self._timeline.lock:
            return self._admin.change_pools(command)

    def set_state(self, **command: Any) -> dict[str, Any]:
        with self._timeline.lock:
            return self._admin.set_state(command)

    def finish(self, **command: Any) -> dict[str, Any]:
        with self._timeline.lock:
            return self._admin.finish(command)

    def forge_log_line(self, log_entry: Mapping[str, Any]) -> None:
        with self._timeline.lock:
            self._admin.forge_log_line(log_entry)
