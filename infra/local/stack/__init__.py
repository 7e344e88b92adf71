"""The whole system on this machine as processes: data plane, stand-in, functions, subscriptions, schedule."""

from infra.local.stack.outcome_log import Announcement
from infra.local.stack.plan import Plan, new_directory, pool, resource
from infra.local.stack.stack import Stack, start_stack

__all__ = ["Announcement", "Plan", "Stack", "new_directory", "pool", "resource", "start_stack"]
