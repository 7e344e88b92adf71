"""Records what arrives: a request as a new job, a duplicate, or a refusal; anything else as a dead letter."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from poolqueue.announcing import Announcement, announce
from poolqueue.config import Team
from poolqueue.cycle import settle_dependants
from poolqueue.cycle.retrying import until_settled
from poolqueue.dead_letters import bury, problem_fields
from poolqueue.depending import tied
from poolqueue.messages import BadRequest, JobRequest, Problem
from poolqueue.ports import Conflict, Create, Document, PublishFailed, Replace, Write
from poolqueue.records import (
    ResourceName,
    Template,
    job_path,
    read_job,
    template_path,
    write_job,
    write_template,
)
from poolqueue.scheduling.jobs import (
    Job,
    Outcome,
    Reason,
    State,
    record_refused,
)
from poolqueue.system import System
from poolqueue.vetting import Origin, Vetted, id_is_taken, parsed, vetted, vetted_bad

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Received:
    """One message: whose it is, where it came from and what it holds."""

    team: Team
    topic: str
    message_id: str
    publish_time: datetime
    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> Origin:
        return Origin(team=self.team, message_id=self.message_id, published=self.publish_time)


def take_in(system: System, received: Received, *, default_job_id: str) -> ResourceName | None:
    """Record whatever a message holds; the resource whose bell is to be rung, if anything is new."""
    request = parsed(
        system, received.origin, received.data, received.attributes, default_job_id=default_job_id
    )
    match request:
        case JobRequest():
            return record_request(system, request, received)
        case BadRequest(job_id=None, problems=problems):
            _keep(system, received, problems)
        case BadRequest():
            record_bad_request(system, request, received)
        case unreachable:
            assert_never(unreachable)
    return None


def record_request(system: System, request: JobRequest, received: Received) -> ResourceName | None:
    """Record a well-formed request; the resource whose bell is to be rung, None when there is nothing new."""
    found = _vetted(system, request, received)
    if found.reason is not None:
        _refuse(system, found.job, found.problems, found.reason, received)
        return None
    created = _create(system, found.job, received, found.template)
    return None if created is None else ResourceName.from_key(created.resource)


def _vetted(system: System, request: JobRequest, received: Received) -> Vetted:
    """Pub/Sub may bring a request before those that it depends on: then they have some time to come."""
    patience = received.publish_time + system.settings.timing.await_dependencies
    pause = FIRST_PAUSE_SECONDS
    while True:
        found = vetted(system, request, received.origin)
        if found.reason is not Reason.UNKNOWN_JOB or system.clock() >= patience:
            return found
        system.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def record_bad_request(system: System, request: BadRequest, received: Received) -> None:
    """Record a malformed request that belongs to a job id: a job that ended, rejected, with its problems."""
    found = vetted_bad(system, request, received.origin)
    _refuse(system, found.job, found.problems, Reason.BAD_REQUEST, received)


def _keep(system: System, received: Received, problems: Sequence[Problem], *, job: str | None = None) -> None:
    bury(
        system,
        topic=received.topic,
        message_id=received.message_id,
        data=received.data,
        attributes=received.attributes,
        problems=problems,
        job=job,
    )


def _create(system: System, job: Job, received: Received, template: Template | None = None) -> Job | None:
    """Create the job's document, and an array's template; the job if it waits or is held, None if it has
    ended already, or for a duplicate. An id that was refused may be used again.

    Raises `PublishFailed` when it was recorded and could not be announced.
    """

    def attempt() -> Job | None:
        try:
            first, besides = _first(system, job, template)
            fields = write_job(first, retention=system.settings.retention)
            create = Create(path=job_path(job.key), fields=fields)
            system.documents.commit([create, *besides])
        except Conflict:
            return _beside_existing(system, job, received, template)
        return first

    created = until_settled(system, attempt)
    if created is None:
        return None
    if job.outcome is Outcome.REJECTED:
        _keep(system, received, [Problem(**fields) for fields in job.problems], job=created.key)
    first = created.history[0].sequence
    if not announce(system, [Announcement(job=created, first=first, last=first)]):
        raise PublishFailed("the job is recorded; its message must come again to be announced")
    fields = {"job": created.key, "resource": created.resource, "state": created.state.value}
    log.info("job_recorded", extra=fields)
    return None if created.state is State.ENDED else created


def _first(system: System, job: Job, template: Template | None) -> tuple[Job, list[Write]]:
    """The job with its first entry, unless it has that already, and what is written together with it."""
    first, besides = (job, []) if job.history else tied(system, job)
    return first, [*besides, *_template_writes(system, job, template)]


def _template_writes(system: System, job: Job, template: Template | None) -> list[Write]:
    """One of the same path may be left over from an array that was refused, or is forgotten."""
    if template is None:
        return []
    return [system.documents.read([template_path(job.key)])[0].written(write_template(template))]


def _beside_existing(system: System, job: Job, received: Received, template: Template | None) -> Job | None:
    """There is a job of this id: the same request once more, a refused one's successor, or a namesake.

    A delivery of the very message that made the job is answered like the first: it may have died half way.
    """
    document = system.documents.read([job_path(job.key)])[0]
    if document.fields is None:
        raise Conflict(job.key)
    existing = read_job(document.fields)
    if existing.message_id == job.message_id:
        return existing
    if existing.outcome is Outcome.REJECTED:
        return _replace_refused(system, document, existing, job, template)
    if existing.digest == job.digest:
        log.info("job_duplicate", extra={"job": job.key})
        return None
    return _namesake(system, job, received)


def _replace_refused(
    system: System, document: Document, existing: Job, job: Job, template: Template | None
) -> Job:
    """The id's new job; its announcements go on counting where the refused one's ended.

    Who depended on the refused one learns of its end first: nobody waits for the wrong one of the two.
    """
    if existing.dependants:
        settle_dependants(system, existing.key, deadline=system.deadline())
        raise Conflict(existing.key)
    first, besides = _first(system, job, template)
    sequence = existing.sequence + 1
    successor = replace(first, sequence=sequence, history=(replace(first.history[0], sequence=sequence),))
    fields = write_job(successor, retention=system.settings.retention)
    write = Replace(path=document.path, fields=fields, version=document.version)
    system.documents.commit([write, *besides])
    return successor


def _namesake(system: System, job: Job, received: Received) -> Job | None:
    variant = f"refused-{hashlib.sha256(job.message_id.encode()).hexdigest()[:8]}"
    problem = id_is_taken(job.job_id)
    fresh = replace(job, variant=variant, sequence=0, history=(), outcome=None, ended=None, array=None)
    further = [Problem(**fields) for fields in job.problems]
    _refuse(system, fresh, [problem, *further], Reason.ID_TAKEN, received)
    return None


def _refuse(
    system: System, job: Job, problems: Sequence[Problem], reason: Reason, received: Received
) -> None:
    note = "; ".join(f"{problem.path}: {problem.problem}" for problem in problems)[:2000]
    listed = tuple(problem_fields(problem) for problem in problems[:100])
    refused = record_refused(
        replace(job, problems=listed, error=note), at=job.created, reason=reason, note=note
    )
    _create(system, refused, received)
