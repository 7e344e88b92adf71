"""What a decision asks about run times, and the answer where nothing was learned."""

from __future__ import annotations

from typing import Protocol

from poolqueue.scheduling.traits import Traits


class Expectations(Protocol):
    """Expected run times, in seconds, never above the timeout. Equal traits get equal answers."""

    def mean_seconds(self, traits: Traits) -> float:
        """The mean run time; more than 0."""
        ...

    def run_seconds(self, traits: Traits, chance: float) -> float:
        """By when an attempt has ended with this chance, 0 to 1, from its start."""
        ...

    def chance_within(self, traits: Traits, seconds: float) -> float:
        """The chance that an attempt ends within so many seconds from its start."""
        ...

    def excess_seconds(self, traits: Traits, room: float) -> float:
        """By how much longer than `room` an attempt runs from its start, on average over all that it may
        take, those that end in time included.
        """
        ...

    def left_seconds(self, traits: Traits, elapsed: float) -> float:
        """How long an attempt that has run for `elapsed` is taken to run on; more than 0."""
        ...


class TimeoutsOnly:
    """Nothing is known but that Vertex AI ends every attempt at its timeout."""

    def mean_seconds(self, traits: Traits) -> float:
        return traits.timeout

    def run_seconds(self, traits: Traits, chance: float) -> float:  # noqa: ARG002  nothing is known
        return traits.timeout

    def chance_within(self, traits: Traits, seconds: float) -> float:
        return float(traits.timeout <= seconds)

    def excess_seconds(self, traits: Traits, room: float) -> float:
        return max(0.0, traits.timeout - room)

    def left_seconds(self, traits: Traits, elapsed: float) -> float:
        return max(1.0, traits.timeout - elapsed)
