"""Takes what runs used, and what was metered, from the resource's document into its months."""

from __future__ import annotations

from datetime import datetime

from poolqueue.cycle.draft import Draft
from poolqueue.records import ResourceName, read_usage, usage_path, write_usage
from poolqueue.scheduling.events import Accounted
from poolqueue.scheduling.usage import month_of, months_of, with_metered, with_runs
from poolqueue.system import System


def is_long_metered(draft: Draft, *, now: datetime) -> bool:
    """Is something metered of a month that is over, or of what may be gone for good? Then it is not left
    until a run ends.
    """
    metered = draft.resource.metered
    return any(month != month_of(now) for month in metered) or (bool(metered) and not draft.resource.is_ready)


def account(system: System, name: ResourceName, draft: Draft, *, now: datetime) -> None:
    """In the commit that takes them off the resource, so that each run counts once. Ask before run times
    have learned from the runs: that takes those off.
    """
    runs, metered = [*draft.resource.outcomes.values()], draft.resource.metered
    months = months_of(runs, metered)
    documents = system.documents.read([usage_path(name, month) for month in months])
    for month, document in zip(months, documents, strict=True):
        before = read_usage(document.fields, month=month, now=now)
        after = with_metered(with_runs(before, runs), metered.get(month, {}))
        if after != before:
            draft.write(document.written(write_usage(name, after)))
    draft.apply(Accounted())
