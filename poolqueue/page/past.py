"""The jobs that ended last, as one process knows them: at each look only those that are new are read."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from poolqueue.ports import Documents, Query
from poolqueue.scheduling.jobs import Job
from poolqueue.viewing.ended import ENDED_FIELDS, read_ended

MOST = 500
PAGES = (5, 50, MOST)  # as long as all that a page shows is new, a longer one is read
READ_ALL_AFTER = timedelta(hours=1)  # what a retried job was is forgotten then, at the latest

FIELDS = (*ENDED_FIELDS, "history")


class RecentlyEnded:
    """The latest `most`, the latest first."""

    most = MOST

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._reading = threading.Lock()
        self._jobs: list[Job] = []
        self._read_all_at: datetime | None = None

    def look(self, *, now: datetime) -> list[Job]:
        with self._reading:
            if self._read_all_at is None or now - self._read_all_at > READ_ALL_AFTER:
                self._jobs, self._read_all_at = self._page(MOST), now
            else:
                self._add_new()
            return self._jobs

    def _add_new(self) -> None:
        known = {(job.key, job.ended) for job in self._jobs}
        new: list[Job] = []
        for limit in PAGES:
            found = self._page(limit)
            new = [job for job in found if (job.key, job.ended) not in known]
            if len(new) < limit:
                break
        keys = {job.key for job in new}
        self._jobs = [*new, *(job for job in self._jobs if job.key not in keys)][:MOST]

    def _page(self, limit: int) -> list[Job]:
        query = Query(collection="jobs", newest_first="ended_at", select=FIELDS, limit=limit)
        return [read_ended(each.fields) for each in self._documents.find(query) if each.fields]


def ended_before(documents: Documents, until: datetime, *, limit: int) -> list[Job]:
    """The jobs that ended at or before a time, the latest first."""
    query = Query(collection="jobs", newest_first="ended_at", until=until, select=FIELDS, limit=limit)
    return [read_ended(each.fields) for each in documents.find(query) if each.fields]
