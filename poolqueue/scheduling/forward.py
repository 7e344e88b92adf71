"""Runs the real policy forward in virtual time: what starts when, if nothing else arrives or changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from poolqueue.scheduling.board import CANCELLED_SECONDS, Board
from poolqueue.scheduling.pace import WINDOW
from poolqueue.scheduling.pools import Reservation
from poolqueue.scheduling.traits import Traits
from poolqueue.scheduling.virtual_time import ALL_SLOTS, VirtualTime

DECISIONS_LIMIT = 5_000

Left = Callable[[str, Traits, float], float]
"""For how many seconds more the job of this key runs, that has run for so long: 0 when it only starts."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """What a run forward showed: when each job starts, by key, an array when its next member does; `gone` are
    those that end without a start.

    `until`: how far it went; what did not start by then may start later. `is_over`: nothing would happen
    any more, so that what did not start never does unless something changes. `decisions`: how many it took.
    """

    starts: Mapping[str, datetime]
    gone: Collection[str]
    until: datetime
    is_over: bool
    decisions: int


def run_forward(
    board: Board,
    *,
    now: datetime,
    left: Left,
    of: Collection[str] | None = None,
    slots: int = ALL_SLOTS,
    limit: int = DECISIONS_LIMIT,
    horizon: datetime | None = None,
) -> Course:
    """Decisions from `now` on, until nothing is left to happen, all jobs `of` these keys have started or
    ended, `limit` decisions were made, or nothing more happens before `horizon`. `board` is used up.

    Foreign use and surplus stay as they are, the resource is taken to be confirmed all the time. Within the
    first minute `slots` jobs may start, from then on as many as fit. Preempted attempts give their replicas
    back after a minute, and their jobs wait anew.
    """
    return _Run(board, now=now, left=left, slots=slots).run(of, limit, horizon)


def expected_left(board: Board) -> Left:
    """The mean of what is expected, without chance; after that, as a decision expects of what overruns."""
    known = board.expectations

    def left(_key: str, traits: Traits, elapsed: float) -> float:
        return max(known.mean_seconds(traits) - elapsed, known.left_seconds(traits, elapsed))

    return left


class _Run:
    def __init__(self, board: Board, *, now: datetime, left: Left, slots: int) -> None:
        self._board = board
        self._left = left
        self._time = VirtualTime(board, beginning=now, runs=self._begin)
        self._slots, self._paced_until = slots, now + WINDOW
        self._arrays = {*board.arrays}
        self._starts: dict[str, datetime] = {}
        self._gone: set[str] = set()
        self._due: set[datetime] = set()
        for token, each in board.resource.reservations.items():
            self._time.ends(token, at=self._left_of(each))

    def run(self, of: Collection[str] | None, limit: int, horizon: datetime | None) -> Course:
        awaited = {line.key for line in self._board.lines()} if of is None else set(of)
        last = math.inf if horizon is None else self._time.seconds_at(horizon)
        at, decisions = 0.0, 0
        while decisions < limit:
            self._decide()
            decisions += 1
            awaited -= (self._starts.keys() - self._arrays) | self._gone | self._emptied()
            at = self._next_time()
            if at > last or at == math.inf or not awaited:
                break
            self._time.go_to(at)
        return Course(
            starts=self._starts,
            gone=self._gone,
            until=self._time.now,
            is_over=at == math.inf,
            decisions=decisions,
        )

    def _emptied(self) -> set[str]:
        """The arrays of which all members that waited have started."""
        return self._arrays - self._board.arrays.keys()

    def _next_time(self) -> float:
        """When something happens next; infinite if nothing does."""
        self._due = {at for at in self._due if at > self._time.now}
        end = max(self._time.at, self._time.next_end)
        return min([end, *map(self._time.seconds_at, self._due)])

    def _left_of(self, each: Reservation) -> float:
        """Of an attempt that runs already, in seconds."""
        if each.cancelled_at is not None:
            return CANCELLED_SECONDS
        elapsed = max(0.0, (self._time.now - each.since).total_seconds())
        return self._left(each.key, each.traits, elapsed)

    def _begin(self, attempt: Reservation) -> float:
        self._starts.setdefault(attempt.key, self._time.now)
        return self._left(attempt.key, attempt.traits, 0.0)

    def _decide(self) -> None:
        now = self._time.now
        if now >= self._paced_until:
            self._slots = ALL_SLOTS
        decision = self._time.decide(slots=self._slots)
        self._slots -= len(decision.admits)
        for line in (admit.waiting for admit in decision.admits):
            if line.of is not None:
                self._starts.setdefault(line.of, now)
        self._gone |= {reject.waiting.key for reject in decision.rejects}
        self._gone |= {expire.waiting.key for expire in decision.expires}
        due = decision.due()
        self._due |= {due} if due is not None else set()
        self._due |= {self._paced_until} if decision.paced else set()
        self._due |= {at for pool in self._board.resource.backoffs.values() if (at := pool.until) > now}
