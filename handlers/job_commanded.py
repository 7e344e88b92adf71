"""A command arrived: record it, carry it out once, and record its result where its author can read it."""

from __future__ import annotations

from typing import assert_never

from handlers.delivery import Delivery
from poolqueue.commanding import Commander, refuse
from poolqueue.intake import bury
from poolqueue.messages import BadCommand, Command, Problem, derived_job_id, parse_command
from poolqueue.system import System


def handle(system: System, delivery: Delivery) -> None:
    """Returns once the command's result is recorded in `commands/{id}`, or itself as a dead letter."""
    topic = delivery.topic.rsplit("/", 1)[-1]
    default_id = derived_job_id(delivery.topic, delivery.message_id, delivery.publish_time)
    command = parse_command(delivery.data, delivery.attributes, default_id=default_id)
    owner = next((t.name for t in system.settings.teams if topic in t.command_topics), None)
    if owner is None and topic not in system.settings.admin_command_topics:
        command = BadCommand(id=default_id, problems=(_unknown_topic(topic),))
    match command:
        case BadCommand():
            is_recorded = refuse(system, command)
        case Command():
            is_recorded = Commander(system, deadline=system.deadline()).carry_out(command, owner=owner)
        case unreachable:
            assert_never(unreachable)
    if not is_recorded:
        _bury(system, delivery, command.id)


def _bury(system: System, delivery: Delivery, command_id: str) -> None:
    taken = Problem(
        path="id",
        value=command_id,
        problem="another command has this id",
        remedy="give the command an id of its own, or none",
    )
    bury(
        system,
        topic=delivery.topic,
        message_id=delivery.message_id,
        data=delivery.data,
        attributes=dict(delivery.attributes),
        problems=[taken],
    )


def _unknown_topic(topic: str) -> Problem:
    return Problem(
        path="topic",
        value=topic[:120],
        problem="this topic is no command topic",
        remedy="name it under `command_topics` of a team, or under `admin_command_topics`, in the settings",
    )
