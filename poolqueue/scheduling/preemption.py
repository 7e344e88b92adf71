"""Whose running attempts are ended so that a job with a better right to their replicas may start.

A team gets back what it is guaranteed and has lent; or a higher priority takes from lower ones, where the
policy says so. The victims are those that lose the least work: seconds since they began times replicas.

Strict FIFO preempts nobody: whoever was preempted would come first again.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from poolqueue.scheduling.board import Board
from poolqueue.scheduling.planning import Wanted
from poolqueue.scheduling.policies import Ordering, Preemption
from poolqueue.scheduling.pools import PoolKey, Reservation, total
from poolqueue.scheduling.sharing import Quotas
from poolqueue.scheduling.verdicts import Preempt
from poolqueue.scheduling.waiting import Waiting

LOOKS_LIMIT = 5_000
VICTIMS_LIMIT = 500


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The first job in turn that lacks replicas of its pools."""

    line: Waiting
    wanted: Wanted


def preemptions(
    board: Board,
    claim: Claim,
    free: Mapping[PoolKey, int],
    quotas: Quotas,
    *,
    chosen: Iterable[Preempt] = (),
    now: datetime,
) -> list[Preempt]:
    """The attempts to be ended for this claim; none if not all that it lacks can be had.

    `chosen` are to be ended for earlier ones. Replicas of attempts that are being cancelled already count as
    free.
    """
    if board.policy.preemption is Preemption.OFF or board.policy.ordering is Ordering.FIFO:
        return []
    victims = _Victims(board, claim, quotas, leaving=_leaving(board, chosen), now=now)
    short = victims.short(free)
    return victims.for_(short) if short else []


def _leaving(board: Board, chosen: Iterable[Preempt]) -> list[Reservation]:
    tokens = {each.token for each in chosen}
    reservations = board.resource.reservations.values()
    return [each for each in reservations if each.cancelled_at is not None or each.token in tokens]


class _Victims:
    """`leaving` are the attempts that end anyhow."""

    def __init__(
        self, board: Board, claim: Claim, quotas: Quotas, *, leaving: Sequence[Reservation], now: datetime
    ) -> None:
        self._board = board
        self._claim = claim
        self._quotas = quotas
        self._leaving = leaving
        self._now = now
        self._is_owner = quotas.is_guaranteed(claim.line.team, claim.wanted)

    def short(self, free: Mapping[PoolKey, int]) -> dict[PoolKey, int]:
        """What the claim lacks even when all that leave have left."""
        freed = total(each.replicas for each in self._leaving)
        lacks = {key: n - free[key] - freed[key] for key, n in self._claim.wanted}
        return {key: n for key, n in lacks.items() if n > 0}

    def for_(self, short: Mapping[PoolKey, int]) -> list[Preempt]:
        """Those that together lose the least; none if they are not enough."""
        given_up: Counter[tuple[str, PoolKey]] = Counter()
        for each in self._leaving:
            given_up.update(_by_pool(each))
        candidates = sorted(self._candidates(short), key=self._lost_per_replica)
        search = _LeastLoss(candidates, self._lost, self._lost_per_replica, self._may_end)
        return [self._verdict(each) for each in search.enough(short, given_up)]

    def _candidates(self, short: Mapping[PoolKey, int]) -> Iterable[Reservation]:
        """Attempts that Vertex AI has, that stay, have run for their `min_run`, and may be preempted."""
        tokens = {each.token for each in self._leaving}
        for each in self._board.resource.reservations.values():
            if each.token in tokens or each.number is None or each.preemptions <= 0:
                continue
            if self._has_run(each) and any(key in short for key in each.replicas):
                yield each

    def _has_run(self, each: Reservation) -> bool:
        """For its `min_run`, which begins when it is known to run."""
        if each.traits.min_run == 0:
            return True
        return each.started is not None and self._elapsed(each) >= each.traits.min_run

    def _may_end(self, each: Reservation, given_up: Mapping[tuple[str, PoolKey], int]) -> bool:
        is_own_teams = each.team == self._claim.line.team
        is_borrowed = not is_own_teams and self._is_borrowed(each, given_up)
        if self._is_owner and is_borrowed:
            return True
        higher = self._board.policy.preemption is Preemption.HIGHER
        return higher and each.priority < self._claim.line.priority and (is_own_teams or is_borrowed)

    def _is_borrowed(self, each: Reservation, given_up: Mapping[tuple[str, PoolKey], int]) -> bool:
        """All that it holds is beyond what its team is guaranteed, which nobody takes."""
        return all(
            n + given_up.get((each.team, key), 0) <= self._quotas.borrowed(each.team, key)
            for key, n in each.replicas.items()
        )

    def _elapsed(self, each: Reservation) -> float:
        return max(0.0, (self._now - each.since).total_seconds())

    def _lost(self, each: Reservation) -> float:
        return self._elapsed(each) * sum(each.replicas.values())

    def _lost_per_replica(self, each: Reservation) -> tuple[float, str]:
        useful = sum(n for key, n in each.replicas.items() if key in dict(self._claim.wanted))
        return self._lost(each) / useful, each.token

    def _verdict(self, each: Reservation) -> Preempt:
        by = self._claim.line
        if self._is_owner and each.team != by.team:
            note = f"{by.key} gets back replicas that team {by.team} is guaranteed and had lent"
        else:
            note = f"{by.key} has priority {by.priority}, this job {each.priority}"
        return Preempt(token=each.token, key=each.key, by=by.key, note=note)


class _LeastLoss:
    """Looks for the cheapest attempts that hold enough: first whoever loses least per replica that is of use,
    then what is cheaper, by branch and bound. It is the cheapest of all if that takes no more than so many
    looks, else the cheapest that was found.
    """

    def __init__(
        self,
        candidates: Sequence[Reservation],
        lost: Callable[[Reservation], float],
        lost_per_replica: Callable[[Reservation], tuple[float, str]],
        may_end: Callable[[Reservation, Mapping[tuple[str, PoolKey], int]], bool],
    ) -> None:
        self._candidates = candidates
        self._lost = [lost(each) for each in candidates]
        self._rates = [lost_per_replica(each)[0] for each in candidates]
        self._may_end = may_end
        self._looks = LOOKS_LIMIT
        self._best: list[int] | None = None
        self._least = math.inf

    def enough(
        self, short: Mapping[PoolKey, int], given_up: Counter[tuple[str, PoolKey]]
    ) -> list[Reservation]:
        self._search([], short, given_up, 0.0)
        return [self._candidates[place] for place in self._without_needless(self._best or [], short)]

    def _search(
        self,
        chosen: list[int],
        short: Mapping[PoolKey, int],
        given_up: Counter[tuple[str, PoolKey]],
        loss: float,
    ) -> None:
        if loss >= self._least:
            return
        if not short:
            self._best, self._least = chosen, loss
            return
        lacking = sum(short.values())
        for place in range(chosen[-1] + 1 if chosen else 0, len(self._candidates)):
            self._looks -= 1
            no_better = loss + lacking * self._rates[place] >= self._least
            if no_better or (self._looks < 0 and self._best is not None):
                return
            each = self._candidates[place]
            if len(chosen) < VICTIMS_LIMIT and self._may_end(each, given_up):
                rest = {key: n for key, n in _less(short, each.replicas).items() if n > 0}
                more = given_up + Counter(_by_pool(each))
                self._search([*chosen, place], rest, more, loss + self._lost[place])

    def _without_needless(self, chosen: Sequence[int], short: Mapping[PoolKey, int]) -> list[int]:
        """Without those that turned out not to be needed, the largest loss first."""
        kept = [*chosen]
        for place in sorted(chosen, key=lambda each: self._lost[each], reverse=True):
            others = total(self._candidates[other].replicas for other in kept if other != place)
            if all(n <= others[key] for key, n in short.items()):
                kept.remove(place)
        return kept


def _less(lacking: Mapping[PoolKey, int], replicas: Mapping[PoolKey, int]) -> dict[PoolKey, int]:
    return {key: n - replicas.get(key, 0) for key, n in lacking.items()}


def _by_pool(each: Reservation) -> dict[tuple[str, PoolKey], int]:
    return {(each.team, key): n for key, n in each.replicas.items()}
