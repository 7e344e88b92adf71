"""What follows an attempt that ended badly: another one, or the job's end; and which rule said so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from poolqueue.scheduling.failures import Failure
from poolqueue.scheduling.jobs import Demand, Job
from poolqueue.scheduling.pools import Pool, Resource
from poolqueue.scheduling.programs import arguments_of, images_of
from poolqueue.scheduling.retries import Pause, RetryRule, charged
from poolqueue.scheduling.similarity import traits_of
from poolqueue.scheduling.traits import NO_TRAITS, Traits


@dataclass(frozen=True, kw_only=True)
class Again:
    """Another attempt, not before then; with other `demands` where a rule sends it to another pool."""

    failure: Failure
    not_before: datetime
    demands: tuple[Demand, ...]
    note: str


@dataclass(frozen=True, kw_only=True)
class Over:
    """No further attempt; `note` says why, and nothing where nobody asked for any."""

    failure: Failure
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class NoPlace:
    """Why a pool can never take these demands. `above_capacity`: it is there, but never large enough."""

    problem: str
    remedy: str
    above_capacity: bool = False


def after(job: Job, failure: Failure, resource: Resource, now: datetime) -> Again | Over:
    """`failure` is the job's latest; pools are those that the resource is known to have."""
    return _charged(job, failure, resource, now) if failure.is_charged else _uncharged(job, failure, now)


def placed(
    demands: Sequence[Demand], pool_id: str, resource: Resource, now: datetime
) -> tuple[Demand, ...] | NoPlace:
    """All of the demands on that one pool, if there is such a pool and it is not known to be too small."""
    pool = next((pool for pool in resource.pools if pool_id in pool.ids), None)
    if pool is None:
        known = ", ".join(id_ for each in resource.pools for id_ in each.ids)
        return NoPlace(problem=f"there is no pool {pool_id}", remedy=f"name one of: {known or 'none'}")
    wanted = sum(demand.replicas for demand in demands)
    if wanted > pool.capacity and resource.is_ready and resource.is_fresh(now):
        return _too_small(pool, pool_id, wanted)
    return tuple(replace(each, machine=pool.key.machine, disk=pool.key.disk) for each in demands)


def traits_on(job: Job, demands: Sequence[Demand]) -> Traits:
    """The job's traits where it makes these demands: on other machines it takes another time."""
    if job.traits == NO_TRAITS:
        return NO_TRAITS
    specs = json.loads(job.custom_job_body)["jobSpec"]["workerPoolSpecs"]
    return traits_of(
        team=job.team,
        name=job.display_name,
        images=images_of(specs),
        machines=[(demand.machine, demand.replicas) for demand in demands],
        arguments=arguments_of(specs),
        timeout=job.traits.timeout,
        claimed=job.traits.claimed,
        min_run=job.traits.min_run,
    )


def _too_small(pool: Pool, pool_id: str, wanted: int) -> NoPlace:
    return NoPlace(
        problem=f"pool {pool_id} can have {pool.capacity} replicas, and the job asks for {wanted}",
        remedy="name a larger pool, or make it larger",
        above_capacity=True,
    )


# --- by Vertex AI's fault --------------------------------------------------------------------------------


def _uncharged(job: Job, failure: Failure, now: datetime) -> Again | Over:
    before = sum(not each.is_charged for each in job.failures)
    most = job.retries.infrastructure
    if before >= most:
        told = (
            f"by Vertex AI's fault; tried again {_times(most)} already after such an end, as often as may be"
        )
        return Over(failure=failure, note=told if most else "")
    told = f"by Vertex AI's fault, not charged: retry {before + 1} of {most} after such an end"
    seconds = _pause(job, failure, job.retries.pause, before)
    return _again(job, failure, job.demands, seconds=seconds, told=told, now=now)


# --- by its own ------------------------------------------------------------------------------------------


def _charged(job: Job, failure: Failure, resource: Resource, now: datetime) -> Again | Over:
    retries = job.retries
    found = retries.rule_for(failure)
    if not retries.are_wanted or found is None:
        return Over(failure=failure, note="no rule of its retries applies" if retries.rules else "")
    number, rule = found
    failure = replace(failure, rule=number)
    said = "" if number is None else f"{retries.named(number)}: "
    used = sum(each.is_charged and each.rule == number for each in job.failures)
    if refusal := _refusal(job, rule, used):
        return Over(failure=failure, note=f"{said}{refusal}")
    demands = job.demands if rule.pool is None else placed(job.demands, rule.pool, resource, now)
    if isinstance(demands, NoPlace):
        return Over(failure=failure, note=f"{said}on pool {rule.pool}, but {demands.problem}")
    where = "" if rule.pool is None else f" on pool {rule.pool}"
    told = f"{said}retry{where}; {charged(job.failures) + 1} of {retries.attempts} attempts charged"
    seconds = _pause(job, failure, rule.pause or retries.pause, used)
    return _again(job, failure, demands, seconds=seconds, told=told, now=now)


def _pause(job: Job, failure: Failure, pause: Pause, before: int) -> float:
    return pause.seconds(before, of=f"{job.key}/{failure.attempt}")


def _refusal(job: Job, rule: RetryRule, used: int) -> str:
    """Why the rule, which has sent it `used` times, does not do so once more; nothing if it does."""
    most = job.retries.attempts
    if rule.retry == 0:
        return "never"
    if rule.retry is not None and used >= rule.retry:
        return f"tried again {_times(used)} already, as often as it says"
    return _exhausted(most) if charged(job.failures) + 1 >= most else ""


def _exhausted(most: int) -> str:
    return "its only attempt is charged" if most == 1 else f"all {most} attempts are charged"


# --- when ------------------------------------------------------------------------------------------------


def _again(
    job: Job, failure: Failure, demands: tuple[Demand, ...], *, seconds: float, told: str, now: datetime
) -> Again | Over:
    not_before = now + timedelta(seconds=seconds)
    if job.deadline is not None and not_before >= job.deadline:
        return Over(failure=failure, note=f"{told}; but its deadline comes before it could begin")
    return Again(
        failure=failure, not_before=not_before, demands=demands, note=f"{told}; after {seconds:.0f} s"
    )


def _times(number: int) -> str:
    return f"{number} time{'' if number == 1 else 's'}"
