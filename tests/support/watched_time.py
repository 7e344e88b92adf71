"""Virtual time with arrivals of a test's own, which sees each decision and what really runs.

What runs and when it really ends is kept here, apart from what the board knows: tests hold one against the
other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from poolqueue.scheduling.arrays import array_key
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.expectations import Expectations, TimeoutsOnly
from poolqueue.scheduling.policies import Policy
from poolqueue.scheduling.pools import PoolKey, Reservation, Resource
from poolqueue.scheduling.verdicts import Preempt
from poolqueue.scheduling.virtual_time import VirtualTime
from poolqueue.scheduling.waiting import Waiting

CANCELLING_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt as it really is: `ends` is known to nobody else, and may be sooner if it is preempted."""

    key: str
    team: str
    replicas: Mapping[PoolKey, int]
    began: datetime
    ends: datetime


@dataclass(frozen=True, kw_only=True)
class Past:
    """An attempt that is over; `preempted` ones go back to the queue."""

    attempt: Attempt
    ended: datetime
    preempted: bool


Look = Callable[["WatchedTime", Decision], None]
Happening = Callable[[], None]


@dataclass(kw_only=True)
class Log:
    """What happened: when jobs first started, what they were first promised, attempts that are over."""

    started: dict[str, datetime] = field(default_factory=dict)
    promised: dict[str, datetime] = field(default_factory=dict)
    past: list[Past] = field(default_factory=list)
    preempts: list[tuple[datetime, Preempt]] = field(default_factory=list)
    decisions: int = 0


class WatchedTime:
    """`look` sees each decision once it is carried out; `again` says which job follows one that starts."""

    def __init__(
        self,
        resource: Resource,
        *,
        now: datetime,
        policy: Policy | None = None,
        expectations: Expectations | None = None,
        look: Look = lambda _time, _decision: None,
        again: Callable[[WatchedTime, Waiting], tuple[Waiting, float] | None] = lambda _time, _line: None,
    ) -> None:
        known = expectations or TimeoutsOnly()
        self.board = Board(resource, policy=policy or Policy(), expectations=known, now=now)
        self.running: dict[str, Attempt] = {}
        self.log = Log()
        self._time = VirtualTime(
            self.board, beginning=now, runs=self._begin, over=self._over, cancelling=CANCELLING_SECONDS
        )
        self._look = look
        self._again = again
        self._runs: dict[str, float] = {}
        self._happenings: list[tuple[datetime, int, Happening]] = []
        self._numbers = count(1)

    @property
    def now(self) -> datetime:
        return self._time.now

    @property
    def waiting(self) -> dict[str, Waiting]:
        return {line.key: line for line in self.board.lines()}

    def arrives(self, line: Waiting, *, runs: float) -> None:
        """It arrives when it says, and will run for so many seconds; all members of an array for as long."""
        self._runs[line.key] = runs
        self.at(line.arrived, lambda: self._time.arrive(line))

    def at(self, when: datetime, happens: Happening) -> None:
        heappush(self._happenings, (when, next(self._numbers), happens))

    def forget_successors(self) -> None:
        """No job follows one that starts any more."""
        self._again = lambda _time, _line: None

    def change_policy(self, policy: Policy) -> None:
        self.board.policy = policy

    def run(self, *, until: datetime | None = None) -> Log:
        """Until then, or until nothing happens any more."""
        while (when := self._next()) is not None and (until is None or when <= until):
            self._go_to(when)
            while self._happenings and self._happenings[0][0] == when:
                heappop(self._happenings)[2]()
            self.decide()
        if until is not None:
            self._go_to(until)
        return self.log

    def decide(self) -> Decision:
        decision = self._time.decide()
        self.log.preempts += [(self.now, preempt) for preempt in decision.preempts]
        for key, promise in self.board.resource.promises.items():
            self.log.promised.setdefault(key, promise.start)
        self.log.decisions += 1
        self._look(self, decision)
        for admit in decision.admits:
            if (follows := self._again(self, admit.waiting)) is not None:
                self.arrives(follows[0], runs=follows[1])
        if (due := decision.due()) is not None and due > self.now:
            self.at(due, lambda: None)
        return decision

    def end(self, token: str, *, when: datetime) -> None:
        """It ends then, whatever it was to take, and nothing is decided."""
        self._go_to(when)
        self._time.end(token)

    def _next(self) -> datetime | None:
        """When something happens next, if anything does."""
        times = [when for when, _, _ in self._happenings[:1]]
        end = self._time.next_end
        return min([*times, *([] if end == math.inf else [self._time.time_at(end)])], default=None)

    def _go_to(self, when: datetime) -> None:
        self._time.go_to(self._time.seconds_at(when))

    def _begin(self, reservation: Reservation) -> float:
        key = reservation.key
        runs = self._runs[key if key in self._runs else array_key(key) or ""]
        self.running[reservation.token] = Attempt(
            key=key,
            team=reservation.team,
            replicas=reservation.replicas,
            began=self.now,
            ends=self.now + timedelta(seconds=runs),
        )
        self.log.started.setdefault(key, self.now)
        return runs

    def _over(self, reservation: Reservation, preempted: bool) -> None:
        attempt = self.running.pop(reservation.token)
        self.log.past.append(Past(attempt=attempt, ended=self.now, preempted=preempted))

    # --- what tests ask

    def used_now(self) -> Counter[PoolKey]:
        used: Counter[PoolKey] = Counter()
        for attempt in self.running.values():
            used.update(attempt.replicas)
        return used

    def replica_seconds(self, *, since: datetime, until: datetime) -> Counter[str]:
        """By team, of what was held between these times."""
        by_team: Counter[str] = Counter()
        spans = [(past.attempt, past.ended) for past in self.log.past]
        spans += [(attempt, until) for attempt in self.running.values()]
        for attempt, ended in spans:
            held = (min(ended, until) - max(attempt.began, since)).total_seconds()
            by_team[attempt.team] += round(max(0.0, held) * sum(attempt.replicas.values()))
        return by_team


def arrive_all(time: WatchedTime, arrivals: Iterable[tuple[Waiting, float]]) -> None:
    for line, runs in arrivals:
        time.arrives(line, runs=runs)
