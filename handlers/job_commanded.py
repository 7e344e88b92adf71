"""A command arrived: record it, carry it out once, and record its result where its author can read it."""

from __future__ import annotations

from typing import assert_never

from handlers.delivery import Delivery
from poolqueue.commanding import Commander, refuse
from poolqueue.dead_letters import bury
from poolqueue.messages import BadCommand, Command, Problem, derived_job_id, parse_command
from poolqueue.system import System


def handle(system: System, delivery: Delivery) -> None:
    """Returns once the command's result is recorded in `commands/{id}`, and what is no command is kept."""
    system = system.refreshed()
    topic = delivery.topic.rsplit("/", 1)[-1]
    default_id = derived_job_id(delivery.topic, delivery.message_id, delivery.publish_time)
    command = parse_command(delivery.data, delivery.attributes, default_id=default_id)
    owner = next((t.name for t in system.settings.teams if topic in t.command_topics), None)
    if owner is None and topic not in system.settings.admin_command_topics:
        command = BadCommand(id=default_id, problems=(_unknown_topic(topic),))
    match command:
        case BadCommand(problems=problems):
            is_recorded = refuse(system, command, published=delivery.publish_time)
        case Command():
            problems = ()
            commander = Commander(system, deadline=system.deadline())
            is_recorded = commander.carry_out(command, owner=owner, published=delivery.publish_time)
        case unreachable:
            assert_never(unreachable)
    if not is_recorded:
        problems = (*problems, _taken(command.id))
    if problems:
        bury(
            system,
            topic=delivery.topic,
            message_id=delivery.message_id,
            data=delivery.data,
            attributes=delivery.attributes,
            problems=problems,
            command=command.id if is_recorded else None,
        )


def _taken(command_id: str) -> Problem:
    return Problem(
        path="id",
        value=command_id,
        problem="another command has this id",
        remedy="give the command an id of its own, or none",
    )


def _unknown_topic(topic: str) -> Problem:
    return Problem(
        path="topic",
        value=topic[:120],
        problem="this topic is no command topic",
        remedy="name it under `command_topics` of a team, or under `admin_command_topics`, in the settings",
    )
