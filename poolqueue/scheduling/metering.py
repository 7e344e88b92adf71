"""Meters what becomes of the replicas that a persistent resource is paid for, from one look to the next."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from poolqueue.scheduling.pools import Metered, Resource, occupied
from poolqueue.scheduling.usage import month_of

LONGEST_UNSEEN = timedelta(minutes=5)


def metered(resource: Resource, *, since: datetime | None) -> Resource:
    """With the time from the look before, at `since`, until the last one, as if what the last one showed had
    been so all the time. What nobody looked at for long is not metered, nor what is not running.
    """
    at = resource.observed_at
    if at is None or since is None or not timedelta(0) < at - since <= LONGEST_UNSEEN:
        return resource
    if not resource.is_ready:
        return resource
    seconds = (at - since).total_seconds()
    taken, is_wanted = occupied(resource), any(use.waiting for use in resource.uses.values())
    months = {month: dict(pools) for month, pools in resource.metered.items()}
    total = months.setdefault(month_of(at), {})
    for pool in resource.pools:
        busy = max(0, min(pool.capacity, taken[pool.key]))
        more = Metered(
            paid=pool.capacity * seconds,
            busy=busy * seconds,
            wanted=(pool.capacity - busy) * seconds if is_wanted else 0.0,
        )
        total[pool.key] = total.get(pool.key, Metered()).plus(more)
    return replace(resource, metered=months)
