"""What a stack is started with: the plan, and the settings and configuration files that it becomes."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from infra.local.emulators import Kind
from infra.local.nursery import CAN_FORK
from infra.local.processes import ROOT
from infra.local.topology import Terms

LOCATION = "us-central1"
DISK = {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100}
FUNCTIONS = ("job_requested", "job_commanded", "job_ended", "swept", "data_arrived")
PAGE = "page"
JOB_ENDED_TOPIC = "job-ended"


def new_project() -> str:
    return f"demo-{uuid.uuid4().hex[:8]}"


def pool(id: str, machine: Mapping[str, Any], replicas: int) -> dict[str, Any]:  # noqa: A002  as on the wire
    """A pool of the stand-in, with the usual disk."""
    return {"id": id, "machine_spec": dict(machine), "disk_spec": DISK, "replica_count": replicas}


def resource(id: str, *pools: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002  as on the wire
    """A persistent resource of the stand-in; the plan adds its project and location."""
    return {"id": id, "pools": [dict(each) for each in pools]}


def _default_resources() -> list[dict[str, Any]]:
    return [resource("shared", pool("cpu", {"machineType": "n1-standard-4"}, 2))]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to start.

    `settings` are fields of the settings file beside the usual ones; `triggers` is the triggers file.
    `functions` counts the processes of each function, or of those named (the others get one); they share one
    port, as instances share one address in production: gunicorn's workers take connections from one socket.
    `source` is the file with the functions. `stand_in` are fields of the stand-in's configuration.
    `sweep_seconds` is how often the schedule sweeps; None for never. `adjust` changes push subscriptions.
    `page`: the page is served, too. `starts_cold`: each process of a function loads its libraries itself, as
    in production, which takes seconds.
    """

    kind: Kind = Kind.EMBEDDED
    project: str = field(default_factory=new_project)
    persistent_resources: Sequence[Mapping[str, Any]] = field(default_factory=_default_resources)
    settings: Mapping[str, Any] = field(default_factory=dict)
    triggers: Mapping[str, Any] | None = None
    functions: int | Mapping[str, int] = 1
    function_environment: Mapping[str, str] = field(default_factory=dict)
    source: Path = ROOT / "main.py"
    stand_in: Mapping[str, Any] = field(default_factory=dict)
    sweep_seconds: float | None = 60.0
    adjust: Callable[[Terms], Terms] = lambda terms: terms
    start_seconds: float = 60.0
    page: bool = False
    starts_cold: bool = not CAN_FORK

    @property
    def targets(self) -> tuple[str, ...]:
        """The functions that it starts."""
        return (*FUNCTIONS, PAGE) if self.page else FUNCTIONS

    def workers(self, target: str) -> int:
        return self.functions if isinstance(self.functions, int) else self.functions.get(target, 1)


def new_directory(root: Path = ROOT) -> Path:
    """A directory of its own below `.run/`, to which `.run/latest` leads from now on."""
    (root / ".run").mkdir(exist_ok=True)
    name = f"{datetime.now(UTC):%m%d-%H%M%S}"
    for number in itertools.count(1):
        directory = root / ".run" / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            directory.mkdir()
            _lead(root / ".run" / "latest", to=directory)
            return directory
    raise AssertionError("a count has no end")


def _lead(link: Path, *, to: Path) -> None:
    """Replaced in one step, so that it leads somewhere at any time."""
    unfinished = link.with_name(f".{to.name}")
    unfinished.symlink_to(to.name)
    unfinished.replace(link)


def write_settings(plan: Plan, directory: Path) -> Path:
    """The settings file, beside the triggers file if there is one."""
    usual = {
        "installation": "local",
        "project": plan.project,
        "location": LOCATION,
        "teams": [{"name": "research", "topics": ["job-requests"]}],
    }
    triggers = {}
    if plan.triggers is not None:
        _write_yaml(directory / "triggers.yaml", plan.triggers)
        triggers = {"triggers": "triggers.yaml"}
    return _write_yaml(directory / "settings.yaml", {**usual, **triggers, **plan.settings})


def write_stand_in_configuration(plan: Plan, directory: Path) -> Path:
    resources = [
        {"project": plan.project, "location": LOCATION, **each} for each in plan.persistent_resources
    ]
    configuration = {
        "persistent_resources": resources,
        "log_topic": f"projects/{plan.project}/topics/{JOB_ENDED_TOPIC}",
        "working_directory": str(ROOT),
        "buckets": str(directory / "buckets"),
        **plan.stand_in,
    }
    return _write_yaml(directory / "stand-in.yaml", configuration)


def _write_yaml(path: Path, content: Mapping[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
    return path
