"""What a decision asks about run times, and the answer where nothing was learned."""

from __future__ import annotations

from typing import Protocol

from poolqueue.scheduling.traits import Traits


class Expectations(Protocol):
    """Expected run times, in seconds. Equal traits get equal answers."""

    def order_seconds(self, traits: Traits) -> float:
        """What jobs are ordered by, where those expected to be short go first."""
        ...

    def run_seconds(self, traits: Traits) -> float:
        """How long an attempt is taken to run when it is asked whether it would delay a planned start."""
        ...

    def left_seconds(self, traits: Traits, elapsed: float) -> float:
        """How long an attempt that has run for `elapsed` is taken to run on; more than 0."""
        ...


class TimeoutsOnly:
    """Nothing is known but that Vertex AI ends every attempt at its timeout."""

    def order_seconds(self, traits: Traits) -> float:
        return traits.timeout

    def run_seconds(self, traits: Traits) -> float:
        return traits.timeout

    def left_seconds(self, traits: Traits, elapsed: float) -> float:
        return max(1.0, traits.timeout - elapsed)
