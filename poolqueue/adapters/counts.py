"""What a store was asked for, counted as Firestore bills it."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Documents read (a missing one counts, a query counts at least 1), written and deleted; requests made;
    commits that conflicted. Later minus earlier is what happened in between.
    """

    reads: int = 0
    writes: int = 0
    deletes: int = 0
    round_trips: int = 0
    conflicts: int = 0

    def __sub__(self, earlier: Counts) -> Counts:
        return self + Counts(
            reads=-earlier.reads,
            writes=-earlier.writes,
            deletes=-earlier.deletes,
            round_trips=-earlier.round_trips,
            conflicts=-earlier.conflicts,
        )

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            reads=self.reads + other.reads,
            writes=self.writes + other.writes,
            deletes=self.deletes + other.deletes,
            round_trips=self.round_trips + other.round_trips,
            conflicts=self.conflicts + other.conflicts,
        )


class Meter:
    """A running total that threads may share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = Counts()

    def add(self, counts: Counts) -> None:
        with self._lock:
            self._total += counts

    @property
    def total(self) -> Counts:
        return self._total
