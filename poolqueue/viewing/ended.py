"""Reads jobs that ended, the latest first, without what may be large."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from poolqueue.ports import Documents, Query
from poolqueue.records import read_job
from poolqueue.scheduling.jobs import Job

PAGE = 1_000

# An ended job without what may be large: the request's body and the history.
ENDED_FIELDS = (
    "team", "job_id", "variant", "resource", "priority", "display_name", "created", "state", "outcome",
    "reason", "demands", "attempt", "error", "submitted", "started", "ended_at", "array",
)  # fmt: skip
_LEFT_OUT: Mapping[str, Any] = {"custom_job_body": "", "digest": "", "tokens": (), "history": ()}

_OF_THE_PAST = (*ENDED_FIELDS, "expected_run", "serial", "traits")


def read_ended(fields: Mapping[str, Any]) -> Job:
    """A job of which `ENDED_FIELDS` were read, and perhaps others."""
    return read_job({**_LEFT_OUT, **fields})


def ended_since(documents: Documents, since: datetime) -> Iterator[Job]:
    """The jobs that ended at or after a time, the latest first, page by page."""
    until: datetime | None = None
    seen: set[str] = set()
    while True:
        query = Query(
            collection="jobs", newest_first="ended_at", until=until, select=_OF_THE_PAST, limit=PAGE
        )
        page = documents.find(query)
        new = [each for each in page if each.path not in seen]
        for each in new:
            assert each.fields is not None
            until = each.fields["ended_at"]
            if until < since:
                return
            yield read_ended(each.fields)
        if len(page) < PAGE or not new:
            return
        seen.update(each.path for each in page)
