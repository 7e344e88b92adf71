"""Makes a job of a well-formed request: what it asks for, and what its team's settings say beside that."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from poolqueue.config import Team
from poolqueue.messages import JobRequest, as_text, member_body, stored_array, without_placeholders
from poolqueue.records import ResourceName, Template
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.arrays import Array, maximum_key, member_id, member_of
from poolqueue.scheduling.jobs import Demand, Hold, Job, Reason
from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.similarity import traits_of
from poolqueue.scheduling.traits import Traits

HOLD_ASKED = "its request asks to be held until somebody releases it"


def new_job(
    request: JobRequest, home: ResourceName, team: Team, *, created: datetime, message_id: str
) -> Job:
    """The job of a request at its home; the team's settings are for what the request leaves out. The custom
    job of an array is in its template, see `template_of`.
    """
    wishes = request.wishes
    longest_wait = None if team.max_wait is None else math.ceil(team.max_wait.total_seconds())
    return Job(
        team=team.name,
        job_id=request.job_id,
        resource=home.key,
        priority=request.priority,
        digest=request.digest,
        display_name=request.display_name,
        custom_job_body=as_text({} if request.array else _with_timeout(request, home, team)),
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
        serial=_serial(request),
        depends_on=request.ties.depends_on,
        on_failed_dependency=request.ties.on_failed_dependency,
        array=_array(request),
        retries=team.usual_retries() if request.retries is None else request.retries,
    )


def _array(request: JobRequest) -> Array | None:
    asked = request.array
    return None if asked is None else Array(size=asked.size, max_parallel=asked.max_parallel)


def _serial(request: JobRequest) -> Serial | None:
    """Whoever counts reservations at one resource would not see the members that went elsewhere."""
    asked = request.array
    if asked is None or asked.max_parallel is None or not request.alternatives:
        return request.ties.serial
    return maximum_key(request.job_id, asked.max_parallel)


def template_of(request: JobRequest, home: ResourceName, team: Team) -> Template | None:
    """What the members of an array are made of; None for any other request."""
    if request.array is None:
        return None
    body = as_text(_with_timeout(request, home, team))
    return Template(body=body, array=as_text(request.array.canonical()))


def member_job(array: Job, template: Template, job_id: str) -> Job:
    """The job of a member of `array`, which arrived with that and wants the same; its custom job is its
    own.
    """
    found = member_of(job_id)
    assert found is not None
    assert array.array is not None
    _, index = found
    body = member_body(json.loads(template.body), stored_array(template.array), index)
    return Job(
        team=array.team,
        job_id=member_id(array.job_id, index),
        resource=array.resource,
        priority=array.priority,
        digest=f"{array.digest}.{index}",
        display_name=body["displayName"],
        custom_job_body=as_text(body),
        demands=array.demands,
        created=array.created,
        message_id=array.message_id,
        inbox=False,
        not_before=array.not_before,
        expected_run=array.expected_run,
        min_run=array.min_run,
        max_preemptions=array.max_preemptions,
        deadline=array.deadline,
        max_wait=array.max_wait,
        alternatives=array.alternatives,
        traits=array.traits,
        serial=array.serial,
        max_parallel=array.array.max_parallel,
        retries=array.retries,
        returned=array.returned,
    )


def _alternatives(request: JobRequest, home: ResourceName) -> Iterator[Alternative]:
    for place in request.alternatives:
        key = None if place.resource is None else ResourceName.from_full(place.resource.full).key
        if key != home.key:
            yield Alternative(resource=key, after=place.after)


def _traits(request: JobRequest, team: Team) -> Traits:
    return traits_of(
        team=team.name,
        name=without_placeholders(request.display_name),
        images=request.images,
        machines=[(pool.machine, pool.replicas) for pool in request.worker_pools],
        arguments=request.arguments,
        timeout=request.timeout_seconds or math.ceil(team.default_timeout.total_seconds()),
        claimed=request.wishes.expected_run,
        min_run=request.wishes.min_run,
    )


def _with_timeout(request: JobRequest, home: ResourceName, team: Team) -> dict[str, Any]:
    """The body with its home's short id, and the team's default timeout where it gives none."""
    spec = {**request.custom_job["jobSpec"], "persistentResourceId": home.id}
    if not request.timeout_seconds:
        timeout = f"{team.default_timeout.total_seconds():.0f}s"
        spec["scheduling"] = {**spec.get("scheduling", {}), "timeout": timeout}
    return {**request.custom_job, "jobSpec": spec}
