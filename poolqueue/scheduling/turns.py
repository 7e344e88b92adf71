"""Whose turn it is: the order in which waiting jobs are considered.

Among teams: who stays within its guarantee, then the higher priority, then who has used least for its weight.
Within a team: the ordering of the policy. Strict FIFO knows no teams.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import Any, assert_never

from poolqueue.scheduling.board import Board, Group, by_arrival, by_priority
from poolqueue.scheduling.policies import Ordering
from poolqueue.scheduling.pools import Resource
from poolqueue.scheduling.sharing import Quotas, Uses
from poolqueue.scheduling.waiting import Waiting

Rank = tuple[Any, ...]


def rank_of(board: Board, line: Waiting, group: Group, *, now: datetime) -> Rank:
    """A job's place among those of its team: the smallest goes first; no two are equal."""
    match board.policy.ordering:
        case Ordering.FIFO:
            return by_arrival(line)
        case Ordering.PRIORITY:
            return by_priority(line)
        case Ordering.EXPECTED:
            if is_firm(board, line, now=now):
                return (-line.priority, 0, 0.0, line.arrived, line.team, line.job_id)
            seconds = board.expectations.mean_seconds(group.traits)
            return (-line.priority, 1, seconds, line.arrived, line.team, line.job_id)
        case unreachable:
            assert_never(unreachable)


def is_firm(board: Board, line: Waiting, *, now: datetime) -> bool:
    """Has it a place that later ones do not take, whatever they are expected to be?"""
    return board.policy.ordering is not Ordering.EXPECTED or now - line.arrived >= board.policy.firm_after


class Turns:
    """Hands out one group after the other, each with the job whose turn it is."""

    def __init__(self, board: Board, quotas: Quotas, *, now: datetime) -> None:
        self._board = board
        self._quotas = quotas
        self._now = now
        self._queues: dict[str, list[tuple[Rank, int, Group]]] = {}
        for group in board.groups.values():
            self._enter(group, 0)
        for queue in self._queues.values():
            heapify(queue)
        self._uses = _uses(board, self._queues, now)
        self.joined = _joined(board.resource, self._uses, self._queues)
        self._teams = [(self._standing(team), team) for team in self._queues]
        heapify(self._teams)

    def next(self) -> tuple[Group, Waiting] | None:
        """The group whose turn it is, and its job. It comes again only after `go_on`."""
        while self._teams:
            _, team = heappop(self._teams)
            _, place, group = heappop(self._queues[team])
            self._current = (group, place)
            return group, group.lines[place]
        return None

    def go_on(self, *, admitted_for: float | None) -> None:
        """The job was admitted, for so many seconds, and its group may have another one; or none of the
        group's can start.
        """
        group, place = self._current
        if admitted_for is not None:
            if self._uses is not None:
                self._uses.charge(group.team, group.wanted, admitted_for)
            self._enter(group, place + 1, push=True)
        if self._queues[group.team]:
            heappush(self._teams, (self._standing(group.team), group.team))

    def _enter(self, group: Group, place: int, *, push: bool = False) -> None:
        """A group's next job that does not sleep and is not over."""
        for at in range(place, len(group.lines)):
            line = group.lines[at]
            if is_awake(line, self._now):
                entry = (rank_of(self._board, line, group, now=self._now), at, group)
                queue = self._queues.setdefault(group.team, [])
                heappush(queue, entry) if push else queue.append(entry)
                return

    def _standing(self, team: str) -> Rank:
        rank, place, group = self._queues[team][0]
        if self._board.policy.ordering is Ordering.FIFO:
            return rank
        line = group.lines[place]
        guaranteed = bool(group.wanted) and self._quotas.is_guaranteed(team, group.wanted)
        position = 0.0 if self._uses is None else self._uses.position(team)
        return (not guaranteed, -line.priority, position, line.arrived, team)


def is_awake(line: Waiting, now: datetime) -> bool:
    if line.not_before is not None and line.not_before > now:
        return False
    return line.expires is None or line.expires > now


def _uses(board: Board, teams: Collection[str], now: datetime) -> Uses | None:
    """None where there is nobody to share with."""
    return board.uses(now) if len(teams) > 1 else None


def _joined(resource: Resource, uses: Uses | None, teams: Collection[str]) -> Mapping[str, float]:
    if uses is None:
        return {}
    known = {team for team, use in resource.uses.items() if use.waiting}
    return uses.join([team for team in teams if team not in known], [team for team in teams if team in known])


def in_turn(board: Board, *, now: datetime) -> list[Waiting]:
    """All waiting jobs in the order of their turns, if each of them were admitted; last those whose turn time
    must bring.
    """
    turns = Turns(board, board.quotas(), now=now)
    order = []
    while (turn := turns.next()) is not None:
        group, line = turn
        order.append(line)
        turns.go_on(admitted_for=board.expectations.mean_seconds(group.traits))
    asleep = [line for line in board.timed.values() if not is_awake(line, now)]
    return [*order, *sorted(asleep, key=lambda line: (line.not_before or now, line.key))]
