"""Turns what Vertex AI shows of a persistent resource into what happened to ours: the `Observed` event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from poolqueue.ports import (
    INSTALLATION_LABEL,
    JOB_LABEL,
    TEAM_LABEL,
    TOKEN_LABEL,
    CustomJob,
    Observer,
    ResourcePool,
    ResourceState,
    ResourceView,
)
from poolqueue.records import ResourceName
from poolqueue.scheduling.events import Observed, Occupant
from poolqueue.scheduling.pools import Pool, PoolKey, Resource


def look(
    observer: Observer, name: ResourceName, *, ours: Collection[str], installation: str, now: datetime
) -> Observed:
    """Ask Vertex AI for one resource and its custom jobs: two calls. Raises `VertexUnavailable`."""
    view = observer.resource(name.full)
    jobs = observer.unfinished(name.parent) if view.state is not ResourceState.MISSING else []
    return observed(view, on_resource(jobs, name), ours=ours, installation=installation, now=now)


def observed(
    view: ResourceView,
    jobs: Sequence[CustomJob],
    *,
    ours: Collection[str],
    installation: str,
    now: datetime,
) -> Observed:
    """`ours` are the tokens that were reserved before the listing was asked for."""
    pools = tuple(_merged(view.pools))
    return Observed(
        state=view.state.value,
        created=view.created,
        pools=pools,
        listed=tuple(_occupant(job, pools, installation) for job in jobs),
        reserved_before=frozenset(ours),
        at=now,
    )


def on_resource(jobs: Iterable[CustomJob], name: ResourceName) -> list[CustomJob]:
    return [job for job in jobs if job.persistent_resource == name.id]


def is_ours(job: CustomJob, installation: str) -> bool:
    """Did this installation create it? Its labels then name its job and its submission token."""
    named = all(job.labels.get(label) for label in (TOKEN_LABEL, TEAM_LABEL, JOB_LABEL))
    return named and job.labels.get(INSTALLATION_LABEL) == installation


def demanded_pools(job: CustomJob, pools: Sequence[Pool]) -> Counter[PoolKey]:
    """Replicas of a custom job per pool; a worker pool spec without a disk goes to the first that fits."""
    result: Counter[PoolKey] = Counter()
    for machine, disk, replicas in job.demands:
        fitting = [p.key for p in pools if p.key.machine == machine and disk in {None, p.key.disk}]
        if fitting:
            result[fitting[0]] += replicas
    return result


def reserved_tokens(resource: Resource) -> frozenset[str]:
    return frozenset(resource.reservations)


def _occupant(job: CustomJob, pools: Sequence[Pool], installation: str) -> Occupant:
    token = job.labels[TOKEN_LABEL] if is_ours(job, installation) else None
    return Occupant(replicas=demanded_pools(job, pools), token=token, number=job.number)


def _merged(pools: Iterable[ResourcePool]) -> Iterable[Pool]:
    """Pools of equal machine and disk as one: nobody can tell which of them a custom job runs on."""
    groups: dict[PoolKey, list[ResourcePool]] = {}
    for pool in pools:
        groups.setdefault(PoolKey(pool.machine, pool.disk), []).append(pool)
    for key, group in groups.items():
        yield Pool(
            key=key,
            ids=tuple(pool.id for pool in group),
            capacity=sum(pool.capacity for pool in group),
            used=sum(pool.used for pool in group),
        )
