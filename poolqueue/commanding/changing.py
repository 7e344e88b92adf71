"""What a command changes of a job, held against what the job's team may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from poolqueue.allowed import check_allowed, check_priority, may_use
from poolqueue.config import Settings, Team
from poolqueue.messages import BadRequest, Changes, Place, Problem, parse_request
from poolqueue.records import ResourceName
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.jobs import Job

Terms = Mapping[str, Any]


def terms_of(changes: Changes, team: Team, settings: Settings) -> Terms | str:
    """The job's fields with their new values; or why its team may not have them."""
    if changes.priority is not None and (problems := check_priority(changes.priority, team)):
        return told(problems)
    alternatives = [_alternative(place, team, settings) for place in changes.alternatives]
    for alternative in alternatives:
        name = None if alternative.resource is None else ResourceName.from_key(alternative.resource)
        if name is not None and not may_use(name, team, settings):
            return f"alternatives {name.full}: team {team.name} may not use it; ask an operator to allow it"
    values = {
        "priority": changes.priority,
        "deadline": changes.deadline,
        "max_wait": changes.max_wait,
        "alternatives": tuple(alternatives),
    }
    return {field: value for field, value in values.items() if field in changes.given}


def still_allowed(job: Job, team: Team, settings: Settings) -> list[Problem]:
    """What the team may not have any more of what the job asks for, where it waited last."""
    name = ResourceName.from_key(job.resource)
    body = job.custom_job_body.encode()
    request = parse_request(body, {}, default_job_id=job.job_id, project=name.project, location=name.location)
    if isinstance(request, BadRequest):
        return [*request.problems]
    wishes = replace(request.wishes, min_run=job.min_run)
    asked = replace(request, persistent_resource=name.id, priority=job.priority, wishes=wishes)
    return check_allowed(asked, team, settings)


def told(problems: Sequence[Problem]) -> str:
    return "; ".join(f"{each.path} {each.value}: {each.problem} ({each.remedy})" for each in problems)


def _alternative(place: Place, team: Team, settings: Settings) -> Alternative:
    """A name without project and location is one of the team's own."""
    if place.resource is None:
        return Alternative(resource=None, after=place.after)
    name = ResourceName(
        project=place.resource.project or team.project or settings.project,
        location=place.resource.location or team.location or settings.location,
        id=place.resource.id,
    )
    return Alternative(resource=name.key, after=place.after)
