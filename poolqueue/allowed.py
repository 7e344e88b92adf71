"""What a team may have: its allow-lists, priorities and timeouts, held against a request."""

from __future__ import annotations

from collections.abc import Sequence

from poolqueue.config import Settings, Team
from poolqueue.messages import JobRequest, Problem
from poolqueue.records import ResourceName


def check_allowed(request: JobRequest, team: Team, settings: Settings) -> list[Problem]:
    """What the request asks for and its team may not have."""
    lists = [
        ("custom_job.jobSpec.serviceAccount", _given(request.service_account), team.service_accounts),
        ("custom_job.jobSpec.network", _given(request.network), team.networks),
    ]
    problems = [
        _not_allowed(path, value, allowed, team)
        for path, values, allowed in lists
        if allowed is not None
        for value in values
        if value not in allowed
    ]
    return [
        *_resource(request, team, settings),
        *problems,
        *_images(request, team),
        *_priority(request, team),
        *_timeout(request, team),
    ]


def _resource(request: JobRequest, team: Team, settings: Settings) -> list[Problem]:
    """In an allow-list, too, a short id is one of the team's own project and location."""
    path = "custom_job.jobSpec.persistentResourceId"
    name = ResourceName(project=request.project, location=request.location, id=request.persistent_resource)
    regions = settings.regions()
    if (name.project, name.location) not in regions:
        listed = ", ".join(f"projects/{project}/locations/{location}" for project, location in regions)
        problem = _not_allowed(path, name.full, [f"{listed} (the regions that are swept)"], team)
        return [problem]
    home = ResourceName(
        project=team.project or settings.project, location=team.location or settings.location, id=name.id
    )
    names = {name.full, *([name.id] if name == home else [])}
    lists = [allowed for allowed in (team.resources, settings.resources) if allowed is not None]
    refusing = [allowed for allowed in lists if names.isdisjoint(allowed)]
    return [_not_allowed(path, name.full, refusing[0], team)] if refusing else []


def _given(value: str | None) -> list[str]:
    return [] if value is None else [value]


def _not_allowed(path: str, value: str, allowed: Sequence[str], team: Team) -> Problem:
    listed = ", ".join(allowed) or "none"
    return Problem(
        path=path,
        value=value[:120],
        problem=f"team {team.name} may not use it",
        remedy=f"use one of: {listed}; or ask an operator to allow it",
    )


def _images(request: JobRequest, team: Team) -> list[Problem]:
    prefixes = team.image_prefixes
    if prefixes is None:
        return []
    path = "custom_job.jobSpec.workerPoolSpecs"
    return [
        _not_allowed(path, image, [f"{prefix}..." for prefix in prefixes], team)
        for image in request.images
        if not image.startswith(tuple(prefixes))
    ]


def _priority(request: JobRequest, team: Team) -> list[Problem]:
    low, high = team.priority.minimum, team.priority.maximum
    if low <= request.priority <= high:
        return []
    return [
        Problem(
            path="priority",
            value=str(request.priority),
            problem=f"team {team.name} may use priorities from {low} to {high}",
            remedy="choose one of these",
        )
    ]


def _timeout(request: JobRequest, team: Team) -> list[Problem]:
    longest = team.max_timeout.total_seconds()
    if request.timeout_seconds is None or request.timeout_seconds <= longest:
        return []
    return [
        Problem(
            path="custom_job.jobSpec.scheduling.timeout",
            value=f"{request.timeout_seconds}s",
            problem=f"team {team.name} may run a job for at most {longest:.0f}s",
            remedy=f"give a timeout of at most {longest:.0f}s, and save checkpoints",
        )
    ]
