"""Lets those that depend on an ended job know of it, wherever they wait; ends and releases them.

The commit that ends a job lists it on its resource as unsettled if others depend on it; then a message asks
for this here. What a crash leaves, the sweep finds on the resource, and nothing happens twice: a job that
knows of the end does not wait for it any more.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from poolqueue.cycle.run import settle
from poolqueue.records import ResourceName, job_path, read_job
from poolqueue.scheduling.changes import Change
from poolqueue.scheduling.dependants import DependantsTold, DependencyEnded
from poolqueue.scheduling.jobs import Job, State, job_key
from poolqueue.system import System

CHANGES_AT_ONCE = 20  # of 256 KB each, at the most

log = logging.getLogger(__name__)


def settle_dependants(
    system: System, key: str, *, deadline: datetime, home: ResourceName | None = None
) -> bool:
    """Tell all that depend on the job `key` that it has ended; False if time ran out before all were told.

    `home` is the resource that lists it as unsettled, if it may be that there is no such job any more. One
    that does not end any more, because it is retried, is taken off that list: they wait on.
    """
    job = _jobs(system, [key]).get(key)
    listing = home  # of a member that ended elsewhere than where its array waits
    if job is not None:
        home = ResourceName.from_key(job.resource)
    if home is None:
        return True
    dependants = () if job is None or job.state is not State.ENDED else job.dependants
    changes = {} if job is None else _changes(system, job, dependants)
    last: list[Change] = [*changes.pop(home, []), DependantsTold(key=key, job_ids=frozenset(dependants))]
    beside: list[Change] = [DependantsTold(key=key, job_ids=frozenset())]
    also = [] if listing is None or listing == home else [(listing, beside)]
    for name, those in [*changes.items(), (home, last), *also]:
        for start in range(0, len(those), CHANGES_AT_ONCE):
            if system.clock() >= deadline:
                return False
            chunk = those[start : start + CHANGES_AT_ONCE]
            settle(system, name, chunk, deadline=deadline, linger=False)
    log.info("dependants_settled", extra={"job": key, "count": len(dependants)})
    return True


def _changes(system: System, job: Job, dependants: Sequence[str]) -> dict[ResourceName, list[Change]]:
    """What the end of the job is to each of these, by the resource where it waits."""
    found: dict[ResourceName, list[Change]] = defaultdict(list)
    for each in _jobs(system, (job_key(job.team, job_id) for job_id in dependants)).values():
        if any(dependency.job_id == job.job_id for dependency in each.waits_for):
            assert job.outcome is not None
            change = DependencyEnded(key=each.key, job_id=job.job_id, outcome=job.outcome)
            found[ResourceName.from_key(each.resource)].append(change)
    return dict(found)


def _jobs(system: System, keys: Iterable[str]) -> dict[str, Job]:
    documents = system.documents.read([job_path(key) for key in keys])
    jobs = [read_job(document.fields) for document in documents if document.fields is not None]
    return {job.key: job for job in jobs}
