"""What holds of every installation at rest, whatever happened to it before."""

from __future__ import annotations

from collections import Counter

from poolqueue.ports import INSTALLATION_LABEL, TOKEN_LABEL, Query
from poolqueue.scheduling.jobs import State
from poolqueue.scheduling.pools import occupied
from tests.support.installation import Installation

WITH_RESERVATION = {State.RESERVED, State.SUBMITTED, State.RUNNING, State.CANCELLING}


def check(installation: Installation, *job_ids: str) -> None:
    """Nothing lost, nothing twice, every replica accounted for, every change announced."""
    jobs = {job_id: installation.job(job_id) for job_id in job_ids}
    _nothing_is_left_over(installation)
    _reservations_are_those_of_the_jobs(installation, jobs)
    _custom_jobs_are_those_of_the_reservations(installation)
    _every_change_was_announced(installation, jobs)
    _no_token_was_sent_twice(installation)
    _no_pool_was_over_capacity(installation)


def _nothing_is_left_over(installation: Installation) -> None:
    query = Query(collection="jobs", where={"inbox": installation.name.key})
    assert not installation.documents.find(query), "jobs are left in the inbox"


def _reservations_are_those_of_the_jobs(installation: Installation, jobs) -> None:
    reserved = Counter(r.job_id for r in installation.resource().reservations.values())
    wanted = Counter(job_id for job_id, job in jobs.items() if job.state in WITH_RESERVATION)
    assert reserved == wanted
    tokens = {job.token for job in jobs.values() if job.state in WITH_RESERVATION}
    assert tokens == set(installation.resource().reservations)


def _custom_jobs_are_those_of_the_reservations(installation: Installation) -> None:
    alive = [job.labels[TOKEN_LABEL] for job in installation.alive() if INSTALLATION_LABEL in job.labels]
    assert sorted(alive) == sorted(installation.resource().reservations)


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


def _no_pool_was_over_capacity(installation: Installation) -> None:
    resource = installation.resource()
    taken = occupied(resource)
    assert all(taken[pool.key] <= pool.capacity for pool in resource.pools)
