"""What travels on the topics, both ways: job requests, commands and outcomes."""

from poolqueue.requests.arrays import ArrayRequest, as_text, member_body, stored_array, without_placeholders
from poolqueue.requests.changing import Changes
from poolqueue.requests.commands import BadCommand, Command, CommandKind, Running, parse_command
from poolqueue.requests.naming import ResourceName, derived_job_id, resource_name
from poolqueue.requests.outcomes import outcome_message
from poolqueue.requests.parsing import BadRequest, JobRequest, WorkerPool, parse_request
from poolqueue.requests.places import HOME, Place
from poolqueue.scheduling.problems import Problem

__all__ = [
    "HOME",
    "ArrayRequest",
    "BadCommand",
    "BadRequest",
    "Changes",
    "Command",
    "CommandKind",
    "JobRequest",
    "Place",
    "Problem",
    "ResourceName",
    "Running",
    "WorkerPool",
    "as_text",
    "derived_job_id",
    "member_body",
    "outcome_message",
    "parse_command",
    "parse_request",
    "resource_name",
    "stored_array",
    "without_placeholders",
]
