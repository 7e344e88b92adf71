"""Who comes first among the waiting jobs of one team, and who may go ahead of a planned start.

`expected`, within a priority class: whoever's due time has come has a firm place, the earliest due first. The
others go by expected work, the smallest first, less the longer they wait. Surely short jobs may pass firm
places while those who did hold few replicas. Once anybody has waited for nearly as long as the policy allows,
the others must be surer to pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from math import log
from typing import Any, NamedTuple, assert_never

from poolqueue.scheduling.board import Board, Group, by_arrival, by_priority, seconds_of
from poolqueue.scheduling.policies import Ordering
from poolqueue.scheduling.waiting import Waiting, is_awake

Rank = tuple[Any, ...]
PASSING, FIRM, YOUNG = range(3)

# A job is due this long after its arrival, and so many times its expected run, but at the latest after
# `Policy.firm_after`.
DUE_BASE_SECONDS = 3600.0
DUE_PER_EXPECTED_SECOND = 3.0

# Expected work counts replicas for less than seconds: a wide job blocks others only while it starts.
REPLICAS_EXPONENT = 0.75
AGEING_EXPONENT = 0.5
AGEING_SECONDS = 10_000.0

# Surely short, and how large a part of a pool those may hold who passed firm places.
SHORT_SECONDS = 3600.0
SHORT_CHANCE = 0.7
PASSING_PART, PASSING_PART_LATE = 0.08, 0.04

# Who goes ahead of a planned start must have ended by then with this chance, or fit in this part of what the
# start leaves; the stricter ones once it is late.
SURE, SURE_LATE = 0.5, 0.85
SPARE_PART, SPARE_PART_LATE = 0.75, 0.0
LATE_PART = 0.92  # of `Policy.firm_after`: it is late when somebody has waited for so long

# While a job waits for a large part of a pool, much would idle: then what its start leaves is let out, too.
WIDE_PART = 0.1
SPARE_PER_PART = 2.0


class _Foreseen(NamedTuple):
    """What is expected of a group: how long after its arrival a job of it is due, and the logarithm of its
    seconds and replicas.
    """

    due_after: float
    work: float


class Order:
    """The order of one decision. `sure`, `passing_part`: see above; `is_any_firm`: is there a firm place to
    be passed, under `expected`? `gives_places`: may anybody get a planned start?
    """

    def __init__(self, board: Board, *, now: datetime) -> None:
        self._board = board
        self._now = now
        self._seconds = seconds_of(now)
        self._ordering = board.policy.ordering
        self._longest = board.policy.firm_after.total_seconds()
        self._foreseen: dict[int, _Foreseen] = {}
        heads = [*self._heads()] if self._ordering is Ordering.EXPECTED else []
        self.is_late = self._is_late(heads)
        self.sure = SURE_LATE
        self.passing_part = 0.0
        if self._ordering is Ordering.EXPECTED:
            self.sure = SURE_LATE if self.is_late else SURE
            self.passing_part = PASSING_PART_LATE if self.is_late else PASSING_PART
        # The groups whose first job has a firm place.
        self._firm_heads = {id(group) for line, group in heads if self._is_due(line, group)}
        self.is_any_firm = bool(self._firm_heads)
        self.gives_places = self.is_any_firm or self._ordering is not Ordering.EXPECTED

    def _is_late(self, heads: Iterable[tuple[Waiting, Group]]) -> bool:
        since = self._now - timedelta(seconds=LATE_PART * self._longest)
        return any(line.arrived <= since for line, _ in heads)

    def _heads(self) -> Iterator[tuple[Waiting, Group]]:
        """The first job of each group that its own times and its array let start now."""
        for group in self._board.groups.values():
            line = self._board.first_of(group)
            if line is not None and not is_awake(line, self._now):
                awake = (each for each in group.lines if is_awake(each, self._now))
                line = next((each for each in awake if not self._board.is_at_maximum(each)), None)
            if line is not None:
                yield line, group

    def _is_due(self, line: Waiting, group: Group) -> bool:
        """Without a look at what is expected where the wait alone says it."""
        waited = self._seconds - seconds_of(line.arrived)
        if waited < min(self._longest, DUE_BASE_SECONDS):
            return False
        return waited >= self._longest or waited >= self._foresee(group).due_after

    # --- places

    def is_firm(self, line: Waiting, group: Group) -> bool:
        """Has it a place that later ones do not take, whatever they are expected to be?"""
        return self._ordering is not Ordering.EXPECTED or self._is_due(line, group)

    def is_head_firm(self, group: Group) -> bool:
        """Has the first of these a firm place?"""
        return self._ordering is not Ordering.EXPECTED or id(group) in self._firm_heads

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
        return seconds_of(line.arrived) + self._foresee(group).due_after

    def _foresee(self, group: Group) -> _Foreseen:
        known = self._foreseen.get(id(group))
        if known is None:
            mean = self._board.expectations.mean_seconds(group.traits)
            replicas = sum(n for _, n in group.wanted) or 1
            known = self._foreseen[id(group)] = _Foreseen(
                min(self._longest, DUE_BASE_SECONDS + DUE_PER_EXPECTED_SECOND * mean),
                log(mean) + REPLICAS_EXPONENT * log(replicas),
            )
        return known

    # --- ranks

    def rank_of(self, line: Waiting, group: Group) -> Rank:
        """A job's place among those of its team: the smallest goes first; no two are equal."""
        match self._ordering:
            case Ordering.FIFO:
                return by_arrival(line)
            case Ordering.PRIORITY:
                return by_priority(line)
            case Ordering.EXPECTED:
                if self._is_due(line, group):
                    at = self._firm_from(line, group)
                    return (-line.priority, FIRM, at, line.arrived, line.team, line.job_id)
                work = self._expected_work(line, group)
                return (-line.priority, YOUNG, work, line.arrived, line.team, line.job_id)
            case unreachable:
                assert_never(unreachable)

    def _expected_work(self, line: Waiting, group: Group) -> float:
        """The less, the longer the job has waited."""
        waited = max(0.0, self._seconds - seconds_of(line.arrived))
        return self._foresee(group).work - AGEING_EXPONENT * log(1 + waited / AGEING_SECONDS)
