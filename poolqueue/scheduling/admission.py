"""The decision of an admission cycle: which waiting jobs start now, and why the others wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from poolqueue.scheduling.board import Board
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import WHOLE_RESOURCE, Resource
from poolqueue.scheduling.verdicts import (
    Block,
    Expire,
)
from poolqueue.scheduling.waiting import Waiting
from poolqueue.scheduling.walk import Walk


def decide(board: Board, *, now: datetime, slots: int) -> Decision:
    """What is to be done about every waiting job now; the board stays as it is.

    1. Nothing starts while the resource is not ready or what is known of it is old.
    2. Jobs whose time is over end.
    3. Jobs are considered in turn. One starts if all its pools have what it asks for, its team may have it,
       and no planned start is delayed; at most `slots` start.
    4. The first that lacks replicas, per pool, gets a planned start; for it, others may be preempted.

    Equivalent to considering one job after the other. It differs in that jobs of a group are alike: when one
    of them cannot start, none of them can.
    """
    decision = Decision(board, now=now)
    decision.obstacle = _obstacle(board.resource, now)
    decision.expires += expired(board.timed.values(), now)
    if decision.obstacle is None:
        board.expect_overdue(now)
        Walk(board, decision, now=now, slots=slots).run()
    else:
        decision.competing |= {group.team for group in board.groups.values()} & _waited(board.resource)
    return decision


def _waited(resource: Resource) -> set[str]:
    return {team for team, use in resource.uses.items() if use.waiting}


def _obstacle(resource: Resource, now: datetime) -> Block | None:
    """What keeps every job of the resource waiting, if anything does."""
    if resource.state == "MISSING":
        note = "Vertex AI knows no persistent resource of this name"
        return Block(reason=Reason.RESOURCE_MISSING, said=note)
    if not resource.is_ready:
        note = f"the persistent resource is {resource.state}"
        return Block(reason=Reason.RESOURCE_NOT_READY, said=note)
    if not resource.is_fresh(now):
        note = "its capacity was not confirmed within the last 90 s"
        return Block(reason=Reason.RESOURCE_NOT_READY, said=note)
    if drain := resource.drained.get(WHOLE_RESOURCE):
        return Block(reason=Reason.DRAINED, said=f"all of it, by {drain.author}: {drain.reason}")
    return None


def expired(lines: Iterable[Waiting], now: datetime) -> Iterator[Expire]:
    """Whose time is over, of those that wait or are held."""
    for line in lines:
        if line.expires is None or line.expires > now:
            continue
        if line.deadline is not None and line.deadline <= now:
            note = f"it was to have ended by {_clock(line.deadline)}"
            yield Expire(waiting=line, reason=Reason.DEADLINE_PASSED, note=note)
        else:
            note = f"it was to wait no longer than until {_clock(line.expires)}"
            yield Expire(waiting=line, reason=Reason.WAITED_TOO_LONG, note=note)


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
