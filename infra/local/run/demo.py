"""What the demo publishes, and with what it starts: the files below `infra/local/demo/`."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from infra.local.emulators import Kind
from infra.local.processes import ROOT
from infra.local.stack import Plan, Stack
from poolqueue.scheduling.jobs import Outcome
from poolqueue.triggers import event_job_id

DEMO = ROOT / "infra" / "local" / "demo"
REQUESTS_TOPIC = "job-requests"
TEAM = "research"
EVENT_TYPE = "google.cloud.storage.object.v1.finalized"
SWEEP_SECONDS = 5.0  # a minute in production; that a job runs is seen by sweeps


class Entry(BaseModel):
    """One job of the demo: a file that is published, or an object that arrives; and what is expected."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    job: str
    file: str | None = None
    object: str | None = None
    attributes: Mapping[str, str] = {}
    copies: Annotated[int, Field(ge=1)] = 1
    outcome: Outcome
    about: str
    before: tuple[str, ...] = ()
    overtakes: str | None = None

    @model_validator(mode="after")
    def _comes_from_somewhere(self) -> Self:
        if (self.file is None) == (self.object is None):
            raise ValueError(f"{self.job}: give either file or object")
        return self


class Demo(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    waves: tuple[tuple[Entry, ...], ...]

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(entry for wave in self.waves for entry in wave)


def load_demo() -> Demo:
    return Demo.model_validate(_read(DEMO / "demo.yaml"))


def demo_plan(kind: Kind) -> Plan:
    return Plan(
        kind=kind,
        persistent_resources=_read(DEMO / "resources.yaml"),
        settings=_read(DEMO / "settings.yaml"),
        triggers=_read(DEMO / "triggers.yaml"),
        sweep_seconds=SWEEP_SECONDS,
        page=True,
    )


class Publications:
    """Publishes entries, and remembers when, and under which `job_id` each is known."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._event_id = uuid.uuid4().hex[:12]
        self.published: dict[str, datetime] = {}
        self.messages = 0

    def job_id(self, entry: Entry) -> str:
        if entry.object is None:
            return entry.job
        return event_job_id(entry.job, _source(entry.object), self._event_id)

    def publish(self, entry: Entry) -> None:
        self.published[entry.job] = datetime.now(UTC)
        if entry.object is not None:
            self._arrive(entry.object)
            return
        body = (DEMO / "requests" / str(entry.file)).read_bytes()
        for _ in range(entry.copies):
            self._stack.publish(REQUESTS_TOPIC, body, **entry.attributes)
            self.messages += 1

    def _arrive(self, object_: str) -> None:
        """The object first, then the event that Cloud Storage sends of it."""
        # scikit-learn, which has the table, takes a second to import that nothing else here needs.
        from infra.local.training.wine_table import wine_csv  # noqa: PLC0415

        path = self._stack.buckets / object_
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wine_csv(), encoding="utf-8")
        bucket, _, name = object_.partition("/")
        self._stack.send_event(
            {
                "id": self._event_id,
                "source": _source(object_),
                "type": EVENT_TYPE,
                "subject": f"objects/{name}",
                "time": datetime.now(UTC).isoformat(),
                "data": {"bucket": bucket, "name": name, "size": str(path.stat().st_size)},
            }
        )


def _source(object_: str) -> str:
    return f"//storage.googleapis.com/projects/_/buckets/{object_.partition('/')[0]}"


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
