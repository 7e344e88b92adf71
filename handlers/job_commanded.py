"""A command arrived: record it, carry it out once, and record its result where its author can read it."""

from __future__ import annotations

from handlers.delivery import Delivery
from poolqueue.commanding import Commander, refuse
from poolqueue.messages import BadCommand, Command, Problem, derived_job_id, parse_command
from poolqueue.system import System


def handle(system: System, delivery: Delivery) -> None:
    """Returns once the command's result is recorded in `commands/{id}`."""
    topic = delivery.topic.rsplit("/", 1)[-1]
    default_id = derived_job_id(delivery.topic, delivery.message_id, delivery.publish_time)
    command = parse_command(delivery.data, delivery.attributes, default_id=default_id)
    owner = next((t.name for t in system.settings.teams if topic in t.command_topics), None)
    if owner is None and topic not in system.settings.admin_command_topics:
        refuse(system, BadCommand(id=default_id, problems=(_unknown_topic(topic),)))
        return
    match command:
        case BadCommand():
            refuse(system, command)
        case Command():
            Commander(system, deadline=system.deadline()).carry_out(command, owner=owner)


def _unknown_topic(topic: str) -> Problem:
    return Problem(
        path="topic",
        value=topic[:120],
        problem="this topic is no command topic",
        remedy="name it under `command_topics` of a team, or under `admin_command_topics`, in the settings",
    )
