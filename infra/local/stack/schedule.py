"""The schedule that Cloud Scheduler keeps in production: a message on `sweeps` every so many seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from google.api_core.exceptions import GoogleAPIError

log = logging.getLogger(__name__)


class Schedule:
    """Calls `sweep` every `seconds` from now on, in a thread, until stopped."""

    def __init__(self, sweep: Callable[[], None], *, seconds: float) -> None:
        self._sweep = sweep
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="schedule", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self._sweep()
            except GoogleAPIError as error:
                log.warning("sweep_not_published", extra={"error": str(error)})
