"""One persistent resource in virtual time: jobs arrive, start by `decide`, and run for as long as they do.

What runs and when it really ends is kept here, apart from what the board knows: tests hold one against the
other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.events import Noted, Released, Reserved
from poolqueue.scheduling.expectations import Expectations, TimeoutsOnly
from poolqueue.scheduling.policies import Policy
from poolqueue.scheduling.pools import PoolKey, Reservation, Resource
from poolqueue.scheduling.reckoning import reckon
from poolqueue.scheduling.verdicts import Admit, Preempt
from poolqueue.scheduling.waiting import Waiting, is_among

ALWAYS_FRESH = timedelta(days=10_000)
CANCELLING = timedelta(seconds=20)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt as it really is: `ends` is known to nobody else."""

    line: Waiting
    replicas: Mapping[PoolKey, int]
    began: datetime
    ends: datetime


@dataclass(frozen=True, kw_only=True)
class Past:
    """An attempt that is over; `preempted` ones go back to the queue."""

    line: Waiting
    replicas: Mapping[PoolKey, int]
    began: datetime
    ended: datetime
    preempted: bool = False


Look = Callable[["VirtualTime", Decision], None]
Happening = Callable[[], None]


@dataclass(kw_only=True)
class Log:
    """What happened: when jobs first started, what they were first promised, attempts that are over."""

    started: dict[str, datetime] = field(default_factory=dict)
    promised: dict[str, datetime] = field(default_factory=dict)
    past: list[Past] = field(default_factory=list)
    preempts: list[tuple[datetime, Preempt]] = field(default_factory=list)
    decisions: int = 0


class VirtualTime:
    """`look` sees each decision once it is carried out; `again` says which job follows one that starts."""

    def __init__(
        self,
        resource: Resource,
        *,
        now: datetime,
        policy: Policy | None = None,
        expectations: Expectations | None = None,
        look: Look = lambda _time, _decision: None,
        again: Callable[[VirtualTime, Waiting], tuple[Waiting, float] | None] = lambda _time, _line: None,
    ) -> None:
        self.now = now
        self.policy = policy or Policy()
        known = expectations or TimeoutsOnly()
        fresh = replace(resource, observed_at=now + ALWAYS_FRESH)
        self.board = Board(fresh, policy=self.policy, expectations=known, now=now)
        self.running: dict[str, Attempt] = {}
        self.waiting: dict[str, Waiting] = {}
        self.log = Log()
        self._look = look
        self._again = again
        self._runs: dict[str, float] = {}
        self._happenings: list[tuple[datetime, int, Happening]] = []
        self._numbers = count(1)

    def arrives(self, line: Waiting, *, runs: float) -> None:
        """It arrives when it says, and will run for so many seconds."""
        self._runs[line.key] = runs
        self.at(line.arrived, lambda: self._enter(line))

    def at(self, when: datetime, happens: Happening) -> None:
        heappush(self._happenings, (when, next(self._numbers), happens))

    def forget_successors(self) -> None:
        """No job follows one that starts any more."""
        self._again = lambda _time, _line: None

    def change_policy(self, policy: Policy) -> None:
        self.policy = self.board.policy = policy

    def run(self, *, until: datetime | None = None) -> Log:
        """Until then, or until nothing happens any more."""
        while self._happenings and (until is None or self._happenings[0][0] <= until):
            self.now = self._happenings[0][0]
            while self._happenings and self._happenings[0][0] == self.now:
                heappop(self._happenings)[2]()
            self.decide()
        if until is not None:
            self.now = until
        return self.log

    def decide(self) -> Decision:
        """One decision, carried out as a cycle does it: reservations, preemptions, then the reckoning."""
        decision = decide(self.board, now=self.now, slots=10_000)
        for line in decision.leaving():
            self._leave(line)
        for admit in decision.admits:
            self._start(admit)
        for preempt in decision.preempts:
            self._preempt(preempt)
        self.board.apply(
            reckon(
                self.board.resource,
                decision,
                admits=decision.admits,
                is_waiting=is_among(self.waiting.values()),
                policy=self.policy,
                now=self.now,
            ),
            now=self.now,
        )
        for key, promise in self.board.resource.promises.items():
            self.log.promised.setdefault(key, promise.start)
        self.log.decisions += 1
        self._look(self, decision)
        for admit in decision.admits:
            self._follow(admit.waiting)
        for due in [decision.due()]:
            if due is not None and due > self.now:
                self.at(due, lambda: None)
        return decision

    def _enter(self, line: Waiting) -> None:
        self.waiting[line.key] = line
        self.board.add(line)

    def _leave(self, line: Waiting) -> None:
        self.board.remove(line)
        if line.of is None:
            del self.waiting[line.key]
        elif line.of in self.board.arrays:
            self.waiting[line.of] = self.board.arrays[line.of]
        else:
            del self.waiting[line.of]

    def _start(self, admit: Admit) -> None:
        line, token = admit.waiting, f"t{next(self._numbers)}"
        most = self.policy.max_preemptions
        allowed = most if line.max_preemptions is None else min(most, line.max_preemptions)
        reservation = Reservation(
            token=token,
            team=line.team,
            job_id=line.job_id,
            attempt=line.attempt + 1,
            replicas=admit.replicas,
            reserved_at=self.now,
            submit_by=self.now,
            number=token,
            running=True,
            started=self.now,
            priority=line.priority,
            traits=line.traits,
            preemptions=max(0, allowed - line.preemptions),
            passes=admit.passes,
        )
        self.board.apply(Reserved(reservations=(reservation,)), now=self.now)
        ends = self.now + timedelta(seconds=self._runs_of(line))
        self.running[token] = Attempt(line=line, replicas=admit.replicas, began=self.now, ends=ends)
        self.log.started.setdefault(line.key, self.now)
        self.at(ends, lambda: self._end(token))

    def _runs_of(self, line: Waiting) -> float:
        """All members of an array run for as long."""
        return self._runs[line.key if line.key in self._runs else line.array or ""]

    def _follow(self, line: Waiting) -> None:
        if (next_ := self._again(self, line)) is not None:
            self.arrives(next_[0], runs=next_[1])

    def end(self, token: str, *, when: datetime) -> None:
        """It ends then, whatever it was to take, and nothing is decided."""
        self.now = when
        self._end(token)

    def _end(self, token: str, *, preempted: bool = False) -> None:
        attempt = self.running.pop(token, None)
        if attempt is None:
            return
        self.board.apply(Released(token=token, at=self.now), now=self.now)
        over = Past(
            line=attempt.line,
            replicas=attempt.replicas,
            began=attempt.began,
            ended=self.now,
            preempted=preempted,
        )
        self.log.past.append(over)
        if preempted:
            line = attempt.line
            again = replace(line, of=None, attempt=line.attempt + 1, preemptions=line.preemptions + 1)
            self._enter(again)

    def _preempt(self, preempt: Preempt) -> None:
        self.log.preempts.append((self.now, preempt))
        reservation = self.board.resource.reservations[preempt.token]
        assert reservation.cancelled_at is None, "it is being cancelled already"
        self.board.apply(Noted(reservation=replace(reservation, cancelled_at=self.now)), now=self.now)
        self.at(self.now + CANCELLING, lambda: self._end(preempt.token, preempted=True))

    # --- what tests ask

    def used_now(self) -> Counter[PoolKey]:
        used: Counter[PoolKey] = Counter()
        for attempt in self.running.values():
            used.update(attempt.replicas)
        return used

    def replica_seconds(self, *, since: datetime, until: datetime) -> Counter[str]:
        """By team, of what was held between these times."""
        by_team: Counter[str] = Counter()
        spans = [(past.line.team, past.replicas, past.began, past.ended) for past in self.log.past]
        spans += [(a.line.team, a.replicas, a.began, until) for a in self.running.values()]
        for team, replicas, began, ended in spans:
            held = (min(ended, until) - max(began, since)).total_seconds()
            by_team[team] += round(max(0.0, held) * sum(replicas.values()))
        return by_team


def arrive_all(time: VirtualTime, arrivals: Iterable[tuple[Waiting, float]]) -> None:
    for line, runs in arrivals:
        time.arrives(line, runs=runs)
