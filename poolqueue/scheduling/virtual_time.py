"""One persistent resource in virtual time: decisions are carried out as a cycle does it, and attempts end.

A run forward, a simulation and the tests differ in what arrives, in how long attempts run, and in what they
note of it. What happens on the board is the same for all, and is here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import CANCELLED_SECONDS, Board
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.events import Noted, Released, Reserved
from poolqueue.scheduling.jobs import Demand
from poolqueue.scheduling.pools import Reservation
from poolqueue.scheduling.reckoning import reckon
from poolqueue.scheduling.verdicts import Admit
from poolqueue.scheduling.waiting import Waiting, is_among

ALL_SLOTS = 1_000_000
FOR_EVER = datetime.max.replace(tzinfo=UTC)

Runs = Callable[[Reservation], float]
"""For how many seconds an attempt runs that starts now."""

Over = Callable[[Reservation, bool], None]
"""Hears that an attempt ends now, by itself or because it was preempted."""


class VirtualTime:
    """`board` is used up, and taken to be confirmed all the time. `at` counts the seconds since `beginning`.

    What was preempted gives its replicas back `cancelling` seconds later, and its job waits anew in its old
    place; where that is not known, as if it had arrived when it was reserved.
    """

    def __init__(
        self,
        board: Board,
        *,
        beginning: datetime,
        runs: Runs,
        over: Over = lambda _attempt, _preempted: None,
        cancelling: float = CANCELLED_SECONDS,
    ) -> None:
        self.board = board
        self.at, self.now = 0.0, beginning
        self._beginning = beginning
        self._runs = runs
        self._over = over
        self._cancelling = cancelling
        self._waiting = {line.key for line in board.lines() if not line.members}
        self._lines: dict[str, Waiting] = {}
        self._ends: list[tuple[float, int, str, bool]] = []
        self._numbers = count()
        board.confirm(FOR_EVER)

    # --- time

    @property
    def next_end(self) -> float:
        """When the next attempt ends; infinite if none runs."""
        return self._ends[0][0] if self._ends else math.inf

    @property
    def waiting(self) -> int:
        """How many lines wait, arrays aside."""
        return len(self._waiting)

    def seconds_at(self, moment: datetime) -> float:
        return (moment - self._beginning).total_seconds()

    def time_at(self, seconds: float) -> datetime:
        return self._beginning + timedelta(seconds=seconds)

    def go_to(self, at: float) -> None:
        """Time passes until then, and attempts end meanwhile."""
        while self._ends and self._ends[0][0] <= at:
            end, _, token, is_preempted = heappop(self._ends)
            self._pass(max(self.at, end))
            self.end(token, preempted=is_preempted)
        self._pass(at)

    def _pass(self, at: float) -> None:
        if at != self.at:
            self.at, self.now = at, self.time_at(at)

    def ends(self, token: str, *, at: float, preempted: bool = False) -> None:
        """An attempt ends then, unless it has ended before."""
        heappush(self._ends, (at, next(self._numbers), token, preempted))

    def end(self, token: str, *, preempted: bool = False) -> None:
        """An attempt ends now, if it has not ended yet."""
        attempt = self.board.resource.reservations.get(token)
        if attempt is None:
            return
        self._over(attempt, preempted)
        self.board.apply(Released(token=token, at=self.now, settles=False), now=self.now)
        line = self._lines.pop(token, None)
        if preempted:
            self.arrive(_again(line) if line is not None else _as_reserved(attempt))

    # --- jobs

    def arrive(self, line: Waiting) -> None:
        """It waits from now on."""
        if not line.members:
            self._waiting.add(line.key)
        self.board.add(line)

    def decide(self, *, slots: int = ALL_SLOTS) -> Decision:
        """One decision, carried out: who leaves, who is preempted, who starts, and the reckoning."""
        decision = decide(self.board, now=self.now, slots=slots)
        for line in [*decision.leaving()]:
            self._waiting.discard(line.key)
            self.board.remove(line)
        for preempt in decision.preempts:
            self._preempt(preempt.token)
        for admit in decision.admits:
            self._start(admit)
        self._reckon(decision)
        return decision

    def _preempt(self, token: str) -> None:
        if not self._cancelling:
            self.end(token, preempted=True)
            return
        attempt = self.board.resource.reservations[token]
        assert attempt.cancelled_at is None, "it is being cancelled already"
        self.board.apply(Noted(reservation=replace(attempt, cancelled_at=self.now)), now=self.now)
        self.ends(token, at=self.at + self._cancelling, preempted=True)

    def _start(self, admit: Admit) -> None:
        line, attempt = admit.waiting, admit.waiting.attempt + 1
        most = self.board.policy.max_preemptions
        allowed = most if line.max_preemptions is None else min(most, line.max_preemptions)
        token = f"{line.key}#{attempt}"
        reservation = Reservation(
            token=token,
            team=line.team,
            job_id=line.job_id,
            attempt=attempt,
            replicas=admit.replicas,
            reserved_at=self.now,
            submit_by=self.now,
            number=token,
            running=True,
            started=self.now,
            priority=line.priority,
            traits=line.traits,
            serial=line.serial,
            preemptions=max(0, allowed - line.preemptions),
            passes=admit.passes,
        )
        runs = self._runs(reservation)
        self.board.apply(Reserved(reservations=(reservation,)), now=self.now)
        self._lines[token] = line
        self.ends(token, at=self.at + runs)

    def _reckon(self, decision: Decision) -> None:
        reckoned = reckon(
            self.board.resource,
            decision,
            admits=decision.admits,
            is_waiting=self._is_waiting(),
            policy=self.board.policy,
            now=self.now,
        )
        self.board.apply(reckoned, now=self.now)

    def _is_waiting(self) -> Callable[[str], bool]:
        if not self.board.arrays:
            return self._waiting.__contains__
        is_in_array = is_among(self.board.arrays.values())
        return lambda key: key in self._waiting or is_in_array(key)


def _again(line: Waiting) -> Waiting:
    return replace(line, of=None, attempt=line.attempt + 1, preemptions=line.preemptions + 1)


def _as_reserved(attempt: Reservation) -> Waiting:
    """Its line as far as the reservation tells."""
    demands = (
        Demand(index=index, machine=key.machine, disk=key.disk, replicas=n)
        for index, (key, n) in enumerate(attempt.replicas.items())
    )
    return Waiting(
        team=attempt.team,
        job_id=attempt.job_id,
        priority=attempt.priority,
        arrived=attempt.reserved_at,
        demands=tuple(demands),
        attempt=attempt.attempt,
        traits=attempt.traits,
        serial=attempt.serial,
        max_preemptions=max(0, attempt.preemptions - 1),
    )
