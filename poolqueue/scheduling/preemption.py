"""Whose running attempts are ended so that a job with a better right to their replicas may start.

A team gets back what it is guaranteed and has lent; or a higher priority takes from lower ones, where the
policy says so. The victims are those that lose the least work: seconds since they began times replicas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from poolqueue.scheduling.board import Board
from poolqueue.scheduling.policies import Preemption
from poolqueue.scheduling.pools import PoolKey, Reservation, total
from poolqueue.scheduling.sharing import Quotas, Wanted
from poolqueue.scheduling.verdicts import Preempt
from poolqueue.scheduling.waiting import Waiting


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
    if board.policy.preemption is Preemption.OFF:
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
        """As few as are needed; none if they are not enough."""
        found: list[Reservation] = []
        lacking = dict(short)
        given_up: Counter[tuple[str, PoolKey]] = Counter()
        for each in self._leaving:
            given_up.update(_by_pool(each))
        for each in sorted(self._candidates(short), key=self._lost_per_replica):
            if any(n > 0 for n in lacking.values()) and self._may_end(each, given_up):
                found.append(each)
                _less(lacking, each.replicas)
                given_up.update(_by_pool(each))
        if any(n > 0 for n in lacking.values()):
            return []
        return [self._verdict(each) for each in self._pruned(found, lacking)]

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

    def _pruned(self, found: list[Reservation], lacking: dict[PoolKey, int]) -> list[Reservation]:
        """Without those that turned out not to be needed, the largest loss first."""
        for each in sorted(found, key=self._lost, reverse=True):
            if all(lacking.get(key, 0) + n <= 0 for key, n in each.replicas.items() if key in lacking):
                found.remove(each)
                _less(lacking, {key: -n for key, n in each.replicas.items()})
        return found

    def _elapsed(self, each: Reservation) -> float:
        return max(0.0, (self._now - each.since).total_seconds())

    def _lost(self, each: Reservation) -> float:
        return self._elapsed(each) * sum(each.replicas.values())

    def _lost_per_replica(self, each: Reservation) -> tuple[float, str]:
        useful = sum(n for key, n in each.replicas.items() if key in dict(self._claim.wanted))
        return self._lost(each) / useful, each.token

    def _verdict(self, each: Reservation) -> Preempt:
        by = self._claim.line
        if self._is_owner and self._quotas.borrowed(each.team, next(iter(each.replicas))) > 0:
            note = f"{by.key} gets back replicas that team {by.team} is guaranteed and had lent"
        else:
            note = f"{by.key} has priority {by.priority}, this job {each.priority}"
        return Preempt(token=each.token, key=each.key, by=by.key, note=note)


def _less(lacking: dict[PoolKey, int], replicas: Mapping[PoolKey, int]) -> None:
    for key, n in replicas.items():
        if key in lacking:
            lacking[key] -= n


def _by_pool(each: Reservation) -> dict[tuple[str, PoolKey], int]:
    return {(each.team, key): n for key, n in each.replicas.items()}
