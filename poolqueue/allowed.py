"""What a team may have: its allow-lists, priorities and timeouts, held against a request."""

from __future__ import annotations

import math
from collections.abc import Sequence

from poolqueue.config import Settings, Team
from poolqueue.messages import HOME, JobRequest, Problem
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
        *_places(request, team, settings),
        *problems,
        *_images(request, team),
        *check_priority(request.priority, team),
        *_timeout(request, team),
        *_min_run(request, team),
    ]


def may_use(name: ResourceName, team: Team, settings: Settings) -> bool:
    """Whether the team's jobs may run on that persistent resource."""
    return _refusing(name, team, settings) is None


def _places(request: JobRequest, team: Team, settings: Settings) -> list[Problem]:
    """The home, if it is named, and every alternative that is."""
    named = [(place.path, place.resource) for place in request.alternatives if place.resource is not None]
    places = [
        (path, ResourceName(project=name.project or "", location=name.location or "", id=name.id))
        for path, name in named
    ]
    if request.persistent_resource is not None:
        home = ResourceName(
            project=request.project, location=request.location, id=request.persistent_resource
        )
        places.insert(0, (HOME, home))
    return [
        _not_allowed(path, name.full, refusing, team)
        for path, name in places
        if (refusing := _refusing(name, team, settings)) is not None
    ]


def _refusing(name: ResourceName, team: Team, settings: Settings) -> Sequence[str] | None:
    """The list that lacks it, if one does; in it, too, a short id is one of the team's own project and
    location.
    """
    regions = settings.regions()
    if (name.project, name.location) not in regions:
        listed = ", ".join(f"projects/{project}/locations/{location}" for project, location in regions)
        return [f"{listed} (the regions that are swept)"]
    home = ResourceName(
        project=team.project or settings.project, location=team.location or settings.location, id=name.id
    )
    names = {name.full, *([name.id] if name == home else [])}
    lists = [allowed for allowed in (team.resources, settings.resources) if allowed is not None]
    return next((allowed for allowed in lists if names.isdisjoint(allowed)), None)


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


def check_priority(priority: int, team: Team) -> list[Problem]:
    low, high = team.priority.minimum, team.priority.maximum
    if low <= priority <= high:
        return []
    return [
        Problem(
            path="priority",
            value=str(priority),
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


def _min_run(request: JobRequest, team: Team) -> list[Problem]:
    """A job that is safe from preemption for longer than it may run would be so for ever."""
    timeout = request.timeout_seconds or math.ceil(team.default_timeout.total_seconds())
    if request.wishes.min_run <= timeout:
        return []
    return [
        Problem(
            path="min_run",
            value=f"{request.wishes.min_run}s",
            problem=f"is longer than the job's timeout of {timeout}s",
            remedy="give less, or a longer scheduling.timeout",
        )
    ]
