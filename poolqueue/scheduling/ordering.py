"""Who comes first among the waiting jobs of one team, and who may go ahead of a planned start.

`expected`, within a priority class: whoever's due time has come has a firm place, the earliest due first. The
others go by expected work, the smallest first, less the longer they wait. Surely short jobs may pass firm
places while those who did hold few replicas. Once anybody has waited for nearly as long as the policy allows,
the others must be surer to pass.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import log
from typing import Any, assert_never

from poolqueue.scheduling.board import Board, Group, by_arrival, by_priority, seconds_of
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

# Surely short, and how large a part of a pool those may hold who passed firm places.
SHORT_SECONDS = 3600.0
SHORT_CHANCE = 0.7
PASSING_PART, PASSING_PART_LATE = 0.1, 0.05

# Who goes ahead of a planned start must have ended by then with this chance, or fit in this part of what the
# start leaves; the stricter ones once it is late.
SURE, SURE_LATE = 0.7, 0.9
SPARE_PART, SPARE_PART_LATE = 0.5, 0.0
LATE_PART = 0.95  # of `Policy.firm_after`: it is late when somebody has waited for so long

# While a job waits for a large part of a pool, much would idle: then what its start leaves is let out, too.
WIDE_PART = 0.1
SPARE_PER_PART = 2.0


class Order:
    """The order of one decision. `sure`, `passing_part`: see above; `is_any_firm`: is there a firm place to
    be passed, under `expected`?
    """

    def __init__(self, board: Board, *, now: datetime) -> None:
        self._board = board
        self._now = now
        self._seconds = seconds_of(now)
        self._ordering = board.policy.ordering
        self._longest = board.policy.firm_after.total_seconds()
        self.is_late = self._is_late()
        self.sure = SURE_LATE
        self.passing_part = 0.0
        if self._ordering is Ordering.EXPECTED:
            self.sure = SURE_LATE if self.is_late else SURE
            self.passing_part = PASSING_PART_LATE if self.is_late else PASSING_PART
        self.is_any_firm = self._is_any_firm()

    def _is_late(self) -> bool:
        if self._ordering is not Ordering.EXPECTED:
            return False
        since = self._now - timedelta(seconds=LATE_PART * self._longest)
        heads = (self._board.first_of(group) for group in self._board.groups.values())
        return any(line is not None and line.arrived <= since for line in heads)

    def _is_any_firm(self) -> bool:
        if self._ordering is not Ordering.EXPECTED:
            return False
        heads = ((self._board.first_of(group), group) for group in self._board.groups.values())
        return any(line is not None and self.is_firm(line, group) for line, group in heads)

    # --- places

    def is_firm(self, line: Waiting, group: Group) -> bool:
        """Has it a place that later ones do not take, whatever they are expected to be?"""
        return self._ordering is not Ordering.EXPECTED or self._firm_from(line, group) <= self._seconds

    def may_pass(self, group: Group) -> bool:
        """May it go ahead of firm places, if those who do hold little: is it surely short?"""
        return self._board.expectations.chance_within(group.traits, SHORT_SECONDS) >= SHORT_CHANCE

    def spare_part(self, group: Group) -> float:
        """How much of what the planned start of a job leaves others may have beyond it."""
        if self._ordering is not Ordering.EXPECTED:
            return 1.0
        width = max(n / self._board.capacity[key] for key, n in group.wanted)
        usual = SPARE_PART_LATE if self.is_late else SPARE_PART
        return max(usual, min(SPARE_PART, SPARE_PER_PART * (width - WIDE_PART)))

    def _firm_from(self, line: Waiting, group: Group) -> float:
        """From when on it has a firm place, in seconds since 1970."""
        after = DUE_BASE_SECONDS + DUE_PER_EXPECTED_SECOND * self._board.expectations.mean_seconds(
            group.traits
        )
        return seconds_of(line.arrived) + min(self._longest, after)

    # --- ranks

    def rank_of(self, line: Waiting, group: Group) -> Rank:
        """A job's place among those of its team: the smallest goes first; no two are equal."""
        match self._ordering:
            case Ordering.FIFO:
                return by_arrival(line)
            case Ordering.PRIORITY:
                return by_priority(line)
            case Ordering.EXPECTED:
                at = self._firm_from(line, group)
                if at <= self._seconds:
                    return (-line.priority, FIRM, at, line.arrived, line.team, line.job_id)
                work = self._expected_work(line, group)
                return (-line.priority, YOUNG, work, line.arrived, line.team, line.job_id)
            case unreachable:
                assert_never(unreachable)

    def _expected_work(self, line: Waiting, group: Group) -> float:
        """The logarithm of expected seconds and replicas, less the longer the job has waited."""
        replicas = sum(n for _, n in group.wanted) or 1
        waited = max(0.0, self._seconds - seconds_of(line.arrived))
        return (
            log(self._board.expectations.mean_seconds(group.traits))
            + REPLICAS_EXPONENT * log(replicas)
            - AGEING_EXPONENT * log(1 + waited / AGEING_SECONDS)
        )
