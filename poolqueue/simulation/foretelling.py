"""Forecasts in a simulation, made and scored as the sweep does it, to see how good they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from statistics import median

from poolqueue.scheduling.board import Board
from poolqueue.scheduling.estimates import NoEstimate, WhyNot
from poolqueue.scheduling.forecast import EFFORT, forecast
from poolqueue.scheduling.learned import LearnedExpectations
from poolqueue.scheduling.scorecard import (
    OpenForecast,
    Score,
    Scorecard,
    correction,
    opened,
    started,
)


class Foretelling:
    """Watches a simulation that learns run times, and every so often forecasts jobs that are new in the
    queue, up to `most` of them, drawn by chance. `scores` are all, the first first; `untold` counts by
    reason the jobs that got no estimate.
    """

    def __init__(self, *, every: timedelta, most: int, effort: int = EFFORT) -> None:
        self.card = Scorecard()
        self.scores: list[Score] = []
        self.untold: dict[WhyNot, int] = dict.fromkeys(WhyNot, 0)
        self._every = every
        self._most = most
        self._effort = effort
        self._next: datetime | None = None
        self._seen: set[str] = set()

    def __call__(self, board: Board, now: datetime) -> None:
        self._score(board)
        if (self._next is None or now >= self._next) and board.groups:
            self._next = now + self._every
            self._foretell(board, now)

    def _score(self, board: Board) -> None:
        if not self.card.open:
            return
        reservations = board.resource.reservations.values()
        starts = {each.key: each.reserved_at for each in reservations if each.key in self.card.open}
        if starts:
            self.card = started(self.card, starts)
            self.scores += self.card.scores[-len(starts) :]

    def _foretell(self, board: Board, now: datetime) -> None:
        known = board.expectations
        assert isinstance(known, LearnedExpectations)
        waiting = {line.key for line in board.lines()}
        new = sorted(waiting - self._seen)
        self._seen = waiting
        chance = Random(len(self.scores))  # noqa: S311  a simulation
        chosen = chance.sample(new, min(len(new), self._most))
        found = forecast(
            board,
            now=now,
            run_time=known.distribution,
            chance=Random,
            of=chosen,
            correction=correction(self.card),
            effort=self._effort,
        )
        telling = {}
        for key, each in found.items():
            if isinstance(each, NoEstimate):
                self.untold[each.why] += 1
            elif each.sampled[1] > 0:
                telling[key] = OpenForecast.of(each, made=now)
        self.card = opened(self.card, telling)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How often p50 and p90 covered the real start, as told and as they would have been uncorrected; medians
    of the error of p50, of the waits themselves and of p90, in seconds.
    """

    scored: int
    covered: tuple[float, float]
    uncorrected: tuple[float, float]
    error: float
    waited: float
    p90: float


def calibration(scores: Sequence[Score]) -> Calibration:
    """Of at least one score."""
    return Calibration(
        scored=len(scores),
        covered=(_part(scores, lambda each: each.p50), _part(scores, lambda each: each.p90)),
        uncorrected=(
            _part(scores, lambda each: each.sampled[0]),
            _part(scores, lambda each: each.sampled[1]),
        ),
        error=median(abs(each.waited - each.p50) for each in scores),
        waited=median(each.waited for each in scores),
        p90=median(each.p90 for each in scores),
    )


def _part(scores: Sequence[Score], told: Callable[[Score], float]) -> float:
    return sum(each.waited <= told(each) for each in scores) / len(scores)


"""+"""
