"""Who comes first among the waiting jobs of one team, by the policy's ordering.

`expected` within a priority class: whoever's due time has come has a firm place, the earliest due first. The
others go by expected work, the smallest first, less the longer they wait. Jobs that are surely short may pass
those with a firm place, as long as they hold few replicas.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import Any, assert_never

from poolqueue.scheduling.board import Board, Group, by_arrival, by_priority, seconds_of, time_of
from poolqueue.scheduling.policies import Ordering
from poolqueue.scheduling.waiting import Waiting

Rank = tuple[Any, ...]
PASSING, FIRM, YOUNG = range(3)

# A job is due this long after its arrival, and so many times its expected run, but at the latest after
# `Policy.firm_after`.
DUE_BASE_SECONDS = 3600.0
DUE_PER_EXPECTED_SECOND = 3.0

# Expected work counts replicas for less than seconds: a wide job blocks others only while it starts.
REPLICAS_EXPONENT = 0.75
AGEING_EXPONENT = 0.5
AGEING_SECONDS = 20_000.0

# Surely short, and how large a part of a pool such jobs may hold that passed firm places.
SHORT_SECONDS = 3600.0
SHORT_CHANCE = 0.7
PASSING_PART = 0.1
PASSING_PART_LATE = 0.02

# Who goes ahead of a planned start must have ended by then with this chance, or fit in this part of what the
# start leaves; the stricter ones once a job has waited for nearly as long as the policy wants anybody to.
SURE, SURE_LATE = 0.7, 0.9
SPARE_PART, SPARE_PART_LATE = 0.5, 0.0
LATE_PART = 0.95


@dataclass(frozen=True, kw_only=True)
class Leniency:
    """How others may go ahead of planned starts, see above."""

    sure: float = SURE_LATE
    spare_part: float = 1.0
    passing_part: float = 0.0


def leniency(board: Board, *, now: datetime) -> Leniency:
    if board.policy.ordering is not Ordering.EXPECTED:
        return Leniency()
    late = now - LATE_PART * board.policy.firm_after
    if any(line.arrived <= late for group in board.groups.values() for line in group.lines[:1]):
        return Leniency(sure=SURE_LATE, spare_part=SPARE_PART_LATE, passing_part=PASSING_PART_LATE)
    return Leniency(sure=SURE, spare_part=SPARE_PART, passing_part=PASSING_PART)


def is_firm(board: Board, line: Waiting, group: Group, *, now: datetime) -> bool:
    """Has it a place that later ones do not take, whatever they are expected to be?"""
    return board.policy.ordering is not Ordering.EXPECTED or due(board, line, group) <= seconds_of(now)


def due(board: Board, line: Waiting, group: Group) -> float:
    """From when on a job has a firm place under `expected`, in seconds since 1970."""
    after = DUE_BASE_SECONDS + DUE_PER_EXPECTED_SECOND * board.expectations.mean_seconds(group.traits)
    return seconds_of(line.arrived) + min(board.policy.firm_after.total_seconds(), after)


def firm_since(board: Board, *, now: datetime) -> datetime | None:
    """Since when the first of the jobs with a firm place has one, None if there is none."""
    if board.policy.ordering is not Ordering.EXPECTED:
        return None
    first = min((due(board, group.lines[0], group) for group in board.groups.values()), default=None)
    return time_of(first) if first is not None and first <= seconds_of(now) else None


def is_surely_short(board: Board, group: Group) -> bool:
    return board.expectations.chance_within(group.traits, SHORT_SECONDS) >= SHORT_CHANCE


def rank_of(board: Board, line: Waiting, group: Group, *, now: datetime) -> Rank:
    """A job's place among those of its team: the smallest goes first; no two are equal."""
    match board.policy.ordering:
        case Ordering.FIFO:
            return by_arrival(line)
        case Ordering.PRIORITY:
            return by_priority(line)
        case Ordering.EXPECTED:
            at = due(board, line, group)
            if at <= seconds_of(now):
                return (-line.priority, FIRM, at, line.arrived, line.team, line.job_id)
            work = expected_work(board, line, group, now=now)
            return (-line.priority, YOUNG, work, line.arrived, line.team, line.job_id)
        case unreachable:
            assert_never(unreachable)


def expected_work(board: Board, line: Waiting, group: Group, *, now: datetime) -> float:
    """The logarithm of expected seconds and replicas, less the longer the job has waited."""
    replicas = sum(n for _, n in group.wanted) or 1
    waited = (now - line.arrived).total_seconds()
    return (
        log(board.expectations.mean_seconds(group.traits))
        + REPLICAS_EXPONENT * log(replicas)
        - AGEING_EXPONENT * log(1 + max(0.0, waited) / AGEING_SECONDS)
    )
