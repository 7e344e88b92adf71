"""A run time that is not known, as the chances of all run times."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from poolqueue.scheduling.buckets import COUNT, EDGES, MIDDLES, bucket_of, part_of, seconds_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """What a distribution rests on: `runs` similar runs, those that share key number `level` of the traits.

    0 is the most specific key; the number of the keys stands for all runs there are.
    """

    runs: int
    level: int


class Distribution:
    """How long an attempt runs, in seconds from its start; Vertex AI ends it at `timeout`, and nothing is
    taken to outlast the last bucket.

    `hazards`: per bucket, the chance to end in it of an attempt that gets there. Inside a bucket, survival is
    linear on logarithmic scales.
    """

    __slots__ = ("_falling", "_survival", "basis", "hazards", "timeout")

    def __init__(self, hazards: Sequence[float], *, timeout: float, basis: Basis) -> None:
        self.hazards = hazards
        self.timeout = min(max(timeout, EDGES[0]), EDGES[-1])
        self.basis = basis
        left = 1.0
        self._survival = survival = [left]
        for hazard in hazards:
            left *= 1.0 - hazard
            survival.append(left)
        self._falling = [-each for each in survival]

    def survival(self, seconds: float) -> float:
        """The chance to run for longer than that."""
        return 0.0 if seconds >= self.timeout else self._untimed(seconds)

    def excess(self, room: float) -> float:
        """By how many seconds an attempt runs longer than `room`, on average over all that it may take."""
        if room >= self.timeout:
            return 0.0
        first, last = bucket_of(room), bucket_of(self.timeout)
        edges = [max(room, EDGES[0]), *EDGES[first + 1 : last + 1], self.timeout]
        left = [self._untimed(edges[0]), *self._survival[first + 1 : last + 1], self._untimed(self.timeout)]
        ending = sum(
            (before - after) * (math.sqrt(low * high) - room)
            for low, high, before, after in zip(edges, edges[1:], left, left[1:], strict=False)
        )
        return ending + left[-1] * (self.timeout - room)

    def mean(self) -> float:
        last = bucket_of(self.timeout)
        survival = self._survival
        total = sum((survival[b] - survival[b + 1]) * MIDDLES[b] for b in range(last))
        left = self._untimed(self.timeout)
        return total + (survival[last] - left) * math.sqrt(EDGES[last] * self.timeout) + left * self.timeout

    def quantile(self, chance: float, elapsed: float = 0.0) -> float:
        """By when it has ended with this chance, 0 to 1, if it has run for `elapsed` already.

        Counted from its start: at least `elapsed`, and at most the timeout if that is not over.
        """
        left = self._untimed(elapsed) * (1.0 - chance)
        bucket = min(COUNT, max(1, bisect_left(self._falling, -left))) - 1
        part = self._part(bucket, left)
        return max(elapsed, min(self.timeout, seconds_at(bucket, part)))

    def sample(self, u: float, elapsed: float = 0.0) -> float:
        """A run time by chance, where `u` is uniform from 0 to 1; counted as by `quantile`."""
        return self.quantile(u, elapsed)

    def _untimed(self, seconds: float) -> float:
        if seconds <= EDGES[0]:
            return 1.0
        bucket = bucket_of(seconds)
        rest: float = (1.0 - self.hazards[bucket]) ** part_of(seconds, bucket)
        return self._survival[bucket] * rest

    def _part(self, bucket: int, left: float) -> float:
        """How far into the bucket survival falls to `left`."""
        if left >= self._survival[bucket]:
            return 0.0
        hazard = self.hazards[bucket]
        if left <= 0.0 or hazard <= 0.0:
            return 1.0
        return min(1.0, math.log(left / self._survival[bucket]) / math.log(1.0 - hazard))
