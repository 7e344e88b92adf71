"""The pools that a request's retries name, held against what is there and what its team may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from poolqueue.config import policy_of
from poolqueue.messages import Problem
from poolqueue.records import ResourceName, read_resource, resource_path
from poolqueue.scheduling.jobs import Job, Reason
from poolqueue.scheduling.policies import Quota
from poolqueue.scheduling.pools import Resource
from poolqueue.scheduling.retrying import NoPlace, placed
from poolqueue.scheduling.sharing import most_of, quota_of
from poolqueue.system import Known


@dataclass(frozen=True, kw_only=True)
class Unfit:
    problems: tuple[Problem, ...]
    reason: Reason


def unfit_pools(system: Known, job: Job) -> Unfit | None:
    """What speaks against the pools that its publisher's rules name, as far as the job's home is confirmed;
    one read, and none without such a rule. Those of the team's rules are looked for when one applies.
    """
    named = [] if job.retries.of_team else [*job.retries.pools()]
    if not named:
        return None
    home = ResourceName.from_key(job.resource)
    document = system.documents.read([resource_path(home)])[0]
    resource = Resource(name=home.full) if document.fields is None else read_resource(document.fields)
    is_confirmed = resource.is_ready and resource.is_fresh(system.clock())
    quotas = policy_of(system.settings, home.id).quotas.get(job.team, {})
    found = [
        (Reason.NOT_ALLOWED, each)
        for index, pool in named
        if (each := _above_maximum(job, index, pool, quotas)) is not None
    ]
    if is_confirmed:
        found += [
            (_reason(place), _problem(index, pool, place))
            for index, pool in named
            if isinstance(place := placed(job.demands, pool, resource, system.clock()), NoPlace)
        ]
    if not found:
        return None
    return Unfit(problems=tuple(problem for _, problem in found), reason=min(found, key=_order)[0])


def _order(found: tuple[Reason, Problem]) -> int:
    return [*Reason].index(found[0])


def _above_maximum(job: Job, index: int, pool: str, quotas: Mapping[str, Quota]) -> Problem | None:
    quota = quota_of(quotas, pool)
    most = None if quota is None else most_of(quota)
    wanted = sum(demand.replicas for demand in job.demands)
    if most is None or wanted <= most:
        return None
    return Problem(
        path=_path(index),
        value=pool,
        problem=f"team {job.team} may have {most} replicas of it, and the job asks for {wanted}",
        remedy="name another pool, or ask an operator for a higher maximum",
    )


def _reason(place: NoPlace) -> Reason:
    return Reason.ABOVE_CAPACITY if place.above_capacity else Reason.NO_MATCHING_POOL


def _problem(index: int, pool: str, place: NoPlace) -> Problem:
    return Problem(path=_path(index), value=pool, problem=place.problem, remedy=place.remedy)


def _path(index: int) -> str:
    return f"retries.rules[{index}].pool"
