"""A job that is retried waits again for those of its dependencies that have not ended, or are retried too.

What has ended is decided by whoever retries the job without it.
"""

from __future__ import annotations

from datetime import datetime

from poolqueue.cycle import settle
from poolqueue.cycle.retrying import until_settled
from poolqueue.depending import awaited
from poolqueue.records import ResourceName, job_path, read_job
from poolqueue.scheduling.dependants import DependencyEnded
from poolqueue.scheduling.dependency import Dependency
from poolqueue.scheduling.jobs import Job, job_key
from poolqueue.system import System


def rejoin(system: System, job: Job) -> tuple[Dependency, ...]:
    """Those that the job is to wait for, which know of it from now on."""
    if not job.depends_on:
        return ()

    def attempt() -> tuple[Dependency, ...]:
        left, writes = awaited(system, job)
        if writes:
            system.documents.commit(writes)
        return left

    return until_settled(system, attempt)


def learn_of_ends(system: System, job: Job, *, deadline: datetime) -> None:
    """One of those may have ended before the job waited for it, and then told nobody."""
    paths = [job_path(job_key(job.team, each.job_id)) for each in job.waits_for]
    documents = system.documents.read(paths)
    found = [read_job(document.fields) for document in documents if document.fields is not None]
    changes = [
        DependencyEnded(key=job.key, job_id=each.job_id, outcome=each.outcome)
        for each in found
        if each.outcome is not None
    ]
    if changes:
        settle(system, ResourceName.from_key(job.resource), changes, deadline=deadline)
