"""A job request arrived: record it, or its refusal, and ring the bell of its persistent resource."""

from __future__ import annotations

from handlers.delivery import Delivery
from poolqueue.cycle import ring
from poolqueue.intake import Origin, bury, record_bad_request, record_request
from poolqueue.messages import BadRequest, JobRequest, Problem, derived_job_id, parse_request
from poolqueue.system import System


def handle(system: System, delivery: Delivery) -> None:
    """Returns once the request is recorded, or its refusal, or a dead letter; then it may be acknowledged."""
    deadline = system.deadline()
    team = system.settings.team_of_topic(delivery.topic.rsplit("/", 1)[-1])
    if team is None:
        _bury(system, delivery, [_unknown_topic(delivery.topic)])
        return
    origin = Origin(
        team=team,
        topic=delivery.topic,
        message_id=delivery.message_id,
        publish_time=delivery.publish_time,
    )
    request = parse_request(
        delivery.data,
        delivery.attributes,
        default_job_id=derived_job_id(delivery.topic, delivery.message_id, delivery.publish_time),
        project=team.project or system.settings.project,
        location=team.location or system.settings.location,
    )
    match request:
        case JobRequest():
            name = record_request(system, request, origin)
            if name is not None:
                ring(system, name, deadline=deadline)
        case BadRequest(job_id=None):
            _bury(system, delivery, request.problems)
        case BadRequest():
            record_bad_request(system, request, origin)


def _bury(system: System, delivery: Delivery, problems: list[Problem] | tuple[Problem, ...]) -> None:
    bury(
        system,
        topic=delivery.topic,
        message_id=delivery.message_id,
        data=delivery.data,
        attributes=dict(delivery.attributes),
        problems=problems,
    )


def _unknown_topic(topic: str) -> Problem:
    return Problem(
        path="topic",
        value=topic[:120],
        problem="this topic belongs to no team",
        remedy="name it under `topics` of a team in the settings, or publish to a team's topic",
    )
