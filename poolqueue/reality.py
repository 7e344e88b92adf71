"""Holds settings against what is there: pools and their capacity, and jobs that would lose team or region.

Told by the function that applies settings, which refuses what cannot be, and by `poolctl diff` before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from poolqueue.config import ResourceSettings, Settings
from poolqueue.config.values import EVERY_POOL
from poolqueue.ports import Documents, Query
from poolqueue.records import (
    ResourceName,
    queue_path,
    read_job,
    read_queue,
    read_resource,
    region_key,
)
from poolqueue.scheduling.pools import Pool, Resource

RESOURCES_LIMIT = 500
ARRIVALS_LIMIT = 140


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the settings and reality do not agree on. `refuses`: they must not come into force so."""

    path: str
    problem: str
    refuses: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


@dataclass(frozen=True, kw_only=True)
class Reality:
    """The resources that are known in all regions of the old and the new settings; how many jobs wait there
    or hold replicas, by team, for the teams that were asked for.
    """

    resources: Mapping[ResourceName, Resource] = field(default_factory=dict)
    jobs: Mapping[str, int] = field(default_factory=dict)

    def named(self, id_: str) -> list[Resource]:
        return [resource for name, resource in self.resources.items() if name.id == id_]


def read_reality(documents: Documents, old: Settings, new: Settings) -> Reality:
    """A query per region; and the queues, but only if a team is to vanish."""
    found = _resources(documents, old, new)
    names = [ResourceName.from_full(resource.name) for resource in found]
    vanishing = _names(old) - _names(new)
    jobs: Counter[str] = Counter()
    for name, resource in zip(names, found, strict=True) if vanishing else ():
        jobs.update(team for team in _teams_of_jobs(documents, name, resource) if team in vanishing)
    return Reality(resources=dict(zip(names, found, strict=True)), jobs=jobs)


def findings(old: Settings, new: Settings, reality: Reality, *, now: datetime) -> list[Finding]:
    """All that speaks against `new` in the place of `old`, what refuses it first."""
    found = [
        *_installation(old, new, reality),
        *_teams(old, new, reality),
        *_regions(old, new, reality),
        *_quotas(old, new, reality, now),
        *_retries(new, reality, now),
    ]
    return sorted(found, key=lambda finding: not finding.refuses)


# --- reading ---------------------------------------------------------------------------------------------


def _names(settings: Settings) -> set[str]:
    return {team.name for team in settings.teams}


def _resources(documents: Documents, old: Settings, new: Settings) -> list[Resource]:
    found = []
    for project, location in dict.fromkeys([*old.regions(), *new.regions()]):
        where = {"region": region_key(project, location)}
        found += documents.find(Query(collection="resources", where=where, limit=RESOURCES_LIMIT))
    return [read_resource(document.fields) for document in found if document.fields is not None]


def _teams_of_jobs(documents: Documents, name: ResourceName, resource: Resource) -> Iterator[str]:
    """The team of each job that waits there, has just arrived, or holds replicas."""
    arrived = documents.find(Query(collection="jobs", where={"inbox": name.key}, limit=ARRIVALS_LIMIT))
    shards = documents.read([queue_path(name, shard) for shard in range(resource.shards)])
    lines = read_queue(shard.fields for shard in shards).lines
    yield from (line.waiting.team for line in lines.values())
    jobs = [read_job(document.fields) for document in arrived if document.fields is not None]
    yield from (job.team for job in jobs if job.key not in lines)
    yield from (reservation.team for reservation in resource.reservations.values())


# --- checking --------------------------------------------------------------------------------------------


def _installation(old: Settings, new: Settings, reality: Reality) -> Iterator[Finding]:
    running = sum(len(resource.reservations) for resource in reality.resources.values())
    if old.installation != new.installation and running:
        problem = (
            f"{_count(running, 'job')} would not be known as ours any more, for their custom jobs carry the"
            f" label {old.installation}; keep it, or change it when nothing runs"
        )
        yield Finding(path="installation", problem=problem)


def _teams(old: Settings, new: Settings, reality: Reality) -> Iterator[Finding]:
    for name in sorted(_names(old) - _names(new)):
        if number := reality.jobs.get(name, 0):
            problem = (
                f"team {name} would vanish, and {_count(number, 'job')} of it would stay behind, waiting or"
                " running; cancel them or let them end first"
            )
            yield Finding(path="teams", problem=problem)


def _regions(old: Settings, new: Settings, reality: Reality) -> Iterator[Finding]:
    """Without a team there, nobody would look after what runs there."""
    for project, location in old.regions():
        if (project, location) in new.regions():
            continue
        there = [
            r for name, r in reality.resources.items() if (name.project, name.location) == (project, location)
        ]
        holding, waiting = sum(len(r.reservations) for r in there), sum(r.waiting for r in there)
        if holding or waiting:
            problem = (
                f"{project}/{location} would not be swept any more, and there {_count(holding, 'job')} hold"
                f" replicas and {waiting} wait; let them end first"
            )
            yield Finding(path="location", problem=problem)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where quotas are written, and the known resources that they count for."""

    path: str
    own: ResourceSettings
    resources: Sequence[Resource]
    is_news: bool


def _places(old: Settings, new: Settings, reality: Reality) -> Iterator[_Place]:
    own = {id_ for id_, part in new.resource_settings.items() if "quotas" in part.model_fields_set}
    others = [resource for name, resource in reality.resources.items() if name.id not in own]
    yield _Place(
        path="resource_defaults.quotas",
        own=new.resource_defaults,
        resources=others,
        is_news=old.resource_defaults.quotas != new.resource_defaults.quotas,
    )
    for id_ in sorted(own):
        yield _Place(
            path=f"resource_settings.{id_}.quotas",
            own=new.of_resource(id_),
            resources=reality.named(id_),
            is_news=old.of_resource(id_).quotas != new.of_resource(id_).quotas,
        )


def _quotas(old: Settings, new: Settings, reality: Reality, now: datetime) -> Iterator[Finding]:
    for place in _places(old, new, reality):
        if not place.own.quotas:
            continue
        if not place.resources:
            yield Finding(path=place.path, problem="no such persistent resource is known yet", refuses=False)
            continue
        sure = [each for each in place.resources if each.is_ready and each.is_fresh(now)]
        for resource in place.resources:
            if resource not in sure:
                problem = f"{_id(resource)} was not seen running within the last 90 s: not checked against it"
                yield Finding(path=place.path, problem=problem, refuses=False)
        yield from _unknown_pools(place, sure)
        for resource in sure:
            yield from _guarantees(place, resource)


def _unknown_pools(place: _Place, sure: Sequence[Resource]) -> Iterator[Finding]:
    known = {id_ for resource in place.resources for id_ in _pool_ids(resource)}
    is_certain = len(sure) == len(place.resources)
    for team, pools in place.own.quotas.items():
        for pool in pools:
            if pool != EVERY_POOL and pool not in known:
                where = ", ".join(sorted({_id(resource) for resource in place.resources}))
                has = ", ".join(sorted(known)) or "none"
                yield Finding(
                    path=f"{place.path}.{team}.{pool}",
                    problem=f"{where} has no pool {pool}; it has {has}",
                    refuses=is_certain,
                )


def _retries(settings: Settings, reality: Reality, now: datetime) -> Iterator[Finding]:
    """A pool that a team's rule names is somewhere; where it is not, the rule ends the job."""
    known = {id_ for resource in reality.resources.values() for id_ in _pool_ids(resource)}
    is_certain = bool(known) and all(r.is_ready and r.is_fresh(now) for r in reality.resources.values())
    for place, team in enumerate(settings.teams):
        for index, pool in team.usual_retries().pools():
            if pool not in known:
                has = f"the known ones have {', '.join(sorted(known))}" if known else "none is known yet"
                yield Finding(
                    path=f"teams.{place}.retries.rules.{index}.pool",
                    problem=f"no persistent resource has a pool {pool}; {has}",
                    refuses=is_certain,
                )


def _guarantees(place: _Place, resource: Resource) -> Iterator[Finding]:
    """What was in force before and became too much, as a pool shrank, must not keep other changes out."""
    for pool in resource.pools:
        by_team = {team: guaranteed(place.own, team, pool) for team in place.own.quotas}
        total = sum(by_team.values())
        if total > pool.capacity:
            shares = ", ".join(f"{team} {replicas}" for team, replicas in by_team.items() if replicas)
            problem = (
                f"{total} replicas of pool {', '.join(pool.ids)} of {_id(resource)} are guaranteed"
                f" ({shares}), and it has {pool.capacity}"
            )
            yield Finding(path=place.path, problem=problem, refuses=place.is_news)


def guaranteed(settings: ResourceSettings, team: str, pool: Pool) -> int:
    """A team's guaranteed replicas of a pool; equal pools are one, so theirs add up."""
    quotas = settings.quotas.get(team, {})
    found = [quotas.get(id_, quotas.get(EVERY_POOL)) for id_ in pool.ids]
    return sum(quota.guaranteed for quota in found if quota is not None)


def _pool_ids(resource: Resource) -> Iterable[str]:
    return (id_ for pool in resource.pools for id_ in pool.ids)


def _id(resource: Resource) -> str:
    return ResourceName.from_full(resource.name).id


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
