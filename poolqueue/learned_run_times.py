"""The learned run times of resources, as one process knows them: read again only now and then."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from poolqueue.ports import Documents
from poolqueue.records import ResourceName, read_run_times, run_times_path
from poolqueue.scheduling.run_times import RunTimes

KEPT_FOR = timedelta(seconds=60)
RESOURCES_LIMIT = 8  # some megabytes each, at the most


class LearnedRunTimes:
    """Threads may share it. What it gives must not change: a decision forks it.

    That it is old does no harm: what is missing in it, or was learned twice in the eyes of one decision, is
    a few runs of many.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._kept: dict[str, tuple[datetime, RunTimes]] = {}

    def of(self, documents: Documents, name: ResourceName, *, now: datetime) -> RunTimes:
        known = self._kept.get(name.key)
        if known is not None and now - known[0] < KEPT_FOR:
            return known[1]
        document = documents.read([run_times_path(name)])[0]
        run_times = read_run_times(document.fields)
        self.keep(name, run_times, now=now)
        return run_times

    def keep(self, name: ResourceName, run_times: RunTimes, *, now: datetime) -> None:
        """These are stored now."""
        with self._changing:
            self._kept.pop(name.key, None)
            self._kept[name.key] = (now, run_times)
            while len(self._kept) > RESOURCES_LIMIT:
                del self._kept[next(iter(self._kept))]
