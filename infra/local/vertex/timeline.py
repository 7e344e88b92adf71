"""What happens later by itself: acts in order of their time, each under the stand-in's one lock."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

Act = Callable[[], None]

log = logging.getLogger(__name__)


class Timeline:
    """One thread that sleeps until the next act is due. `lock` is the lock of everything in the stand-in."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._acts: list[tuple[float, int, Act]] = []
        self._numbers = itertools.count()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="stand-in-timeline", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()

    def after(self, seconds: float, act: Act) -> None:
        with self._changed:
            heapq.heappush(self._acts, (time.monotonic() + seconds, next(self._numbers), act))
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                self._step()

    def _step(self) -> None:
        wait = self._acts[0][0] - time.monotonic() if self._acts else None
        if wait is None or wait > 0:
            self._changed.wait(wait)
            return
        _, _, act = heapq.heappop(self._acts)
        try:
            act()
        except Exception:
            log.exception("an act of the timeline failed")
