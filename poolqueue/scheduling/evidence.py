"""What is remembered of the runs that share one key: per bucket, how many got there and how many ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from poolqueue.scheduling.buckets import COUNT

UNIT_LIMIT = 1e9
TELLING = 0.05  # by how much of itself evidence must change before what was made of it is made anew
NO_WEIGHTS = (0.0,) * (2 * COUNT)
HALF = 0.5  # of a bucket: what a run that is inside of it counts for as having been at risk there


@dataclass(frozen=True, kw_only=True)
class Level:
    """How keys of one specificity learn: each start makes earlier ones count less, so that about `remembered`
    runs count in all, and what the next less specific key says counts as much as `prior` runs.
    """

    remembered: int
    prior: float

    @property
    def kept(self) -> float:
        """What remains of earlier runs' weight after one more start."""
        return 1.0 - 1.0 / self.remembered


# From the least specific: all runs, the same machines in all teams, the team, then ever closer resemblance.
# What these were chosen by: docs/decisions/learned-run-times.md.
LEVELS = (
    Level(remembered=2_000, prior=10.0),
    Level(remembered=500, prior=10.0),
    Level(remembered=200, prior=10.0),
    Level(remembered=20, prior=3.0),
    Level(remembered=20, prior=3.0),
    Level(remembered=20, prior=3.0),
)


def level_at(depth: int) -> Level:
    """Of the key that is number `depth` counted from the least specific one."""
    return LEVELS[min(depth, len(LEVELS) - 1)]


class Evidence:
    """Of one key. Weights are in units that grow with each start, which makes all earlier ones count less:
    `unit` is the weight of a run that starts now.

    `ended[b]`: runs that ended in bucket `b`; `at_risk[b]`: runs that got there, those that still run and
    those that were cut included. `starts` and `runs` count the starts and ends that were seen. `version`
    changes with what it says. `since` and `used` are when it began and was last added to, in starts of any
    key.
    """

    __slots__ = (
        "at_risk",
        "depth",
        "drift",
        "ended",
        "grown",
        "kept",
        "owner",
        "prior",
        "remembered",
        "runs",
        "since",
        "slack",
        "starts",
        "unit",
        "used",
        "version",
    )

    def __init__(
        self, depth: int, owner: object, *, since: int, weights: Sequence[float] = NO_WEIGHTS
    ) -> None:
        level = level_at(depth)
        self.depth = depth
        self.owner = owner
        self.prior = level.prior
        self.remembered = level.remembered
        self.kept = level.kept
        self.grown = 1.0 / level.kept
        self.unit = 1.0
        self.starts = 0
        self.runs = 0
        self.since = since
        self.used = 0
        self.version = 0
        self.drift = 0.0
        self.slack = TELLING * level.prior
        self.ended = [*weights[:COUNT]]
        self.at_risk = [*weights[COUNT:]]

    @classmethod
    def restored(
        cls,
        depth: int,
        *,
        starts: int,
        runs: int,
        since: int,
        used: int,
        unit: float,
        weights: Sequence[float],
    ) -> Evidence:
        """As it was when these were its weights: those of `ended`, then of `at_risk`."""
        evidence = cls(depth, None, since=since, weights=weights)
        evidence.starts, evidence.runs, evidence.used, evidence.unit = starts, runs, used, unit
        evidence.slack = TELLING * (evidence.prior + min(starts, evidence.remembered))
        return evidence

    def copy(self, owner: object) -> Evidence:
        twin = Evidence(self.depth, owner, since=self.since, weights=self.ended + self.at_risk)
        twin.starts, twin.runs, twin.used, twin.unit = self.starts, self.runs, self.used, self.unit
        twin.version, twin.drift, twin.slack = self.version, self.drift, self.slack
        return twin

    def start(self) -> int:
        """One more run starts; the number of its start, by which its weight is known later."""
        self.starts += 1
        self.unit *= self.grown
        if self.unit > UNIT_LIMIT:
            self.rescale()
        self.at_risk[0] += HALF * self.unit
        if self.starts <= self.remembered:
            self.slack = TELLING * (self.prior + self.starts)
        self._drift(1.0)
        return self.starts

    def cross(self, start: int, bucket: int, to: int) -> None:
        """The run that began as number `start` was inside `bucket`, and is inside a later one by now."""
        kept = self.kept ** (self.starts - start) if self.starts > start else 1.0
        half = HALF * kept * self.unit
        at_risk = self.at_risk
        at_risk[bucket] += half
        at_risk[to] += half
        self.drift += HALF * kept
        if to > bucket + 1:
            for between in range(bucket + 1, to):
                at_risk[between] += 2 * half
            self.drift += kept * (to - bucket - 1)
        if self.drift > self.slack:
            self._drift(0.0)

    def end(self, start: int, bucket: int, to: int, part: float) -> float:
        """The run that began as number `start`, and was inside `bucket`, was at risk for `part` of bucket
        `to` and for all of those before; its weight.
        """
        kept = self.kept ** max(0, self.starts - start)
        weight = kept * self.unit
        at_risk = self.at_risk
        at_risk[bucket] -= HALF * weight
        for between in range(bucket, to):
            at_risk[between] += weight
        for between in range(to, bucket):
            at_risk[between] -= weight
        at_risk[to] += part * weight
        self._drift(kept)
        return weight

    def _drift(self, change: float) -> None:
        self.drift += change
        if self.drift > self.slack:
            self.drift = 0.0
            self.version += 1

    def rescale(self) -> None:
        """In units of a run that starts now."""
        factor = 1.0 / self.unit
        self.ended = [each * factor for each in self.ended]
        self.at_risk = [each * factor for each in self.at_risk]
        self.unit = 1.0

    def hazards(self, fallback: Sequence[float]) -> list[float]:
        """Per bucket the chance to end in it; `fallback` is what counts where there is little evidence."""
        prior = self.prior * self.unit
        return [
            (ended + prior * hazard) / (at_risk + prior)
            for ended, at_risk, hazard in zip(self.ended, self.at_risk, fallback, strict=True)
        ]
