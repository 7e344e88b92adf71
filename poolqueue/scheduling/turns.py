"""Whose turn it is: the order in which waiting jobs are considered.

Among teams: who stays within its guarantee, then the higher priority, then who was promised a start, then who
has used least for its weight. Within a team: the ordering of the policy. Strict FIFO knows no teams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from poolqueue.scheduling.board import Board, Group
from poolqueue.scheduling.ordering import PASSING, Order, Rank
from poolqueue.scheduling.policies import Ordering
from poolqueue.scheduling.pools import PoolKey, Resource
from poolqueue.scheduling.sharing import Quotas, Uses
from poolqueue.scheduling.waiting import Waiting, is_awake


class Turn(NamedTuple):
    """A job whose turn it is: the line at `place` of its group, or the `nth` member of the array there that
    waits. `passes`: it is surely short, and may go ahead of firm places; if it may not, its proper turn comes
    later.
    """

    group: Group
    place: int
    line: Waiting
    nth: int = 0
    passes: bool = False


IsWorth = Callable[[Group], bool]


def always(_group: Group) -> bool:
    return True


_Entry = tuple[Rank, int, Turn]
_Queue = tuple[str, tuple[PoolKey, ...]]


class Turns:
    """Hands out one turn after the other; whoever may pass firm places has one for that besides. Groups that
    are not worth a turn get none.

    Members of an array beyond its maximum have none, and are `at_maximum`, by the key of their line; with
    `is_endless` they have, as if those that run had ended.
    """

    def __init__(
        self,
        board: Board,
        order: Order,
        quotas: Quotas,
        *,
        now: datetime,
        is_endless: bool = False,
        is_worth: IsWorth = always,
    ) -> None:
        self._board = board
        self._is_endless = is_endless
        self._begun: Counter[str] = Counter()
        self.at_maximum: set[str] = set()
        self._order = order
        self._quotas = quotas
        self._now = now
        self._promises = board.resource.promises
        self._queues: dict[_Queue, list[_Entry]] = {}
        self._entered = 0
        self._aside: list[Group] = []
        teams: dict[str, None] = {}
        for group in board.groups.values():
            turn = self._turn(group, 0, 0)
            if turn is None:
                continue
            teams[group.team] = None
            if is_worth(group):
                self._enter(turn, passes=order.is_any_firm)
            else:
                self._aside.append(group)
        self._uses = board.uses(now)
        self.joined = _joined(board.resource, self._uses, list(teams))
        self._standings = [(self._standing(queue), queue) for queue in self._queues]
        heapify(self._standings)

    def next(self) -> Turn | None:
        """Whose turn it is. The next one is told only after `go_on`."""
        while self._standings:
            standing, queue = heappop(self._standings)
            if not self._standings:
                return heappop(self._queues[queue])[2]
            standing_now = self._standing(queue)
            if standing_now == standing:
                return heappop(self._queues[queue])[2]
            heappush(self._standings, (standing_now, queue))  # its team got something by another queue
        return None

    def go_on(self, turn: Turn, *, admitted: bool) -> None:
        """The job was admitted, and its group may have another one; or none of the group's can start, unless
        the turn was only one to pass.
        """
        group = turn.group
        if admitted:
            self._uses.charge(group.team, group.wanted)
            self._count(turn.line)
            following = self._turn(group, turn.place, turn.nth + 1)
            if following is not None:
                self._enter(following, passes=turn.passes)
        elif turn.passes:
            self._enter(turn._replace(passes=False), passes=False)
        queue = self._queue_of(group)
        if self._queues[queue]:
            standing = self._standing(queue) if self._standings else ()  # alone, it need not be compared
            heappush(self._standings, (standing, queue))

    def rest(self) -> Iterator[Group]:
        """Whose turn did not come."""
        yield from self._aside
        for queue in self._queues.values():
            yield from (turn.group for _, _, turn in queue)

    def _count(self, line: Waiting) -> None:
        if self._board.maximums and (array := line.array) is not None:
            self._begun[array] += 1

    def _turn(self, group: Group, place: int, nth: int) -> Turn | None:
        """That of a group's next job that does not sleep, is not over, and is not kept back by its array."""
        if place < len(group.lines):
            line = group.lines[place]
            has_times = line.not_before is not None or line.expires is not None
            if not (nth or has_times or line.members or self._board.maximums):
                return Turn(group, place, line, 0)  # as nearly always
        for at in range(place, len(group.lines)):
            line, n = group.lines[at], nth if at == place else 0
            if n < line.count and is_awake(line, self._now) and not self._is_kept(line):
                return Turn(group, at, line.nth(n), n)
        return None

    def _enter(self, turn: Turn, *, passes: bool) -> None:
        group = turn.group
        if passes and self._order.may_pass(group):
            turn = turn._replace(passes=True)
        self._entered += 1  # equal ranks, of a job's two turns, are never compared further
        queue = self._queues.setdefault(self._queue_of(group), [])
        heappush(queue, (self._rank_of(turn), self._entered, turn))

    def _is_kept(self, line: Waiting) -> bool:
        if self._is_endless or not self._board.maximums:
            return False
        is_kept = self._board.is_at_maximum(line, self._begun[line.array or ""])
        if is_kept:
            self.at_maximum.add(line.key)
        return is_kept

    def _queue_of(self, group: Group) -> _Queue:
        """A team has a queue of its own, and one per choice of pools if it is guaranteed any: else a job that
        asks for more than is guaranteed of one pool would stand before those within the guarantee of another.
        """
        has_several = self._quotas.guarantees(group.team)
        return group.team, tuple(sorted(key for key, _ in group.wanted)) if has_several else ()

    def _rank_of(self, turn: Turn) -> Rank:
        rank = self._order.rank_of(turn.line, turn.group)
        if self._board.policy.ordering is Ordering.FIFO:
            return rank
        if turn.passes:
            rank = (rank[0], PASSING, *rank[2:])
        return (rank[0], self._is_later(turn) and not turn.passes, *rank[1:])

    def _standing(self, queue: _Queue) -> Rank:
        rank, _, turn = self._queues[queue][0]
        if self._board.policy.ordering is Ordering.FIFO:
            return rank
        (team, _), line, wanted = queue, turn.line, turn.group.wanted
        guaranteed = bool(wanted) and self._quotas.is_guaranteed(team, wanted)
        position = self._uses.position(team)
        return (not guaranteed, -line.priority, self._is_later(turn), position, line.arrived, team, rank)

    def _is_later(self, turn: Turn) -> bool:
        """Whoever was promised a start keeps its turn within its class, whatever arrives or is used after."""
        return turn.line.key not in self._promises


def _joined(resource: Resource, uses: Uses, teams: Collection[str]) -> Mapping[str, float]:
    known = {team for team, use in resource.uses.items() if use.waiting}
    return uses.join([team for team in teams if team not in known], [team for team in teams if team in known])


def in_turn(board: Board, *, now: datetime) -> list[Waiting]:
    """All waiting jobs in the order of their turns, if each of them were admitted; last those whose turn time
    must bring. The members of an array come one by one, but for those that sleep.
    """
    turns = Turns(board, Order(board, now=now), board.quotas(), now=now, is_endless=True)
    order = []
    while (turn := turns.next()) is not None:
        if not turn.passes:
            order.append(turn.line)
        turns.go_on(turn, admitted=not turn.passes)
    asleep = [line for line in board.timed.values() if not is_awake(line, now)]
    return [*order, *sorted(asleep, key=lambda line: (line.not_before or now, line.key))]
