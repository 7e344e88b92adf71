"""What was worked out is kept for a while, so that all who look at the page share it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

# Whatever it costs, no more than this part of a processor's time goes into it, however many look.
COST_PART = 0.1
MOST_KEPT = 100

_Value = TypeVar("_Value")


@dataclass
class _Entry(Generic[_Value]):
    value: _Value
    until: float


class Kept(Generic[_Value]):
    """Values by key, made anew when they are older than `seconds`, or than `1 / COST_PART` times what making
    them cost by `cpu`, the clock of a thread's work. Threads share it: while one makes a value anew, the
    others get the old one, or wait for the first.
    """

    def __init__(
        self, seconds: float, *, monotonic: Callable[[], float], cpu: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._cpu = cpu
        self._changing = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}
        self._entries: dict[Hashable, _Entry[_Value]] = {}

    def of(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """What `make` raises is raised, and nothing is kept of it; what was kept before is not given then."""
        entry = self._entries.get(key)
        if entry is not None and self._monotonic() < entry.until:
            return entry.value
        with self._changing:
            making = self._making.setdefault(key, threading.Lock())
        if not making.acquire(blocking=entry is None):
            assert entry is not None
            return entry.value
        try:
            return self._made(key, make)
        finally:
            making.release()

    def _made(self, key: Hashable, make: Callable[[], _Value]) -> _Value:
        entry = self._entries.get(key)
        if entry is not None and self._monotonic() < entry.until:
            return entry.value  # somebody else made it meanwhile
        began, worked = self._monotonic(), self._cpu()
        value = make()
        cost = (self._cpu() - worked) / COST_PART
        self._keep(key, _Entry(value, max(began + self._seconds, self._monotonic() + cost)))
        return value

    def _keep(self, key: Hashable, entry: _Entry[_Value]) -> None:
        with self._changing:
            self._entries.pop(key, None)
            self._entries[key] = entry
            while len(self._entries) > MOST_KEPT:
                oldest = next(iter(self._entries))
                del self._entries[oldest]
                self._making.pop(oldest, None)
