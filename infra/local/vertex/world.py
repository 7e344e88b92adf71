"""Everything that exists in the stand-in."""

from __future__ import annotations

from dataclasses import dataclass, field

from infra.local.vertex.custom_jobs import CustomJob
from infra.local.vertex.pools import PersistentResource, ResourceKey


@dataclass(kw_only=True)
class World:
    """Custom jobs by id and persistent resources by key. Guarded by the timeline's lock."""

    jobs: dict[str, CustomJob] = field(default_factory=dict)
    resources: dict[ResourceKey, PersistentResource] = field(default_factory=dict)

    def resource_of(self, job: CustomJob) -> PersistentResource | None:
        """None for a job on machines of its own, and once the resource is deleted."""
        return self.resources.get(job.resource) if job.resource else None
