"""The calls about persistent resources, and what happens to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.vertex import listing, verdicts, wire
from infra.local.vertex.calls import Call, page_size
from infra.local.vertex.custom_jobs import CustomJob
from infra.local.vertex.errors import ServiceError, Violation, failed_precondition, found_errors, not_found
from infra.local.vertex.life import Lives
from infra.local.vertex.names import now, rfc3339
from infra.local.vertex.operations import EMPTY, Operations, response
from infra.local.vertex.pools import PersistentResource, Pool, ResourceKey, ResourceState, new_pools
from infra.local.vertex.settings import Autoscaling, PoolSettings, ResourceSettings
from infra.local.vertex.world import World

_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_GIVEN = ("displayName", "labels", "network", "encryptionSpec", "resourceRuntimeSpec", "reservedIpRanges")


class ResourceService:
    """Each public method of a call is one rpc. Guarded by the timeline's lock."""

    def __init__(self, world: World, lives: Lives, operations: Operations) -> None:
        self._world = world
        self._lives = lives
        self._operations = operations

    def configure(self, given: ResourceSettings) -> PersistentResource:
        """A resource that is there, and running, from the start."""
        key = ResourceKey(project=given.project, location=given.location, id=given.id)
        resource = self._add(key, list(given.pools), {})
        resource.state = ResourceState.RUNNING
        resource.started_at = now()
        return resource

    def _add(
        self, key: ResourceKey, pools: list[PoolSettings], given: Mapping[str, Any]
    ) -> PersistentResource:
        parent = self._world.projects.location_name(key.project, key.location)
        resource = PersistentResource(
            key=key,
            name=f"{parent}/persistentResources/{key.id}",
            pools=new_pools(pools),
            state=ResourceState.PROVISIONING,
            given=given,
        )
        self._world.resources[key] = resource
        self._world.journal.write("resource_created", **resource.journaled())
        return resource

    def create(self, call: Call) -> dict[str, Any]:
        query = call.parameters("persistentResourceId")
        body = wire.persistent_resource(call.body)
        key = self._key(call, query.get("persistentResourceId", ""))
        findings = _findings(key.id, body)
        if findings:
            raise found_errors(findings)
        if key in self._world.resources:
            raise ServiceError("ALREADY_EXISTS", f"The PersistentResource {key.id} already exists.")
        given = {name: body[name] for name in _GIVEN if name in body}
        resource = self._add(key, [_pool_settings(pool) for pool in body["resourcePools"]], given)
        return self._begin(resource, "CreatePersistentResourceOperationMetadata", self._provisioned)

    def _begin(
        self,
        resource: PersistentResource,
        metadata: str,
        finish: Callable[[PersistentResource], dict[str, Any] | None],
    ) -> dict[str, Any]:
        return self._operations.begin(
            resource.name, metadata, self._world.settings.timings.operation_seconds, lambda: finish(resource)
        )

    def _provisioned(self, resource: PersistentResource) -> dict[str, Any]:
        resource.started_at = now()
        self.set_state(resource, ResourceState.RUNNING)
        return response("PersistentResource", self.rendered(resource))

    def get(self, call: Call) -> dict[str, Any]:
        call.parameters()
        return self.rendered(self._resource(call))

    def list_resources(self, call: Call) -> dict[str, Any]:
        query = call.parameters("pageSize", "pageToken")
        size = page_size(query.get("pageSize"), limit=listing.PAGE_SIZE_MOST)
        here = [
            ((rfc3339(resource.created_at), key.id), resource)
            for key, resource in self._world.resources.items()
            if (key.project, key.location) == (call.project, call.location)
        ]
        here.sort(key=lambda each: each[0], reverse=True)
        shown, token = listing.page(here, size=size, token=query.get("pageToken"), question="")
        rendered = [self.rendered(resource) for resource in shown]
        answer: dict[str, Any] = {"persistentResources": rendered} if rendered else {}
        return answer | ({"nextPageToken": token} if token else {})

    def reboot(self, call: Call) -> dict[str, Any]:
        """What still runs on it fails; autoscaled pools come back at their minimum."""
        call.parameters()
        resource = self._resource(call)
        if resource.state not in (ResourceState.RUNNING, ResourceState.ERROR):
            raise failed_precondition(f"A PersistentResource in state {resource.state} cannot be rebooted.")
        self.set_state(resource, ResourceState.REBOOTING)
        for job in self._jobs_on(resource):
            if job.id in resource.holdings:
                self._lives.conclude(job, verdicts.INTERRUPTED)
        return self._begin(resource, "RebootPersistentResourceOperationMetadata", self._rebooted)

    def _rebooted(self, resource: PersistentResource) -> dict[str, Any]:
        resource.shrink_to_minimum()
        self.set_state(resource, ResourceState.RUNNING)
        return response("PersistentResource", self.rendered(resource))

    def delete(self, call: Call) -> dict[str, Any]:
        """Custom jobs on it are cancelled first."""
        call.parameters()
        resource = self._resource(call)
        if resource.state is ResourceState.REBOOTING:
            raise failed_precondition("A PersistentResource cannot be deleted while it is rebooted.")
        self.set_state(resource, ResourceState.STOPPING)
        for job in self._jobs_on(resource):
            self._lives.cancel(job)
        return self._begin(resource, "DeleteOperationMetadata", self._deleted)

    def _deleted(self, resource: PersistentResource) -> dict[str, Any] | None:
        if self._jobs_on(resource):
            return None
        self._world.resources.pop(resource.key, None)
        self._world.journal.write("resource_deleted", **resource.key.journaled())
        return dict(EMPTY)

    def _jobs_on(self, resource: PersistentResource) -> list[CustomJob]:
        return [job for job in self._world.jobs.values() if job.resource == resource.key and not job.ended]

    def set_state(
        self, resource: PersistentResource, state: ResourceState, error: Mapping[str, Any] | None = None
    ) -> None:
        before, resource.state = resource.state, state
        resource.error = error
        resource.updated_at = now()
        self._world.journal.write(
            "resource_state", **resource.key.journaled(), before=before.value, state=state.value
        )
        self._lives.place_waiting(resource)

    def set_pools(self, resource: PersistentResource, pools: list[Pool]) -> None:
        resource.pools = pools
        resource.updated_at = now()
        self._world.journal.write("pools_changed", **resource.journaled())
        self._lives.place_waiting(resource)

    def rendered(self, resource: PersistentResource) -> dict[str, Any]:
        times = {
            "createTime": resource.created_at,
            "startTime": resource.started_at,
            "updateTime": resource.updated_at,
        }
        return {
            "name": resource.name,
            **resource.given,
            "resourcePools": [self._pool(resource, pool) for pool in resource.pools],
            "state": resource.state.value,
            **({"error": resource.error} if resource.error else {}),
            **{key: rfc3339(moment) for key, moment in times.items() if moment is not None},
        }

    def _pool(self, resource: PersistentResource, pool: Pool) -> dict[str, Any]:
        """64-bit numbers are strings, and left out when 0."""
        lag_seconds = self._world.misbehaviour.now.used_replica_lag_seconds
        counts = {
            "replicaCount": pool.size,
            "usedReplicaCount": resource.used_seen(pool.id, lag_seconds=lag_seconds),
        }
        scaling = {"minReplicaCount": str(pool.minimum), "maxReplicaCount": str(pool.maximum)}
        return {
            "id": pool.id,
            "machineSpec": pool.kind.machine_spec,
            "diskSpec": pool.kind.disk_spec,
            **{key: str(count) for key, count in counts.items() if count},
            **({"autoscalingSpec": scaling} if pool.autoscaled else {}),
        }

    def _key(self, call: Call, resource_id: str) -> ResourceKey:
        return ResourceKey(project=call.project, location=call.location, id=resource_id)

    def _resource(self, call: Call) -> PersistentResource:
        resource = self._world.resources.get(self._key(call, call.id))
        if resource is None:
            raise not_found(f"The PersistentResource {call.id} does not exist.")
        return resource

    def named(self, given: Mapping[str, Any]) -> PersistentResource:
        """For the stand-in's own commands: `resource`, with `project` and `location` if its id needs them."""
        wanted = str(given.get("resource", ""))
        found = [
            resource
            for key, resource in self._world.resources.items()
            if wanted in (key.id, resource.name)
            and given.get("project", key.project) == key.project
            and given.get("location", key.location) == key.location
        ]
        if len(found) != 1:
            raise not_found(f"{len(found)} persistent resources are called {wanted!r}.")
        return found[0]


def _findings(resource_id: str, body: Mapping[str, Any]) -> list[Violation]:
    findings = []
    if not _ID.fullmatch(resource_id):
        message = "The id must match [a-z]([a-z0-9-]{0,61}[a-z0-9])?."
        findings.append(Violation(field="persistent_resource_id", message=message))
    if not body.get("resourcePools"):
        field = "persistent_resource.resource_pools"
        findings.append(Violation(field=field, message="Required field is not set."))
    for number, pool in enumerate(body.get("resourcePools", [])):
        if not pool.get("machineSpec", {}).get("machineType"):
            field = f"persistent_resource.resource_pools[{number}].machine_spec"
            findings.append(Violation(field=field, message="Required field is not set."))
    return findings


def _pool_settings(pool: Mapping[str, Any]) -> PoolSettings:
    scaling = pool.get("autoscalingSpec")
    count = pool.get("replicaCount")
    return PoolSettings(
        id=pool.get("id"),
        machine_spec=pool["machineSpec"],
        disk_spec=pool.get("diskSpec", {}),
        replica_count=int(count) if count is not None else None if scaling else 1,
        autoscaling=Autoscaling(
            min=int(scaling.get("minReplicaCount", 0)), max=int(scaling.get("maxReplicaCount", 0))
        )
        if scaling
        else None,
    )
