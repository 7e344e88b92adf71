"""What a sweep may still ask of Vertex AI in a region, which shares its limits with others, until when."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

LOOKUPS_IN_REGION = 300
CANCELS_IN_REGION = 30

log = logging.getLogger(__name__)


class Allowance:
    """For all resources of a region together. What it does not grant is left to the next sweep."""

    def __init__(self, clock: Callable[[], datetime], region: str, deadline: datetime) -> None:
        self.deadline = deadline
        self._clock = clock
        self._region = region
        self._lookups = LOOKUPS_IN_REGION
        self._cancels = CANCELS_IN_REGION
        self._was_logged = False

    def is_over(self) -> bool:
        """Has the time of this sweep passed?"""
        return self._clock() >= self.deadline and self._cut_short()

    def take_lookup(self) -> bool:
        if self.is_over() or (self._lookups == 0 and self._cut_short()):
            return False
        self._lookups -= 1
        return True

    def take_cancel(self) -> bool:
        if self.is_over() or (self._cancels == 0 and self._cut_short()):
            return False
        self._cancels -= 1
        return True

    def _cut_short(self) -> bool:
        if not self._was_logged:
            log.warning("sweep_cut_short", extra={"region": self._region})
        self._was_logged = True
        return True
