"""What a job asks of its scheduling, as an operator is shown it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from poolqueue.records import ResourceName
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.jobs import Job
from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.waiting import Waiting


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """Another persistent resource that may run the job, None for any, once it has waited for `after`."""

    resource: str | None
    after: timedelta


@dataclass(frozen=True, kw_only=True)
class Terms:
    """`expires`: when it ends if it still waits. `expected_run` is the publisher's claim."""

    expected_run: timedelta | None = None
    not_before: datetime | None = None
    deadline: datetime | None = None
    expires: datetime | None = None
    preemptions: int = 0
    alternatives: tuple[Elsewhere, ...] = ()
    serial: Serial | None = None


def terms_of(job: Job | Waiting, here: str) -> Terms:
    """`here` is the key of the resource where it waits or ran: the others are elsewhere."""
    claimed = job.traits.claimed
    return Terms(
        expected_run=None if claimed is None else timedelta(seconds=claimed),
        not_before=job.not_before,
        deadline=job.deadline,
        expires=job.expires,
        preemptions=job.preemptions,
        serial=job.serial,
        alternatives=tuple(_elsewhere(each) for each in job.alternatives if each.resource != here),
    )


def _elsewhere(alternative: Alternative) -> Elsewhere:
    name = None if alternative.resource is None else ResourceName.from_key(alternative.resource).full
    return Elsewhere(resource=name, after=timedelta(seconds=alternative.after))
