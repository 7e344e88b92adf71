"""One subscription's unacknowledged messages: which are due, leased, or wait behind an ordering key."""

from __future__ import annotations

import heapq
import itertools
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

NEVER = float("inf")


@dataclass(frozen=True, kw_only=True)
class Redelivery:
    """When an unacknowledged message comes again; after `max_attempts` (None: never) it is buried."""

    minimum_seconds: float = 0.0
    maximum_seconds: float = 0.0
    max_attempts: int | None = None

    def backoff_seconds(self, attempt: int) -> float:
        return min(self.maximum_seconds, self.minimum_seconds * 2.0 ** min(attempt - 1, 64))


@dataclass(frozen=True, kw_only=True)
class Lease:
    """One delivery that must be settled by its `ack_id`."""

    ack_id: str
    message: Any
    attempt: int
    until: float


class Backlog:
    """Delivers each message until it is acknowledged. Safe for use by many threads.

    `bury(message, attempts)` publishes to the dead-letter topic and tells whether that worked.
    """

    def __init__(
        self,
        redelivery: Redelivery,
        *,
        ordered: bool = False,
        bury: Callable[[Any, int], bool] = lambda _message, _attempts: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.redelivery = redelivery
        self._ordered = ordered
        self._bury = bury
        self._clock = clock
        self.closed = False
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Any, int]] = []  # when, a tie-breaker, message, attempt
        self._serial = itertools.count()
        self._leased: dict[str, Lease] = {}
        self._behind: dict[str, deque[Any]] = {}  # by ordering key, while one message of it is out

    def add(self, message: Any) -> None:
        with self._changed:
            key = message.ordering_key if self._ordered else ""
            if key in self._behind:
                self._behind[key].append(message)
                return
            if key:
                self._behind[key] = deque()
            self._schedule(message, attempt=1, delay_seconds=0)

    def lease(
        self,
        room: Callable[[], int],
        *,
        seconds: float,
        wait_seconds: float = 0,
        active: Callable[[], bool] = lambda: True,
    ) -> list[Lease]:
        """Deliveries, as many as there is `room` for now, to be settled within `seconds`.

        Waits up to `wait_seconds` for a first one, while `active`; `wake` makes it look again.
        """
        give_up = self._clock() + wait_seconds
        while True:
            self._expire()
            with self._changed:
                if self.closed or not active():
                    return []
                limit = room()
                leases = self._take(limit, seconds)
                now = self._clock()
                if leases or now >= give_up:
                    return leases
                next_due = self._due[0][0] if self._due and limit > 0 else NEVER
                self._changed.wait(min(give_up, next_due, self._next_expiry()) - now)

    def acknowledge(self, ack_ids: Sequence[str]) -> None:
        with self._changed:
            for ack_id in ack_ids:
                lease = self._leased.pop(ack_id, None)
                if lease is not None:
                    self._let_next(lease.message)
            self._changed.notify_all()

    def extend(self, ack_id: str, seconds: float) -> None:
        """Settle by `seconds` from now; 0 refuses the delivery."""
        if seconds == 0:
            self.refuse([ack_id])
            return
        with self._changed:
            lease = self._leased.get(ack_id)
            if lease is not None:
                until = self._clock() + seconds
                self._leased[ack_id] = Lease(
                    ack_id=ack_id, message=lease.message, attempt=lease.attempt, until=until
                )
                self._changed.notify_all()

    def refuse(self, ack_ids: Sequence[str]) -> None:
        """Deliver these again, after the backoff, or bury them."""
        with self._changed:
            refused = [lease for ack_id in ack_ids if (lease := self._leased.pop(ack_id, None))]
        for lease in refused:
            self._deliver_again(lease)

    def leased(self, ack_ids: set[str]) -> set[str]:
        with self._changed:
            return ack_ids & self._leased.keys()

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def close(self) -> None:
        self.closed = True
        self.wake()

    def _take(self, limit: int, seconds: float) -> list[Lease]:
        leases: list[Lease] = []
        now = self._clock()
        while len(leases) < limit and self._due and self._due[0][0] <= now:
            _, _, message, attempt = heapq.heappop(self._due)
            ack_id = secrets.token_hex(16)
            lease = Lease(ack_id=ack_id, message=message, attempt=attempt, until=now + seconds)
            self._leased[ack_id] = lease
            leases.append(lease)
        return leases

    def _expire(self) -> None:
        with self._changed:
            now = self._clock()
            expired = [ack_id for ack_id, lease in self._leased.items() if lease.until <= now]
        self.refuse(expired)

    def _deliver_again(self, lease: Lease) -> None:
        """Outside the lock: a dead-letter topic may lead back to us."""
        last = self.redelivery.max_attempts
        if last is not None and lease.attempt >= last and self._bury(lease.message, lease.attempt):
            with self._changed:
                self._let_next(lease.message)
            return
        delay_seconds = self.redelivery.backoff_seconds(lease.attempt)
        with self._changed:
            self._schedule(lease.message, attempt=lease.attempt + 1, delay_seconds=delay_seconds)

    def _let_next(self, message: Any) -> None:
        waiting = self._behind.get(message.ordering_key)
        if waiting:
            self._schedule(waiting.popleft(), attempt=1, delay_seconds=0)
        else:
            self._behind.pop(message.ordering_key, None)

    def _schedule(self, message: Any, *, attempt: int, delay_seconds: float) -> None:
        heapq.heappush(self._due, (self._clock() + delay_seconds, next(self._serial), message, attempt))
        self._changed.notify_all()

    def _next_expiry(self) -> float:
        return min((lease.until for lease in self._leased.values()), default=NEVER)
