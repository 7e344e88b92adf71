"""Run times in buckets on a logarithmic scale, four per decade."""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import pairwise

PER_DECADE = 4
FIRST_SECONDS = 10.0  # whatever ends before is alike

EDGES = (1.0, *(FIRST_SECONDS * 10 ** (n / PER_DECADE) for n in range(24)))
"""Bucket `b` holds the seconds from `EDGES[b]` up to `EDGES[b + 1]`; the last one ends after 65 days."""

COUNT = len(EDGES) - 1
MIDDLES = tuple(math.sqrt(low * high) for low, high in pairwise(EDGES))
_LOGS = tuple(math.log(edge) for edge in EDGES)


def bucket_of(seconds: float) -> int:
    """The bucket of a run time; what is shorter or longer than all belongs to the first or last one."""
    return min(COUNT - 1, max(0, bisect_right(EDGES, seconds) - 1))


def part_of(seconds: float, bucket: int) -> float:
    """How much of `bucket` lies below `seconds`, 0 to 1 on the logarithmic scale."""
    low, high = _LOGS[bucket], _LOGS[bucket + 1]
    return min(1.0, max(0.0, (math.log(max(seconds, EDGES[0])) - low) / (high - low)))


def seconds_at(bucket: int, part: float) -> float:
    """The inverse of `part_of`."""
    return math.exp(_LOGS[bucket] + part * (_LOGS[bucket + 1] - _LOGS[bucket]))
