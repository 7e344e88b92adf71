"""Expected start and end of a waiting job as intervals, or why there is no estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from poolqueue.scheduling.board import seconds_of, time_of
from poolqueue.scheduling.jobs import Reason

STEPS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
STEP_PART = 20  # rounding changes a time by less than this part of how far off it is


class WhyNot(StrEnum):
    """Why nothing is estimated. Values are part of what `poolctl` prints."""

    THIN_BASIS = "thin_basis"  # too few similar runs
    BLOCKED = "blocked"  # nothing that is known to happen lets it start
    BEYOND_HORIZON = "beyond_horizon"  # later than anybody looks ahead
    LIKELY_EXPIRES = "likely_expires"  # it may well end before it starts


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A job is expected to start by `start_p50` with a chance of one half, by `start_p90` with nine in ten;
    and to have ended by `end_p50` and `end_p90`, if its first attempt is its last.

    `basis`: on how many similar runs it rests, see `forecast`; `level`: how similar those of the job itself
    are, 0 for the most specific key of its traits. `sampled`: seconds to the start with the same chances,
    before they were corrected by how earlier forecasts did, and rounded.
    """

    start_p50: datetime
    start_p90: datetime
    end_p50: datetime
    end_p90: datetime
    basis: int
    level: int
    sampled: tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class NoEstimate:
    """`reason` is why the job waits, where that is what nobody knows the end of."""

    why: WhyNot
    reason: Reason | None = None


def rounded_out(earliest: float, latest: float, *, now: datetime) -> tuple[datetime, datetime]:
    """The interval that is so many seconds off, widened to rounder times of the clock, not before `now`."""
    start = seconds_of(now)
    low, high = _step(earliest), _step(latest)
    first = math.floor((start + earliest) / low) * low
    last = math.ceil((start + latest) / high) * high if latest > 0 else start
    return max(now, time_of(first)), max(now, time_of(last))


def _step(seconds: float) -> int:
    return max((step for step in STEPS if step * STEP_PART <= seconds), default=1)
