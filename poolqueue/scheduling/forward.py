"""Runs the real policy forward in virtual time: what starts when, if nothing else arrives or changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import heapify, heappop, heappush

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import CANCELLED_SECONDS, Board, seconds_of, time_of
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.events import Noted, Released, Reserved
from poolqueue.scheduling.jobs import Demand
from poolqueue.scheduling.pace import WINDOW
from poolqueue.scheduling.pools import Reservation
from poolqueue.scheduling.reckoning import reckon
from poolqueue.scheduling.traits import Traits
from poolqueue.scheduling.verdicts import Admit, Preempt
from poolqueue.scheduling.waiting import Waiting, is_among

DECISIONS_LIMIT = 5_000
ALL_SLOTS = 1_000_000

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
        self._now = now
        self._left = left
        self._slots, self._paced_until = slots, now + WINDOW
        self._lines = {line.key: line for line in board.lines()}
        self._arrays = {*board.arrays}
        self._starts: dict[str, datetime] = {}
        self._gone: set[str] = set()
        self._due: set[datetime] = set()
        self._ends: list[tuple[float, str, bool]] = [
            (self._end_of(each), token, False) for token, each in board.resource.reservations.items()
        ]
        heapify(self._ends)

    def run(self, of: Collection[str] | None, limit: int, horizon: datetime | None) -> Course:
        awaited = set(self._lines if of is None else of)
        is_over, decisions = False, 0
        while decisions < limit:
            self._decide()
            decisions += 1
            awaited -= (self._starts.keys() - self._arrays) | self._gone | self._emptied()
            at = self._next_time()
            is_over = at is None
            if at is None or not awaited or (horizon is not None and at > horizon):
                break
            self._advance(at)
        return Course(
            starts=self._starts, gone=self._gone, until=self._now, is_over=is_over, decisions=decisions
        )

    def _emptied(self) -> set[str]:
        """The arrays of which all members that waited have started."""
        return self._arrays - self._board.arrays.keys()

    # --- time

    def _next_time(self) -> datetime | None:
        """When something happens next, if anything does."""
        self._due = {at for at in self._due if at > self._now}
        end = time_of(self._ends[0][0]) if self._ends else None
        return min([*self._due, *([max(self._now, end)] if end is not None else [])], default=None)

    def _advance(self, at: datetime) -> None:
        self._now = at
        while self._ends and time_of(self._ends[0][0]) <= self._now:
            _, token, is_preempted = heappop(self._ends)
            self._end(token, is_preempted=is_preempted)

    def _end(self, token: str, *, is_preempted: bool) -> None:
        ended = self._board.resource.reservations.get(token)
        if ended is None:
            return
        self._board.apply(Released(token=token, at=self._now, settles=False), now=self._now)
        if is_preempted:
            again = _waiting_again(ended)
            self._lines[again.key] = again
            self._board.add(again)

    def _end_of(self, each: Reservation) -> float:
        elapsed = max(0.0, (self._now - each.since).total_seconds())
        if each.cancelled_at is not None:
            return seconds_of(self._now) + CANCELLED_SECONDS
        return seconds_of(self._now) + self._left(each.key, each.traits, elapsed)

    # --- decisions

    def _decide(self) -> None:
        self._board.confirm(self._now)
        if self._now >= self._paced_until:
            self._slots = ALL_SLOTS
        decision = decide(self._board, now=self._now, slots=self._slots)
        self._slots -= len(decision.admits)
        for line in [*decision.leaving()]:
            self._board.remove(line)
            self._lines.pop(line.key, None)
        self._gone |= {reject.waiting.key for reject in decision.rejects}
        self._gone |= {expire.waiting.key for expire in decision.expires}
        for preempt in decision.preempts:
            self._preempt(preempt)
        for admit in decision.admits:
            self._start(admit)
        self._reckon(decision)
        due = decision.due()
        self._due |= {due} if due is not None else set()
        self._due |= {self._paced_until} if decision.paced else set()
        self._due |= {at for pool in self._board.resource.backoffs.values() if (at := pool.until) > self._now}

    def _start(self, admit: Admit) -> None:
        line = admit.waiting
        attempt = line.attempt + 1
        most = self._board.policy.max_preemptions
        reservation = Reservation(
            token=f"{line.key}#{attempt}",
            team=line.team,
            job_id=line.job_id,
            attempt=attempt,
            replicas=admit.replicas,
            reserved_at=self._now,
            submit_by=self._now,
            number="",
            running=True,
            priority=line.priority,
            traits=line.traits,
            serial=line.serial,
            preemptions=max(0, min(most, _or(line.max_preemptions, most)) - line.preemptions),
            passes=admit.passes,
        )
        self._board.apply(Reserved(reservations=(reservation,)), now=self._now)
        self._starts.setdefault(line.key, self._now)
        if line.of is not None:
            self._starts.setdefault(line.of, self._now)
        heappush(self._ends, (self._end_of(reservation), reservation.token, False))

    def _preempt(self, preempt: Preempt) -> None:
        victim = replace(self._board.resource.reservations[preempt.token], cancelled_at=self._now)
        self._board.apply(Noted(reservation=victim), now=self._now)
        heappush(self._ends, (seconds_of(self._now) + CANCELLED_SECONDS, preempt.token, True))

    def _waits(self, key: str) -> bool:
        return key in self._lines or is_among(self._board.arrays.values())(key)

    def _reckon(self, decision: Decision) -> None:
        board = self._board
        reckoned = reckon(
            board.resource,
            decision,
            admits=decision.admits,
            is_waiting=self._waits,
            policy=board.policy,
            now=self._now,
        )
        board.apply(reckoned, now=self._now)


def _waiting_again(reservation: Reservation) -> Waiting:
    """Its line as far as the reservation tells; it is taken to have arrived when it was reserved."""
    demands = (
        Demand(index=index, machine=key.machine, disk=key.disk, replicas=n)
        for index, (key, n) in enumerate(reservation.replicas.items())
    )
    return Waiting(
        team=reservation.team,
        job_id=reservation.job_id,
        priority=reservation.priority,
        arrived=reservation.reserved_at,
        demands=tuple(demands),
        attempt=reservation.attempt,
        traits=reservation.traits,
        serial=reservation.serial,
        max_preemptions=max(0, reservation.preemptions - 1),
    )


def _or(given: int | None, usual: int) -> int:
    return usual if given is None else given
