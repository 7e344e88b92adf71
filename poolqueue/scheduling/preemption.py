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
from poolqueue.scheduling.pools import PoolKey, Reservation
from poolqueue.scheduling.sharing import Quotas, Wanted
from poolqueue.scheduling.verdicts import Preempt
from poolqueue.scheduling.waiting import Waiting


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The first job in turn that lacks replicas of its pools."""

    line: Waiting
    wanted: Wanted


def preemptions(
    board: Board, claims: Sequence[Claim], free: Mapping[PoolKey, int], quotas: Quotas, *, now: datetime
) -> list[Preempt]:
    """The attempts to be ended for these claims; none for a claim that not all it lacks can be had for.

    Replicas of attempts that are being cancelled already count as free.
    """
    if board.policy.preemption is Preemption.OFF:
        return []
    chosen: dict[str, Preempt] = {}
    for claim in claims:
        short = _short(board, claim, free)
        if short:
            victims = _Victims(board, claim, quotas, taken=chosen.keys(), now=now).for_(short)
            chosen |= {each.token: each for each in victims}
    return list(chosen.values())


def _short(board: Board, claim: Claim, free: Mapping[PoolKey, int]) -> dict[PoolKey, int]:
    leaving: Counter[PoolKey] = Counter()
    for reservation in board.resource.reservations.values():
        if reservation.cancelled_at is not None:
            leaving.update(reservation.replicas)
    lacks = {key: n - free[key] - leaving[key] for key, n in claim.wanted}
    return {key: n for key, n in lacks.items() if n > 0}


class _Victims:
    def __init__(
        self, board: Board, claim: Claim, quotas: Quotas, *, taken: Iterable[str], now: datetime
    ) -> None:
        self._board = board
        self._claim = claim
        self._quotas = quotas
        self._taken = set(taken)
        self._now = now
        self._is_owner = quotas.is_guaranteed(claim.line.team, claim.wanted)

    def for_(self, short: Mapping[PoolKey, int]) -> list[Preempt]:
        """As few as are needed; none if they are not enough."""
        found: list[Reservation] = []
        lacking = dict(short)
        lent: Counter[tuple[str, PoolKey]] = Counter()
        for each in sorted(self._candidates(short), key=self._lost_per_replica):
            if any(n > 0 for n in lacking.values()) and self._may_end(each, lent):
                found.append(each)
                _less(lacking, each.replicas)
                lent.update({(each.team, key): n for key, n in each.replicas.items()})
        if any(n > 0 for n in lacking.values()):
            return []
        return [self._verdict(each) for each in self._pruned(found, lacking)]

    def _candidates(self, short: Mapping[PoolKey, int]) -> Iterable[Reservation]:
        """Attempts that run, are not being cancelled, have run for their `min_run`, and may be preempted."""
        for each in self._board.resource.reservations.values():
            if each.token in self._taken or each.cancelled_at is not None or each.number is None:
                continue
            if each.preemptions <= 0 or self._elapsed(each) < each.traits.min_run:
                continue
            if any(key in short for key in each.replicas):
                yield each

    def _may_end(self, each: Reservation, lent: Mapping[tuple[str, PoolKey], int]) -> bool:
        if self._is_owner and self._is_borrowed(each, lent):
            return True
        higher = self._board.policy.preemption is Preemption.HIGHER
        return higher and each.priority < self._claim.line.priority and not self._is_own(each)

    def _is_borrowed(self, each: Reservation, lent: Mapping[tuple[str, PoolKey], int]) -> bool:
        """All that it holds is beyond what its team is guaranteed."""
        return each.team != self._claim.line.team and all(
            n + lent.get((each.team, key), 0) <= self._quotas.borrowed(each.team, key)
            for key, n in each.replicas.items()
        )

    def _is_own(self, each: Reservation) -> bool:
        """Replicas that another team is guaranteed are not taken by a higher priority."""
        return each.team != self._claim.line.team and all(
            self._quotas.held[each.team, key] <= self._quotas.of(each.team, key).guaranteed
            for key in each.replicas
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
