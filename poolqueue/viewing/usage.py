"""Replica-hours: what teams used in a month, and what became of the replicas that are paid for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from poolqueue.ports import Query
from poolqueue.records import ResourceName, read_resource, read_usage, resource_path, usage_path
from poolqueue.scheduling.pools import Metered, PoolKey, Resource
from poolqueue.scheduling.usage import Usage, Used, parts_by_month, with_metered, with_runs
from poolqueue.viewing.making import short_spec
from poolqueue.viewing.reading import Reader

HOUR = 3_600.0
MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
USAGES_LIMIT = 2_000


@dataclass(frozen=True, kw_only=True)
class MonthOf:
    """A month of a persistent resource; `going`: seconds of single replicas of what still runs. Unless
    `is_stored`, all of it is yet to be taken into the month's document.
    """

    name: ResourceName
    usage: Usage
    is_stored: bool
    going: Mapping[tuple[str, PoolKey], float]


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a team used of machines of one kind; hours are those of single replicas."""

    team: str
    resource: ResourceName
    machine: str
    attempts: int
    hours: float
    going_hours: float


def read_month(reader: Reader, month: str, *, now: datetime) -> list[MonthOf]:
    """Of every persistent resource with anything recorded for it, what is not taken into the month's document
    yet included; also of those that are known no more.
    """
    found = reader.documents.find(Query(collection="usage", where={"month": month}, limit=USAGES_LIMIT))
    stored = {each.fields["resource"]: each.fields for each in found if each.fields}
    names = reader.names(None)
    # One read is of one moment: what moves from a resource to its month is then seen once.
    paths = [*map(resource_path, names), *(usage_path(name, month) for name in names)]
    documents = reader.documents.read(paths)
    months = []
    for name, known, own in zip(names, documents, documents[len(names) :], strict=False):
        fields = own.fields
        stored.pop(name.full, None)
        usage = read_usage(fields, month=month, now=now)
        resource = Resource(name=name.full) if known.fields is None else read_resource(known.fields)
        months.append(_with_pending(name, usage, resource, now, is_stored=fields is not None))
    for full, fields in stored.items():
        usage = read_usage(fields, month=month, now=now)
        months.append(MonthOf(name=ResourceName.from_full(full), usage=usage, is_stored=True, going={}))
    return [each for each in months if each.usage.used or each.usage.metered or each.going]


def _with_pending(
    name: ResourceName, usage: Usage, resource: Resource, now: datetime, *, is_stored: bool
) -> MonthOf:
    pending = with_runs(usage, resource.outcomes.values())
    pending = with_metered(pending, resource.metered.get(usage.month, {}))
    going: dict[tuple[str, PoolKey], float] = defaultdict(float)
    for reservation in resource.reservations.values():
        if reservation.started is None or reservation.started >= now:
            continue
        lasted = (now - reservation.started).total_seconds()
        seconds = dict(parts_by_month(reservation.started, lasted)).get(usage.month, 0.0)
        if seconds:
            for key, replicas in reservation.replicas.items():
                going[reservation.team, key] += seconds * replicas
    return MonthOf(name=name, usage=pending, is_stored=is_stored, going=going)


def rows_of(months: Iterable[MonthOf], *, team: str | None = None) -> list[Row]:
    """By team, and the most used first."""
    rows = [
        Row(
            team=whose,
            resource=each.name,
            machine=short_spec(key.machine),
            attempts=used.attempts,
            hours=used.seconds / HOUR,
            going_hours=each.going.get((whose, key), 0.0) / HOUR,
        )
        for each in months
        for (whose, key), used in _places(each)
        if team in {None, whose}
    ]
    return sorted(rows, key=lambda row: (row.team, -(row.hours + row.going_hours), row.resource, row.machine))


def _places(each: MonthOf) -> Iterator[tuple[tuple[str, PoolKey], Used]]:
    for place in dict.fromkeys([*each.usage.used, *each.going]):
        yield place, each.usage.used.get(place, Used())


def row_fields(row: Row) -> dict[str, Any]:
    return {
        "team": row.team,
        "persistent_resource": row.resource.full,
        "machine": row.machine,
        "attempts_ended": row.attempts,
        "replica_hours": round(row.hours, 4),
        "replica_hours_running": round(row.going_hours, 4),
    }


# --- replicas that are paid for --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Paid:
    """What became of the replicas of one kind of machine in a month, in hours of single ones. `since` is when
    the month's document began; None if there is none yet.
    """

    resource: ResourceName
    machine: str
    since: datetime | None
    metered: Metered


def paid_of(months: Sequence[MonthOf]) -> list[Paid]:
    return [
        Paid(
            resource=each.name,
            machine=short_spec(key.machine),
            since=each.usage.since if each.is_stored else None,
            metered=metered,
        )
        for each in months
        for key, metered in each.usage.metered.items()
    ]


def paid_fields(paid: Paid) -> dict[str, Any]:
    its = paid.metered
    return {
        "machine": paid.machine,
        "since": paid.since and paid.since.isoformat(),
        "paid_replica_hours": round(its.paid / HOUR, 4),
        "busy_replica_hours": round(its.busy / HOUR, 4),
        "idle_replica_hours_while_jobs_waited": round(its.wanted / HOUR, 4),
    }
