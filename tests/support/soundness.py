"""What holds of every installation at rest, whatever happened to it before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from poolqueue.ports import INSTALLATION_LABEL, TOKEN_LABEL, Query
from poolqueue.scheduling.jobs import State
from poolqueue.scheduling.pools import Resource, occupied
from tests.support.installation import Installation

WITH_RESERVATION = {State.RESERVED, State.SUBMITTED, State.RUNNING, State.CANCELLING}


def check(
    installation: Installation,
    *job_ids: str,
    teams: Mapping[str, str] | None = None,
    on: tuple[str, ...] = ("shared",),
) -> None:
    """Nothing lost, nothing twice, every replica accounted for, every change announced. `teams` are those of
    jobs that are not of the usual one; `on` are the ids of all persistent resources.
    """
    others = teams or {}
    jobs = {
        job_id: installation.job(job_id, team=others.get(job_id, "research"))
        for job_id in dict.fromkeys([*job_ids, *others])
    }
    resources = [installation.resource(id_) for id_ in on]
    _nothing_is_left_over(installation, on)
    _reservations_are_those_of_the_jobs(resources, jobs)
    _custom_jobs_are_those_of_the_reservations(installation, resources)
    _every_change_was_announced(installation, jobs)
    _no_token_was_sent_twice(installation)
    _no_pool_was_over_capacity(resources)


def _nothing_is_left_over(installation: Installation, on: tuple[str, ...]) -> None:
    for id_ in on:
        query = Query(collection="jobs", where={"inbox": replace(installation.name, id=id_).key})
        assert not installation.documents.find(query), f"jobs are left in the inbox of {id_}"


def _reservations_are_those_of_the_jobs(resources: list[Resource], jobs) -> None:
    reserved = Counter(r.job_id for resource in resources for r in resource.reservations.values())
    holding = {
        job_id: job for job_id, job in jobs.items() if job.state in WITH_RESERVATION and job.array is None
    }
    assert reserved == Counter(holding.keys())
    tokens = {job.token for job in holding.values()}
    assert tokens == {token for resource in resources for token in resource.reservations}


def _custom_jobs_are_those_of_the_reservations(installation: Installation, resources: list[Resource]) -> None:
    alive = [job.labels[TOKEN_LABEL] for job in installation.alive() if INSTALLATION_LABEL in job.labels]
    assert sorted(alive) == sorted(token for resource in resources for token in resource.reservations)


def _every_change_was_announced(installation: Installation, jobs) -> None:
    for job_id, job in jobs.items():
        said = {body["sequence"] for body in installation.outcomes(job_id)}
        assert {entry.sequence for entry in job.history} <= said, f"{job_id}: not all was announced"
        assert said <= set(range(1, job.sequence + 1)), f"{job_id}: what never was got announced"


def _no_token_was_sent_twice(installation: Installation) -> None:
    sent = [
        line["labels"][TOKEN_LABEL]
        for line in installation.events("request")
        if line.get("rpc") == "CreateCustomJob" and TOKEN_LABEL in (line.get("labels") or {})
    ]
    assert len(sent) == len(set(sent))


def _no_pool_was_over_capacity(resources: list[Resource]) -> None:
    for resource in resources:
        taken = occupied(resource)
        assert all(taken[pool.key] <= pool.capacity for pool in resource.pools)
