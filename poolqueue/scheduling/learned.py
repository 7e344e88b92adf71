"""Expectations from learned run times, kept for as long as they are about right."""

from __future__ import annotations

from collections.abc import Sequence

from poolqueue.scheduling.buckets import COUNT
from poolqueue.scheduling.distributions import Basis, Distribution
from poolqueue.scheduling.fallback import Fallback
from poolqueue.scheduling.run_times import Outcome, RunTimes
from poolqueue.scheduling.traits import Traits

REFRESH_SECONDS = 60.0
LEFT_CHANCE = 0.3  # with which an attempt is taken to have ended by its expected end
LEAST_LEFT_SECONDS = 1.0
LEAST_LEFT_SHARE = 0.001  # of what has elapsed
UNTIL_ITS_TIMEOUT = [0.0] * COUNT  # before any run has ended


class _Entry:
    """What is known for traits that are equal. It keeps them, so that their identity stays their own."""

    __slots__ = ("chances", "checked", "distribution", "fallback", "hazards", "mean", "traits", "within")

    def __init__(self, traits: Traits, fallback: Fallback) -> None:
        self.traits = [traits]
        self.fallback = fallback
        self.checked = float("-inf")
        self.hazards: Sequence[float] = ()
        self.chances: dict[float, float] = {}
        self.within: dict[float, float] = {}

    def refresh(self, now: float) -> None:
        self.checked = now
        hazards = self.fallback.hazards()
        if hazards is self.hazards:
            return
        traits = self.traits[0]
        runs, depth = self.fallback.basis()
        basis = Basis(runs=runs, level=len(traits.keys) - depth)
        self.hazards = hazards
        known = hazards if runs else UNTIL_ITS_TIMEOUT
        self.distribution = Distribution(known, timeout=traits.timeout, basis=basis)
        self.mean = self.distribution.mean()
        self.chances.clear()
        self.within.clear()


class LearnedExpectations:
    """Implements `Expectations` on `run_times`, which changes through it alone.

    What is said of a job may be up to `refresh_seconds` older than what happened, in the time that `advance`
    tells; then it is made anew if what it rests on changed by more than a little. Until a run has ended,
    nothing is known but that each is ended at its timeout.
    `left_chance`: with which chance an attempt has ended by its expected end.
    """

    def __init__(
        self,
        run_times: RunTimes | None = None,
        *,
        now: float = 0.0,
        refresh_seconds: float = REFRESH_SECONDS,
        left_chance: float = LEFT_CHANCE,
    ) -> None:
        self.run_times = run_times or RunTimes()
        self._now = now
        self._refresh_seconds = refresh_seconds
        self._left_chance = left_chance
        self._by_id: dict[int, _Entry] = {}
        self._by_value: dict[Traits, _Entry] = {}

    # --- what happens, with times in seconds

    def started(self, token: str, traits: Traits, at: float) -> None:
        self.run_times.started(token, traits, at)

    def ended(self, token: str, outcome: Outcome) -> None:
        self.run_times.ended(token, outcome)

    def advance(self, now: float) -> None:
        self._now = now
        self.run_times.advance(now)

    # --- what is asked

    def mean_seconds(self, traits: Traits) -> float:
        return self._entry(traits).mean

    def run_seconds(self, traits: Traits, chance: float) -> float:
        entry = self._entry(traits)
        known = entry.chances.get(chance)
        if known is None:
            known = entry.chances[chance] = entry.distribution.quantile(chance)
        return known

    def chance_within(self, traits: Traits, seconds: float) -> float:
        entry = self._entry(traits)
        known = entry.within.get(seconds)
        if known is None:
            known = entry.within[seconds] = 1.0 - entry.distribution.survival(seconds)
        return known

    def excess_seconds(self, traits: Traits, room: float) -> float:
        return self._entry(traits).distribution.excess(room)

    def left_seconds(self, traits: Traits, elapsed: float) -> float:
        end = self._entry(traits).distribution.quantile(self._left_chance, elapsed)
        return max(LEAST_LEFT_SECONDS + LEAST_LEFT_SHARE * elapsed, end - elapsed)

    def distribution(self, traits: Traits) -> Distribution:
        """What the answers are taken from."""
        return self._entry(traits).distribution

    def _entry(self, traits: Traits) -> _Entry:
        entry = self._by_id.get(id(traits)) or self._new_entry(traits)
        if self._now - entry.checked >= self._refresh_seconds:
            entry.refresh(self._now)
        return entry

    def _new_entry(self, traits: Traits) -> _Entry:
        entry = self._by_value.get(traits)
        if entry is None:
            entry = self._by_value[traits] = _Entry(traits, self.run_times.fallback_of(traits))
        else:
            entry.traits.append(traits)
        self._by_id[id(traits)] = entry
        return entry
