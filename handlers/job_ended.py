"""A log line says that a custom job ended: ask Vertex AI, end the job, release, and admit what now fits."""

from __future__ import annotations

import logging

from handlers.delivery import Delivery
from poolqueue.cycle import end, settle
from poolqueue.ending import ended_change
from poolqueue.log_lines import EndedLine, ended_line
from poolqueue.observation import is_ours, look, reserved_tokens
from poolqueue.ports import CustomJob, VertexUnavailable
from poolqueue.records import ResourceName, read_resource, resource_path
from poolqueue.system import System

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 4.0

log = logging.getLogger(__name__)


def handle(system: System, delivery: Delivery) -> None:
    """The line is only a hint: whatever cannot be confirmed now, the sweep finds within a minute."""
    system = system.refreshed()
    deadline = system.deadline()
    line = ended_line(delivery.data)
    if line is None:
        log.warning("log_line_ignored", extra={"message_id": delivery.message_id})
        return
    custom_job = _confirmed(system, line)
    if custom_job is None or custom_job.persistent_resource is None:
        log.info("end_not_confirmed", extra={"project": line.project, "custom_job": line.job_number})
        return
    parent = custom_job.name.split("/customJobs/")[0]
    _, location = parent.rsplit("/", 1)
    name = ResourceName(project=line.project, location=location, id=custom_job.persistent_resource)
    if is_ours(custom_job, system.settings.installation):
        end(system, name, ended_change(system, name, custom_job), deadline=deadline)
    else:
        _look_again(system, name)


def _confirmed(system: System, line: EndedLine) -> CustomJob | None:
    """The custom job once Vertex AI shows it as ended; it may lag behind its own log."""
    pause = FIRST_PAUSE_SECONDS
    give_up = system.within(system.settings.timing.confirm_end.total_seconds())
    while True:
        custom_job = _find(system, line)
        if custom_job is None or custom_job.is_terminal:
            return custom_job
        if system.clock() >= give_up:
            return None
        system.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _find(system: System, line: EndedLine) -> CustomJob | None:
    """The line may not tell the region: then it is one of those that we know of."""
    for project, location in system.settings.regions():
        if project != line.project or line.location not in {None, location}:
            continue
        name = f"projects/{project}/locations/{location}/customJobs/{line.job_number}"
        try:
            custom_job = system.observer.custom_job(name)
        except VertexUnavailable as error:
            log.warning("end_not_confirmed", extra={"custom_job": name, "error": str(error)})
            return None
        if custom_job is not None:
            return custom_job
    return None


def _look_again(system: System, name: ResourceName) -> None:
    """Somebody else's custom job gave replicas back: if jobs wait for them, look at the resource now."""
    deadline = system.deadline()
    fields = system.documents.read([resource_path(name)])[0].fields
    if fields is None or not (resource := read_resource(fields)).waiting:
        return
    try:
        seen = look(
            system.observer,
            name,
            ours=reserved_tokens(resource),
            installation=system.settings.installation,
            now=system.clock(),
        )
    except VertexUnavailable as error:
        log.warning("resource_not_observed", extra={"resource": name.full, "error": str(error)})
        return
    settle(system, name, [], events=[seen], deadline=deadline)
