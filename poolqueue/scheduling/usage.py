"""What teams used of a persistent resource, and what became of the replicas that it is paid for, by month.

Months are those of UTC, written as `2026-11`. An attempt counts in each month for the part of its run that
fell into it, when it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from poolqueue.scheduling.pools import Metered, PoolKey, Ran

Place = tuple[str, PoolKey]
"""A team, and machines that it used."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """`attempts` that ended and `seconds` of single replicas that they ran."""

    attempts: int = 0
    seconds: float = 0.0

    def more(self, *, attempts: int, seconds: float) -> Used:
        return Used(attempts=self.attempts + attempts, seconds=self.seconds + seconds)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """One month of one persistent resource. `since` is when it was first written to."""

    month: str
    since: datetime
    used: Mapping[Place, Used] = field(default_factory=dict)
    metered: Mapping[PoolKey, Metered] = field(default_factory=dict)


def month_of(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m}"


def parts_by_month(since: datetime, seconds: float) -> Iterator[tuple[str, float]]:
    """The months in which a time so long since then lies, each with its seconds; at least one."""
    start, end = since.astimezone(UTC), since.astimezone(UTC) + timedelta(seconds=seconds)
    while (following := _next_month(start)) < end:
        yield month_of(start), (following - start).total_seconds()
        start = following
    yield month_of(start), (end - start).total_seconds()


def months_of(outcomes: Iterable[Ran], metered: Mapping[str, object]) -> list[str]:
    """The months that are to be written."""
    ran = {month for run in outcomes for month, _ in parts_by_month(run.since, run.seconds)}
    return sorted({*ran, *metered})


def with_runs(usage: Usage, outcomes: Iterable[Ran]) -> Usage:
    """With the parts of these runs that fell into its month. An attempt counts in the month of its end."""
    used = dict(usage.used)
    for run in outcomes:
        *_, (last, _) = parts = list(parts_by_month(run.since, run.seconds))
        for month, seconds in parts:
            if month != usage.month or not run.team:
                continue
            for key, replicas in run.replicas.items():
                before = used.get((run.team, key), Used())
                attempts = int(month == last)
                used[run.team, key] = before.more(attempts=attempts, seconds=seconds * replicas)
    return replace(usage, used=used)


def with_metered(usage: Usage, metered: Mapping[PoolKey, Metered]) -> Usage:
    total = dict(usage.metered)
    for key, more in metered.items():
        total[key] = total.get(key, Metered()).plus(more)
    return replace(usage, metered=total)


def _next_month(at: datetime) -> datetime:
    first = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
