"""What became of forecasts: whether jobs started when it was said, and what later forecasts learn from it.

A job is forecast once, when it is first seen to wait. The forecast stays open until the job starts, and then
is scored, or until it will not start here any more, and then is withdrawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import median

from poolqueue.scheduling.estimates import Estimate

OPEN_LIMIT = 200
SCORES_LIMIT = 500

# Conformal prediction: with what factor earlier forecasts would have been right as often as they say. Waits
# are compared as logarithms from here on, so that seconds do not count beside hours.
LEARNED_FROM = 200
LEAST_SCORES = 20
BASE_SECONDS = 60.0
MOST_FACTOR = 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenForecast:
    """Made at `made`; its job was told to start within so many seconds from then with a chance of one half,
    and of nine in ten. `sampled`: the same before they were corrected. `basis` is the estimate's.
    """

    made: datetime
    p50: float
    p90: float
    sampled: tuple[float, float]
    basis: int

    @classmethod
    def of(cls, estimate: Estimate, *, made: datetime) -> OpenForecast:
        return cls(
            made=made,
            p50=(estimate.start_p50 - made).total_seconds(),
            p90=(estimate.start_p90 - made).total_seconds(),
            sampled=estimate.sampled,
            basis=estimate.basis,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A forecast that was made at `made`, and after how many seconds its job started."""

    made: datetime
    p50: float
    p90: float
    sampled: tuple[float, float]
    waited: float


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Of all forecasts ever scored: how many jobs started within p50, and within p90. `withdrawn` were those
    of jobs that ended or moved away without a start.
    """

    scored: int = 0
    within_p50: int = 0
    within_p90: int = 0
    withdrawn: int = 0


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """Of one persistent resource: the open forecasts by job key, and the latest scores, the newest last.
    `looked`: when jobs were last looked for that are to be forecast.
    """

    open: Mapping[str, OpenForecast] = field(default_factory=dict)
    scores: tuple[Score, ...] = ()
    totals: Totals = Totals()
    looked: datetime | None = None

    @property
    def room(self) -> int:
        """How many more forecasts it may hold."""
        return max(0, OPEN_LIMIT - len(self.open))


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Of the latest scores: in what part of them p50 and p90 covered the real start, and by how many seconds
    p50 was off in the median.
    """

    scored: int
    coverage_p50: float
    coverage_p90: float
    median_error_seconds: float


def opened(card: Scorecard, forecasts: Mapping[str, OpenForecast]) -> Scorecard:
    """With as many of these forecasts as there is room for; a job is forecast once."""
    new = {key: made for key, made in forecasts.items() if key not in card.open}
    return replace(card, open={**card.open, **dict([*new.items()][: card.room])})


def started(card: Scorecard, starts: Mapping[str, datetime]) -> Scorecard:
    """The jobs of these keys started: their forecasts are scored. One that is not open is not there."""
    ended = {key: card.open[key] for key in starts if key in card.open}
    scores = [_score(forecast, starts[key]) for key, forecast in ended.items()]
    totals = replace(
        card.totals,
        scored=card.totals.scored + len(scores),
        within_p50=card.totals.within_p50 + sum(each.waited <= each.p50 for each in scores),
        within_p90=card.totals.within_p90 + sum(each.waited <= each.p90 for each in scores),
    )
    rest = {key: each for key, each in card.open.items() if key not in ended}
    return replace(card, open=rest, scores=(*card.scores, *scores)[-SCORES_LIMIT:], totals=totals)


def withdrawn(card: Scorecard, keys: Iterable[str]) -> Scorecard:
    """The jobs of these keys will not start here."""
    gone = card.open.keys() & set(keys)
    rest = {key: each for key, each in card.open.items() if key not in gone}
    totals = replace(card.totals, withdrawn=card.totals.withdrawn + len(gone))
    return replace(card, open=rest, totals=totals)


def accuracy(card: Scorecard) -> Accuracy | None:
    """None while nothing was scored."""
    scores = card.scores
    if not scores:
        return None
    return Accuracy(
        scored=len(scores),
        coverage_p50=sum(each.waited <= each.p50 for each in scores) / len(scores),
        coverage_p90=sum(each.waited <= each.p90 for each in scores) / len(scores),
        median_error_seconds=median(abs(each.waited - each.p50) for each in scores),
    )


def overdue(card: Scorecard, *, now: datetime) -> int:
    """How many jobs still wait though they ought to have started with nine chances in ten."""
    return sum((now - each.made).total_seconds() > each.p90 for each in card.open.values())


def _score(forecast: OpenForecast, start: datetime) -> Score:
    waited = max(0.0, (start - forecast.made).total_seconds())
    return Score(
        made=forecast.made,
        p50=forecast.p50,
        p90=forecast.p90,
        sampled=forecast.sampled,
        waited=waited,
    )


# --- learning from it


@dataclass(frozen=True, kw_only=True)
class Correction:
    """By what factors sampled waits are stretched, or shrunk, for p50 and p90."""

    p50: float = 1.0
    p90: float = 1.0

    def corrected(self, p50: float, p90: float) -> tuple[float, float]:
        """Seconds; what starts at once does so all the same."""
        early = _stretched(p50, self.p50)
        return early, max(early, _stretched(p90, self.p90))


UNCORRECTED = Correction()


def correction(card: Scorecard) -> Correction:
    """What would have made the latest forecasts right as often as they say (split conformal prediction on
    ratios; Vovk, Gammerman, Shafer, 2005), of the last ones only, because what overtakes changes.
    """
    latest = [each for each in card.scores[-LEARNED_FROM:] if each.sampled[1] > 0]
    if len(latest) < LEAST_SCORES:
        return UNCORRECTED
    return Correction(
        p50=_factor([_ratio(each.waited, each.sampled[0]) for each in latest], 0.5),
        p90=_factor([_ratio(each.waited, each.sampled[1]) for each in latest], 0.9),
    )


def _ratio(waited: float, sampled: float) -> float:
    return (waited + BASE_SECONDS) / (sampled + BASE_SECONDS)


def _factor(ratios: Sequence[float], chance: float) -> float:
    place = min(len(ratios), math.ceil((len(ratios) + 1) * chance))
    return min(MOST_FACTOR, max(1 / MOST_FACTOR, sorted(ratios)[place - 1]))


def _stretched(seconds: float, factor: float) -> float:
    return seconds if seconds <= 0 else max(0.0, (seconds + BASE_SECONDS) * factor - BASE_SECONDS)
