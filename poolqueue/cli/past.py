"""Makes a workload of the jobs that ran on a persistent resource, and of its pools as they are now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.session import Session, named_resource
from poolqueue.records import ResourceName, read_resource, resource_path
from poolqueue.scheduling.board import specs
from poolqueue.scheduling.jobs import Demand, Job
from poolqueue.scheduling.matching import Matched, match_pools
from poolqueue.scheduling.pools import Resource
from poolqueue.scheduling.traits import NO_TRAITS
from poolqueue.simulation.sizing import resized
from poolqueue.simulation.workload import Needs, SimulatedJob, SimulatedPool, Workload, by_arrival
from poolqueue.viewing.ended import ended_since


@dataclass(frozen=True, kw_only=True)
class Past:
    """The jobs of one resource that ended in a span of time, the latest first, and the resource as it is."""

    resource: Resource
    jobs: tuple[Job, ...]


def read_past(session: Session, *, span: timedelta, resource: str | None) -> Past:
    """What ended within `span`, at the resource given or at the only one. Raises `Failure`."""
    documents = session.documents()
    named = named_resource(resource)
    since = session.outside.now() - span
    found = [job for job in ended_since(documents, since) if _is_of(job, named)]
    name = _only_resource(found, resource)
    fields = documents.read([resource_path(name)])[0].fields
    if fields is None or not (known := read_resource(fields)).pools:
        told = f"the pools of {name.id} are not known (any more): simulate a trace with --pools instead"
        raise Failure(told, Exit.REFUSED)
    return Past(resource=known, jobs=tuple(found))


def past_workload(past: Past, *, capacity: int | None, replicas: Mapping[str, int]) -> Workload:
    """The jobs that ran, on the pools as they are or resized. Raises `Failure` or `UnknownPool`."""
    pools = _pools(past.resource, capacity, replicas)
    needs = _Needs(past.resource)
    left_out: Counter[str] = Counter()
    jobs = []
    for job in past.jobs:
        placed = _placed(job, needs.of(job.demands), pools)
        if isinstance(placed, str):
            left_out[placed] += 1
        else:
            jobs.append(placed)
    return Workload(pools=pools, jobs=by_arrival(reversed(jobs)), left_out=left_out)


def _is_of(job: Job, named: ResourceName | str | None) -> bool:
    name = ResourceName.from_key(job.resource)
    return named is None or named in {name, name.id}


def _only_resource(jobs: Iterable[Job], asked: str | None) -> ResourceName:
    found = sorted({ResourceName.from_key(job.resource) for job in jobs})
    if not found:
        at = f" at {asked}" if asked is not None else ""
        raise Failure(f"no job has ended{at} in that time: give a longer --history", Exit.REFUSED)
    if len(found) > 1:
        told = ", ".join(name.full for name in found)
        raise Failure(f"jobs ran at several persistent resources: give --resource, of {told}", Exit.USAGE)
    return found[0]


def _pools(
    resource: Resource, capacity: int | None, replicas: Mapping[str, int]
) -> tuple[SimulatedPool, ...]:
    """Pools of one machine and disk are one; any of its ids stands for it."""
    names = {id_: ", ".join(pool.ids) for pool in resource.pools for id_ in pool.ids}
    pools = [
        SimulatedPool(id=", ".join(pool.ids), machine=pool.key.machine, replicas=pool.capacity)
        for pool in resource.pools
    ]
    if capacity is not None and len(pools) > 1:
        told = "--capacity is for a single pool: give --resize POOL=N for each of several"
        raise Failure(f"{told} ({', '.join(pool.id for pool in pools)})", Exit.USAGE)
    if capacity is not None:
        return resized(pools, {pools[0].id: capacity})
    return resized(pools, {names.get(id_, id_): n for id_, n in replicas.items()})


class _Needs:
    """What demands come to on the pools of a resource, whatever capacity these have."""

    def __init__(self, resource: Resource) -> None:
        self._places = {pool.key: place for place, pool in enumerate(resource.pools)}
        self._specs = [replace(spec, capacity=None) for spec in specs(resource)]
        self._found: dict[tuple[Demand, ...], Needs | None] = {}

    def of(self, demands: tuple[Demand, ...]) -> Needs | None:
        """None if it has no such pools."""
        if demands not in self._found:
            match = match_pools(demands, self._specs)
            self._found[demands] = self._needs(match) if isinstance(match, Matched) else None
        return self._found[demands]

    def _needs(self, match: Matched) -> Needs:
        return tuple(sorted((self._places[key], replicas) for key, replicas in match.demands))


def _placed(job: Job, needs: Needs | None, pools: tuple[SimulatedPool, ...]) -> SimulatedJob | str:
    """The job as it is simulated, or why it is left out."""
    if job.started is None or job.ended is None:
        return "it never ran"
    if not needs:
        return "there are no pools (any more) of the machines that it needs"
    if short := [pools[pool].id for pool, n in needs if n > pools[pool].replicas]:
        return f"it needs more replicas than {' and '.join(short)} has"
    return SimulatedJob(
        job_id=job.public_id,
        arrives=job.arrived.timestamp(),
        runs=max(0.0, (job.ended - job.started).total_seconds()),
        needs=needs,
        team=job.team,
        priority=job.priority,
        requested=job.expected_run,
        traits=None if job.traits == NO_TRAITS else job.traits,
        serial=job.serial,
    )
