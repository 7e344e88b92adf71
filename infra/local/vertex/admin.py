"""The commands to the stand-in itself: behaviour, pools, states, forced ends, forged log lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.local.vertex.behaviours import violations
from infra.local.vertex.custom_jobs import ENDED, State
from infra.local.vertex.errors import found_errors, invalid_argument
from infra.local.vertex.job_service import JobService
from infra.local.vertex.life import Lives
from infra.local.vertex.logs import Logs
from infra.local.vertex.pools import PersistentResource, Pool, ResourceState, new_pool, new_pools, resized
from infra.local.vertex.resource_service import ResourceService
from infra.local.vertex.settings import Autoscaling, PoolSettings
from infra.local.vertex.verdicts import Verdict
from infra.local.vertex.world import World


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _OfResource(_Command):
    """`resource` is the short id (with project and location if several have it) or the full name."""

    resource: str
    project: str | None = None
    location: str | None = None


class ChangePools(_OfResource):
    """`pools` replaces all; then `remove`, `add` and `resize` apply, in this order."""

    pools: tuple[PoolSettings, ...] | None = None
    remove: tuple[str, ...] = ()
    add: tuple[PoolSettings, ...] = ()
    resize: Mapping[str, Annotated[int, Field(ge=0)] | Autoscaling] = {}


class SetState(_OfResource):
    state: ResourceState
    error: Mapping[str, Any] | None = None


class Finish(_Command):
    """`custom_job` is a numeric id or a full name."""

    custom_job: str
    state: State
    error: Mapping[str, Any] | None = None


Command = TypeVar("Command", bound=_Command)


class Admin:
    """Guarded by the timeline's lock."""

    def __init__(
        self, world: World, *, resources: ResourceService, jobs: JobService, lives: Lives, logs: Logs
    ) -> None:
        self._world = world
        self._resources = resources
        self._jobs = jobs
        self._lives = lives
        self._logs = logs

    def read_behaviour(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return self._world.misbehaviour.now.model_dump(mode="json")

    def behave(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._world.misbehaviour.merge(given)
        return self.read_behaviour({})

    def change_pools(self, given: Mapping[str, Any]) -> dict[str, Any]:
        command = _parsed(ChangePools, given)
        resource = self._named(command)
        pools = list(resource.pools) if command.pools is None else new_pools(command.pools)
        pools = [pool for pool in pools if pool.id not in command.remove]
        for addition in command.add:
            pools.append(new_pool(addition, [pool.id for pool in pools]))
        if unknown := set(command.resize) - {pool.id for pool in pools}:
            raise invalid_argument(f"There is no pool {', '.join(sorted(unknown))}.")
        pools = [
            _resized(pool, command.resize[pool.id]) if pool.id in command.resize else pool for pool in pools
        ]
        self._resources.set_pools(resource, pools)
        return self._resources.rendered(resource)

    def set_state(self, given: Mapping[str, Any]) -> dict[str, Any]:
        command = _parsed(SetState, given)
        resource = self._named(command)
        self._resources.set_state(resource, command.state, command.error)
        return self._resources.rendered(resource)

    def _named(self, command: _OfResource) -> PersistentResource:
        return self._resources.named(
            command.model_dump(include={"resource", "project", "location"}, exclude_none=True)
        )

    def finish(self, given: Mapping[str, Any]) -> dict[str, Any]:
        command = _parsed(Finish, given)
        if command.state not in ENDED:
            raise invalid_argument(f"No job can be finished in state {command.state}.")
        job = self._jobs.named(command.custom_job)
        if not job.ended:
            self._lives.finish(job, Verdict(state=command.state, error=command.error))
        return job.rendered(job.phases[-1])

    def forge_log_line(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._logs.forge(given)
        return {}

    def read_journal(self, _: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self._world.journal.records()


def _parsed(kind: type[Command], given: Mapping[str, Any]) -> Command:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise found_errors(violations(error)) from error


def _resized(pool: Pool, wanted: int | Autoscaling) -> Pool:
    if isinstance(wanted, int):
        return resized(pool, size=wanted, minimum=wanted, maximum=wanted)
    size = min(max(pool.size, wanted.min), wanted.max)
    return resized(pool, size=size, minimum=wanted.min, maximum=wanted.max)
