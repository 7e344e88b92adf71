"""Makes a job of a well-formed request: what it asks for, and what its team's settings say beside that."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from poolqueue.config import Team
from poolqueue.messages import JobRequest
from poolqueue.records import ResourceName
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.jobs import Demand, Hold, Job, Reason
from poolqueue.scheduling.similarity import traits_of
from poolqueue.scheduling.traits import Traits

HOLD_ASKED = "its request asks to be held until somebody releases it"


def new_job(
    request: JobRequest, home: ResourceName, team: Team, *, created: datetime, message_id: str
) -> Job:
    """The job of a request at its home; the team's settings are for what the request leaves out."""
    wishes = request.wishes
    longest_wait = None if team.max_wait is None else math.ceil(team.max_wait.total_seconds())
    return Job(
        team=team.name,
        job_id=request.job_id,
        resource=home.key,
        priority=request.priority,
        digest=request.digest,
        display_name=request.display_name,
        custom_job_body=_as_text(_with_timeout(request, home, team)),
        demands=tuple(
            Demand(index=pool.index, machine=pool.machine, disk=pool.disk, replicas=pool.replicas)
            for pool in request.worker_pools
        ),
        created=created,
        message_id=message_id,
        not_before=wishes.not_before,
        expected_run=wishes.expected_run,
        min_run=wishes.min_run,
        max_preemptions=wishes.max_preemptions,
        deadline=wishes.deadline,
        max_wait=longest_wait if wishes.max_wait is None else wishes.max_wait,
        alternatives=tuple(_alternatives(request, home)),
        traits=_traits(request, team),
        holds=(Hold(reason=Reason.ON_HOLD, at=created, note=HOLD_ASKED),) if wishes.hold else (),
        serial=request.ties.serial,
    )


def _alternatives(request: JobRequest, home: ResourceName) -> Iterator[Alternative]:
    for place in request.alternatives:
        key = None if place.resource is None else ResourceName.from_full(place.resource.full).key
        if key != home.key:
            yield Alternative(resource=key, after=place.after)


def _traits(request: JobRequest, team: Team) -> Traits:
    return traits_of(
        team=team.name,
        name=request.display_name,
        images=request.images,
        machines=[(pool.machine, pool.replicas) for pool in request.worker_pools],
        arguments=request.arguments,
        timeout=request.timeout_seconds or math.ceil(team.default_timeout.total_seconds()),
        claimed=request.wishes.expected_run,
        min_run=request.wishes.min_run,
    )


def _as_text(body: Mapping[str, Any]) -> str:
    """As it came: escaping what is not ASCII could make three times the size of it."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _with_timeout(request: JobRequest, home: ResourceName, team: Team) -> dict[str, Any]:
    """The body with its home's short id, and the team's default timeout where it gives none."""
    spec = {**request.custom_job["jobSpec"], "persistentResourceId": home.id}
    if not request.timeout_seconds:
        timeout = f"{team.default_timeout.total_seconds():.0f}s"
        spec["scheduling"] = {**spec.get("scheduling", {}), "timeout": timeout}
    return {**request.custom_job, "jobSpec": spec}
