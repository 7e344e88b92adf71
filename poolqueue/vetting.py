"""Holds a request against what its team may have and what is known of pools: a job, or all that is wrong.

Nothing is written: intake records what comes of it, a dry run only tells it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from poolqueue.allowed import check_allowed
from poolqueue.config import Team
from poolqueue.depending import check_dependencies
from poolqueue.homes import NoHome, home_of
from poolqueue.messages import BadRequest, JobRequest, Problem, parse_request
from poolqueue.new_job import new_job, template_of
from poolqueue.records import ResourceName, Template, job_path, read_job, read_resource, resource_path
from poolqueue.retry_pools import unfit_pools
from poolqueue.scheduling.board import specs
from poolqueue.scheduling.jobs import Job, Outcome, Reason
from poolqueue.scheduling.matching import Demand, Matched, match_pools
from poolqueue.system import Known
from poolqueue.waiting_limit import check_waiting

UNKNOWN = "unknown"  # stands for the persistent resource of a request that names none


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Whose a message is, and when it was published as what."""

    team: Team
    message_id: str
    published: datetime


@dataclass(frozen=True, kw_only=True)
class Vetted:
    """The job of a request, of an array with what its members are made of; with `problems` it is refused, for
    `reason`.
    """

    job: Job
    template: Template | None = None
    problems: tuple[Problem, ...] = ()
    reason: Reason | None = None


def parsed(
    system: Known, origin: Origin, data: bytes, attributes: Mapping[str, str], *, default_job_id: str
) -> JobRequest | BadRequest:
    """The request in a message, by the defaults of its team."""
    team, settings = origin.team, system.settings
    return parse_request(
        data,
        attributes,
        default_job_id=default_job_id,
        project=team.project or settings.project,
        location=team.location or settings.location,
        default_priority=team.default_priority,
    )


def vetted(system: Known, request: JobRequest, origin: Origin) -> Vetted:
    """What becomes of a well-formed request."""
    problems = check_allowed(request, origin.team, system.settings)
    home = home_of(system, request, origin.team)
    if isinstance(home, NoHome):
        unknown = ResourceName(project=request.project, location=request.location, id=UNKNOWN)
        reason = Reason.NOT_ALLOWED if problems else home.reason
        return _refused(_job(request, unknown, origin), [*problems, *home.problems], reason)
    job = _job(request, home, origin)
    if problems:
        problems = [*problems, *match_problems(system, home, request.worker_pools)]
        return _refused(job, problems, Reason.NOT_ALLOWED)
    unsound = check_dependencies(system, job)
    if unsound is not None and not _is_known(system, job):
        return _refused(job, unsound.problems, unsound.reason)
    unfit = unfit_pools(system, job)
    if unfit is not None and not _is_known(system, job):
        return _refused(job, unfit.problems, unfit.reason)
    too_many = check_waiting(system, job, origin.team)
    if too_many and not _is_known(system, job):
        return _refused(job, too_many, Reason.TOO_MANY_WAITING)
    return Vetted(job=job, template=template_of(request, home, origin.team))


def _is_known(system: Known, job: Job) -> bool:
    """A job that is there already is no further one, however often its request comes."""
    fields = system.documents.read([job_path(job.key)])[0].fields
    return fields is not None and read_job(fields).outcome is not Outcome.REJECTED


def vetted_bad(system: Known, request: BadRequest, origin: Origin) -> Vetted:
    """A malformed request that belongs to a job id: refused, with all that is wrong."""
    assert request.job_id is not None
    name = _resource_of(system, request, origin.team)
    job = Job(
        team=origin.team.name,
        job_id=request.job_id,
        resource=name.key,
        priority=0,
        digest=request.digest,
        display_name="",
        custom_job_body="{}",
        demands=(),
        created=origin.published,
        message_id=origin.message_id,
    )
    problems = [*request.problems, *match_problems(system, name, request.worker_pools)]
    return _refused(job, problems, Reason.BAD_REQUEST)


def id_is_taken(job_id: str) -> Problem:
    return Problem(
        path="job_id",
        value=job_id,
        problem="another request has this id, with other content",
        remedy="choose another job_id; publish the same content to repeat a request",
    )


def match_problems(system: Known, name: ResourceName, pools: Sequence[Demand]) -> list[Problem]:
    """What else would be refused: told in the same answer, as far as the resource is known by now."""
    document = system.documents.read([resource_path(name)])[0]
    if document.fields is None or not pools:
        return []
    resource = read_resource(document.fields)
    if not (resource.is_ready and resource.is_fresh(system.clock())):
        return []
    match = match_pools(pools, specs(resource))
    return [] if isinstance(match, Matched) else [problem.as_problem() for problem in match]


def _refused(job: Job, problems: Sequence[Problem], reason: Reason) -> Vetted:
    return Vetted(job=job, problems=tuple(problems), reason=reason)


def _job(request: JobRequest, home: ResourceName, origin: Origin) -> Job:
    return new_job(request, home, origin.team, created=origin.published, message_id=origin.message_id)


def _resource_of(system: Known, request: BadRequest, team: Team) -> ResourceName:
    given = request.persistent_resource or UNKNOWN
    try:
        return ResourceName.from_full(given)
    except ValueError:
        project, location = team.project or system.settings.project, team.location or system.settings.location
        return ResourceName(project=project, location=location, id=given)
