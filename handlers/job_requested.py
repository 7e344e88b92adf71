"""A job request arrived: record it, or its refusal, and ring the bell of its persistent resource."""

from __future__ import annotations

from handlers.delivery import Delivery
from poolqueue.cycle import ring
from poolqueue.dead_letters import bury
from poolqueue.intake import Received, take_in
from poolqueue.messages import Problem, derived_job_id
from poolqueue.system import System


def handle(system: System, delivery: Delivery) -> None:
    """Returns once the request is recorded, or its refusal, or a dead letter; then it may be acknowledged."""
    system = system.refreshed()
    deadline = system.deadline()
    team = system.settings.team_of_topic(delivery.topic.rsplit("/", 1)[-1])
    if team is None:
        _bury(system, delivery)
        return
    received = Received(
        team=team,
        topic=delivery.topic,
        message_id=delivery.message_id,
        publish_time=delivery.publish_time,
        data=delivery.data,
        attributes=delivery.attributes,
    )
    default_id = derived_job_id(delivery.topic, delivery.message_id, delivery.publish_time)
    name = take_in(system, received, default_job_id=default_id)
    if name is not None:
        ring(system, name, deadline=deadline)


def _bury(system: System, delivery: Delivery) -> None:
    unknown = Problem(
        path="topic",
        value=delivery.topic[:120],
        problem="this topic belongs to no team",
        remedy="name it under `topics` of a team in the settings, or publish to a team's topic",
    )
    bury(
        system,
        topic=delivery.topic,
        message_id=delivery.message_id,
        data=delivery.data,
        attributes=delivery.attributes,
        problems=[unknown],
    )
