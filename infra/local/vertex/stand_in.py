"""A stand-in for Vertex AI: puts the parts together, starts and stops them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from infra.local.vertex.admin import Admin
from infra.local.vertex.application import Application
from infra.local.vertex.job_service import JobService
from infra.local.vertex.life import Lives
from infra.local.vertex.log_service import LogService
from infra.local.vertex.logs import Logs, Publish
from infra.local.vertex.operations import Operations
from infra.local.vertex.resource_service import ResourceService
from infra.local.vertex.server import Server
from infra.local.vertex.settings import Settings
from infra.local.vertex.topic import LogTopic
from infra.local.vertex.world import new_world


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
        self._topic = LogTopic(log_topic) if log_topic else None
        self._world = new_world(directory, Settings.model_validate(given))
        logs = Logs(self._world, self._topic.publish if self._topic else publish)
        operations = Operations(self._world.timeline)
        self._lives = Lives(self._world, logs)
        jobs = JobService(self._world, self._lives, operations)
        resources = ResourceService(self._world, self._lives, operations)
        self._admin = Admin(self._world, resources=resources, jobs=jobs, lives=self._lives, logs=logs)
        self._application = Application(
            self._world,
            jobs=jobs,
            resources=resources,
            logs=LogService(self._world, logs),
            operations=operations,
            admin=self._admin,
        )
        self._server = Server(port, self._application.answer)
        for each in self._world.settings.persistent_resources:
            resources.configure(each)

    @classmethod
    def from_settings(cls, directory: Path, settings: Settings, *, port: int = 0) -> Self:
        return cls(directory, port=port, **settings.model_dump())

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def journal_path(self) -> Path:
        return self._world.journal.path

    def start(self) -> None:
        self._lives.runs.start_warden()
        self._world.timeline.start()
        self._server.start()

    def stop(self) -> None:
        """Ends every replica, with all processes of its group."""
        self._application.stop()
        self._server.stop()
        self._world.timeline.stop()
        self._lives.runs.stop()
        if self._topic:
            self._topic.close()
        self._world.journal.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def journal(self) -> list[dict[str, Any]]:
        return self._world.journal.records()

    def behave(self, **behaviour: Any) -> dict[str, Any]:
        with self._world.timeline.lock:
            return self._admin.behave(behaviour)

    def change_pools(self, **command: Any) -> dict[str, Any]:
        with self._world.timeline.lock:
            return self._admin.change_pools(command)

    def set_state(self, **command: Any) -> dict[str, Any]:
        with self._world.timeline.lock:
            return self._admin.set_state(command)

    def finish(self, **command: Any) -> dict[str, Any]:
        with self._world.timeline.lock:
            return self._admin.finish(command)

    def forge_log_line(self, log_entry: Mapping[str, Any]) -> None:
        with self._world.timeline.lock:
            self._admin.forge_log_line(log_entry)
