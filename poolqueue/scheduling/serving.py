"""When waiting jobs are expected to start if they are served strictly in turn.

Nobody goes ahead of anybody here, so it is rather late than early: good enough to compare queues by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from heapq import heappop, heappush

from poolqueue.scheduling.board import Board, seconds_of
from poolqueue.scheduling.planning import Wanted
from poolqueue.scheduling.pools import PoolKey
from poolqueue.scheduling.turns import in_turn
from poolqueue.scheduling.waiting import is_awake


def expected_starts(board: Board, keys: Collection[str], *, now: datetime) -> dict[str, float]:
    """Of the jobs `keys`, in seconds since 1970; a job is left out that sleeps, or that what is held by
    foreign use keeps from starting.
    """
    serving, serial = _Serving(board, now), board.keys(now)
    starts: dict[str, float] = {}
    for line in in_turn(board, now=now):
        if len(starts) == len(keys):
            break
        group = board.group_of(line)
        if group.serial is not None and serial.taken(line.team, group.serial, (-line.priority, line.arrived)):
            continue  # it waits for its serial key and holds nobody up
        if not is_awake(line, now) or not serving.can_ever(group.wanted):
            continue
        at = serving.start(line.key, group.wanted, board.expectations.mean_seconds(group.traits))
        if line.key in keys:
            starts[line.key] = at
    return starts


class _Serving:
    """What is free as time goes on; `start` gives each job in turn the earliest time not before the last."""

    def __init__(self, board: Board, now: datetime) -> None:
        self._at = seconds_of(now)
        self._free: Counter[PoolKey] = Counter(board.free)
        self._ends = [*board.ends]
        self._most = Counter(self._free)
        for _, _, replicas in self._ends:
            self._most.update(replicas)

    def can_ever(self, wanted: Wanted) -> bool:
        return bool(wanted) and all(n <= self._most[key] for key, n in wanted)

    def start(self, key: str, wanted: Wanted, seconds: float) -> float:
        while any(n > self._free[pool] for pool, n in wanted):
            end, _, replicas = heappop(self._ends)
            self._at = max(self._at, end)
            self._free.update(replicas)
        self._free.subtract(dict(wanted))
        heappush(self._ends, (self._at + seconds, key, dict(wanted)))
        return self._at
