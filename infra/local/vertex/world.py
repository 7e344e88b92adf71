"""Everything that exists in the stand-in, and what all of its parts share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from infra.local.vertex.behaviours import Misbehaviour
from infra.local.vertex.custom_jobs import CustomJob
from infra.local.vertex.journal import Journal
from infra.local.vertex.names import Projects
from infra.local.vertex.pools import PersistentResource, ResourceKey
from infra.local.vertex.settings import Settings
from infra.local.vertex.timeline import Timeline


@dataclass(frozen=True, kw_only=True)
class World:
    """Custom jobs by id and persistent resources by key; read and changed only under the timeline's lock."""

    directory: Path
    settings: Settings
    journal: Journal
    misbehaviour: Misbehaviour
    projects: Projects
    timeline: Timeline = field(default_factory=Timeline)
    jobs: dict[str, CustomJob] = field(default_factory=dict)
    resources: dict[ResourceKey, PersistentResource] = field(default_factory=dict)

    def resource_of(self, job: CustomJob) -> PersistentResource | None:
        """None for a job on machines of its own, and once the resource is deleted."""
        return self.resources.get(job.resource) if job.resource else None


def new_world(directory: Path, settings: Settings) -> World:
    directory.mkdir(parents=True, exist_ok=True)
    return World(
        directory=directory,
        settings=settings,
        misbehaviour=Misbehaviour(settings.behaviour),
        projects=Projects(settings.project_numbers),
        journal=Journal(directory / "journal.jsonl"),
    )
