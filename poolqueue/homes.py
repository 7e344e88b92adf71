"""Chooses the home of a request that asks for any persistent resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from poolqueue.allowed import may_use
from poolqueue.config import Team
from poolqueue.messages import JobRequest, Problem
from poolqueue.ports import Query
from poolqueue.records import ResourceName, read_resource, region_key
from poolqueue.scheduling.board import specs
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.matching import Matched, match_pools
from poolqueue.scheduling.pools import WHOLE_RESOURCE, Resource, free
from poolqueue.system import Known

RESOURCES_LIMIT = 500

_FITS_NOW, _READY, _NOT_READY, _NEVER = range(4)


@dataclass(frozen=True, kw_only=True)
class NoHome:
    """No persistent resource that is known and allowed could run the request."""

    reason: Reason
    problems: tuple[Problem, ...]


def home_of(system: Known, request: JobRequest, team: Team) -> ResourceName | NoHome:
    """The one that the request names; else, of those of its project and location that are known and that the
    team may use, the first in the order of their names whose pools match and that is ready, of these one
    whose free replicas fit now. One whose pools are not confirmed is taken only if there is no such one.
    """
    if request.persistent_resource is not None:
        return ResourceName(
            project=request.project, location=request.location, id=request.persistent_resource
        )
    where = {"region": region_key(request.project, request.location)}
    found = system.documents.find(Query(collection="resources", where=where, limit=RESOURCES_LIMIT))
    known = [read_resource(document.fields) for document in found if document.fields]
    usable = [each for each in known if may_use(ResourceName.from_full(each.name), team, system.settings)]
    return _best(system, request, usable) if usable else _none_known(request, team)


def _best(system: Known, request: JobRequest, usable: Sequence[Resource]) -> ResourceName | NoHome:
    now = system.clock()
    rank, name = min((_rank(request, each, now), each.name) for each in usable)
    if rank < _NEVER:
        return ResourceName.from_full(name)
    nearest = match_pools(request.worker_pools, specs(min(usable, key=lambda each: each.name)))
    assert not isinstance(nearest, Matched)
    above = all(each.above_capacity for each in nearest)
    reason = Reason.ABOVE_CAPACITY if above else Reason.NO_MATCHING_POOL
    return NoHome(reason=reason, problems=tuple(problem.as_problem() for problem in nearest))


def _rank(request: JobRequest, resource: Resource, now: datetime) -> int:
    """Only pools that were confirmed just now can rule a persistent resource out."""
    if not (resource.is_ready and resource.is_fresh(now)):
        return _NOT_READY
    match = match_pools(request.worker_pools, specs(resource))
    if not isinstance(match, Matched):
        return _NEVER
    if WHOLE_RESOURCE in resource.drained:
        return _NOT_READY
    left = free(resource)
    return _FITS_NOW if all(n <= left[key] for key, n in match.demands) else _READY


def _none_known(request: JobRequest, team: Team) -> NoHome:
    where = f"{request.project}/{request.location}"
    problem = Problem(
        path=request.alternatives[0].path,
        value="any",
        problem=f"no persistent resource that team {team.name} may use is known in {where}",
        remedy="name one in persistentResourceId: it is known from then on",
    )
    return NoHome(reason=Reason.RESOURCE_MISSING, problems=(problem,))
