"""Planned starts: when what holds replicas is expected to have given back enough, and who may go ahead.

This is EASY backfilling (Lifka, "The ANL/IBM SP scheduling system", 1995) for several pools at once, by
expected run times instead of requested ones. Times are seconds since 1970.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from poolqueue.scheduling.pools import PoolKey

INFINITY = float("inf")

End = tuple[float, str, Mapping[PoolKey, int]]
Wanted = Sequence[tuple[PoolKey, int]]

by_time = itemgetter(0, 1)


class Ends:
    """Expected ends of what holds replicas, the earliest first."""

    def __init__(self) -> None:
        self._ends: list[End] = []
        self._at: dict[str, float] = {}

    def add(self, token: str, at: float, replicas: Mapping[PoolKey, int]) -> None:
        insort(self._ends, (at, token, replicas), key=by_time)
        self._at[token] = at

    def remove(self, token: str) -> None:
        at = self._at.pop(token, None)
        if at is not None:
            del self._ends[bisect_left(self._ends, (at, token), key=by_time)]

    def overdue(self, now: float) -> list[str]:
        """What was expected to have ended by now."""
        return [token for _, token, _ in self._ends[: bisect_left(self._ends, (now, ""), key=by_time)]]

    def __iter__(self) -> Iterator[End]:
        return iter(self._ends)


@dataclass(kw_only=True)
class PlannedStart:
    """When a job that does not fit now is expected to. Until then others may go ahead that end in time, or
    that fit in `spare`: what the job leaves of its pools at that time. When it is not known, because the job
    waits for foreign use, `at` is what it is taken for.
    """

    key: str
    team: str
    wanted: Wanted
    at: float
    spare: dict[PoolKey, int]
    is_known: bool = True

    def is_delayed_by(self, wanted: Wanted, until: float) -> bool:
        """Would it be delayed by a job that takes `wanted` now and gives it back at `until`?"""
        return until > self.at and self.needs_any(wanted)

    def needs_any(self, wanted: Wanted) -> bool:
        """Are any of these replicas among those that it needs?"""
        return any(n > self.spare[key] for key, n in wanted if key in self.spare)

    def let_ahead(self, wanted: Wanted, until: float) -> None:
        """That job goes ahead: one that is still there at the planned start uses up what is spare."""
        if until > self.at:
            for key, n in wanted:
                if key in self.spare:
                    self.spare[key] -= n


def planned_start(
    wanted: Wanted, free: Mapping[PoolKey, int], ends: Iterable[End]
) -> tuple[float, dict[PoolKey, int]]:
    """The earliest time at which `wanted` is expected to be free, and what is left of its pools then.

    `free` may be negative; `ends` are in order. Infinity when not even all of them give back enough, and the
    time of the first of them when there is enough anyhow.
    """
    left = {key: free[key] - n for key, n in wanted}
    short = {key for key, n in left.items() if n < 0}
    at: float | None = None
    for end, _, replicas in ends:
        if at is not None and end > at:
            break
        for key, n in replicas.items():
            if key in left:
                left[key] += n
                if left[key] >= 0:
                    short.discard(key)
        if at is None and not short:
            at = end
    return (INFINITY, {key: max(0, n) for key, n in left.items()}) if at is None else (at, left)
