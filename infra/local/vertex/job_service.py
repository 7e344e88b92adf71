"""The calls about custom jobs: create, get, list, cancel, delete."""

from __future__ import annotations

import re
from typing import Any

from infra.local.vertex import filters, listing, validation, wire
from infra.local.vertex.calls import Call, page_size
from infra.local.vertex.custom_jobs import CustomJob, Phase
from infra.local.vertex.errors import failed_precondition, invalid_argument, not_found
from infra.local.vertex.filters import Listed
from infra.local.vertex.life import Lives
from infra.local.vertex.names import now, numeric_id, rfc3339
from infra.local.vertex.operations import EMPTY, Operations
from infra.local.vertex.pools import PersistentResource, ResourceKey, ResourceState
from infra.local.vertex.world import World

_FULL_NAME = re.compile(
    r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/persistentResources/(?P<id>.+)"
)
_GIVEN = ("displayName", "jobSpec", "labels", "encryptionSpec")


class JobService:
    """Each method is one rpc: call in, JSON out, ServiceError if refused. Guarded by the timeline's lock."""

    def __init__(self, world: World, lives: Lives, operations: Operations) -> None:
        self._world = world
        self._lives = lives
        self._operations = operations

    def create(self, call: Call) -> dict[str, Any]:
        call.parameters()
        body = wire.custom_job(call.body)
        validation.check_custom_job(body)
        job = self._new(call, body)
        self._lives.begin(job)
        return job.rendered(job.phases[-1])

    def _new(self, call: Call, body: dict[str, Any]) -> CustomJob:
        resource = self._resource(call, body["jobSpec"].get("persistentResourceId", ""))
        custom_job_id = numeric_id()
        parent = self._world.projects.location_name(call.project, call.location)
        specs = body["jobSpec"]["workerPoolSpecs"]
        return CustomJob(
            id=custom_job_id,
            project=call.project,
            location=call.location,
            name=f"{parent}/customJobs/{custom_job_id}",
            body={key: body[key] for key in _GIVEN if key in body},
            resource=resource.key if resource else None,
            demands=validation.demands(specs, resource) if resource else (),
        )

    def _resource(self, call: Call, given: str) -> PersistentResource | None:
        """None for a job that asks for no persistent resource."""
        if not given:
            return None
        full = _FULL_NAME.fullmatch(given)
        resource_id = full["id"] if full else given
        key = ResourceKey(project=call.project, location=call.location, id=resource_id)
        resource = self._world.resources.get(key)
        if resource is None:
            raise not_found(f"The PersistentResource {resource_id} does not exist.")
        if resource.state is not ResourceState.RUNNING:
            raise failed_precondition(f"The PersistentResource {resource_id} is in state {resource.state}.")
        return resource

    def get(self, call: Call) -> dict[str, Any]:
        call.parameters()
        job = self._job(call)
        return job.rendered(
            job.phase(lag_seconds=self._world.misbehaviour.now.get_lag_seconds) or job.phases[0]
        )

    def _job(self, call: Call) -> CustomJob:
        job = self._world.jobs.get(call.id)
        here = job is not None and (job.project, job.location) == (call.project, call.location)
        if job is None or not here or job.deleted_at:
            raise not_found(f"The CustomJob {call.id} does not exist.")
        return job

    def list_jobs(self, call: Call) -> dict[str, Any]:
        query = call.parameters("filter", "pageSize", "pageToken", "readMask")
        wanted = filters.parse(query.get("filter", ""))
        mask = listing.read_mask(query.get("readMask"))
        size = page_size(query.get("pageSize"), limit=listing.PAGE_SIZE_MOST)
        found = [(_rank(job), (job, phase)) for job, phase in self._seen(call) if wanted(_listed(job, phase))]
        found.sort(key=lambda each: each[0], reverse=True)
        shown, token = listing.page(
            found, size=size, token=query.get("pageToken"), question=query.get("filter", "")
        )
        rendered = [listing.masked(job.rendered(phase), mask) for job, phase in shown]
        answer: dict[str, Any] = {"customJobs": rendered} if rendered else {}
        return answer | ({"nextPageToken": token} if token else {})

    def _seen(self, call: Call) -> list[tuple[CustomJob, Phase]]:
        lag_seconds = self._world.misbehaviour.now.listing_lag_seconds
        here = (
            job
            for job in self._world.jobs.values()
            if (job.project, job.location) == (call.project, call.location)
        )
        phases = ((job, job.phase(lag_seconds=lag_seconds)) for job in here)
        return [(job, phase) for job, phase in phases if phase is not None]

    def cancel(self, call: Call) -> dict[str, Any]:
        call.parameters()
        wire.check_empty(call.body)
        self._lives.cancel(self._job(call))
        return {}

    def delete(self, call: Call) -> dict[str, Any]:
        """A job that has not ended is refused (the service's own rule is not documented)."""
        call.parameters()
        job = self._job(call)
        if not job.ended:
            raise failed_precondition(f"The CustomJob {job.id} is in state {job.state}; cancel it first.")
        job.deleted_at = now()
        parent = self._world.projects.location_name(call.project, call.location)
        return self._operations.begin(
            parent,
            "DeleteOperationMetadata",
            self._world.settings.timings.operation_seconds,
            lambda: dict(EMPTY),
        )

    def named(self, name_or_id: object) -> CustomJob:
        """For the stand-in's own commands: by numeric id or full name."""
        job = self._world.jobs.get(str(name_or_id).rsplit("/", 1)[-1])
        if job is None:
            raise invalid_argument(f"There is no custom job {name_or_id}.")
        return job


def _rank(job: CustomJob) -> tuple[str, str]:
    """Newest first."""
    return rfc3339(job.created_at), job.id


def _listed(job: CustomJob, phase: Phase) -> Listed:
    return Listed(
        display_name=job.display_name, state=phase.state, create_time=job.created_at, labels=job.labels
    )
