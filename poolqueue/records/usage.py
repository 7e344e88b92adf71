"""The documents `usage/{project}.{location}.{id}.{month}`: a month of a resource, kept for good."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from poolqueue.records.names import SCHEMA, ResourceName
from poolqueue.scheduling.pools import Metered, PoolKey
from poolqueue.scheduling.usage import Usage, Used


def usage_path(name: ResourceName, month: str) -> str:
    return f"usage/{name.key}.{month}"


def write_usage(name: ResourceName, usage: Usage) -> dict[str, Any]:
    """`month` is indexed; what was used is packed, for its rows are only ever read together."""
    used = [
        [team, key.machine, key.disk, each.attempts, round(each.seconds, 3)]
        for (team, key), each in usage.used.items()
    ]
    metered = [
        [key.machine, key.disk, *(round(n, 3) for n in (each.paid, each.busy, each.wanted))]
        for key, each in usage.metered.items()
    ]
    rows = json.dumps([used, metered], separators=(",", ":")).encode()
    return {
        "schema": SCHEMA,
        "month": usage.month,
        "resource": name.full,
        "since": usage.since,
        "rows": zlib.compress(rows),
    }


def read_usage(fields: Mapping[str, Any] | None, *, month: str, now: datetime) -> Usage:
    """Nothing used since `now` where there is no document yet."""
    if fields is None:
        return Usage(month=month, since=now)
    used, metered = json.loads(zlib.decompress(fields["rows"]))
    return Usage(
        month=fields["month"],
        since=fields["since"],
        used={
            (team, PoolKey(machine, disk)): Used(attempts=attempts, seconds=seconds)
            for team, machine, disk, attempts, seconds in used
        },
        metered={
            PoolKey(machine, disk): Metered(paid=paid, busy=busy, wanted=wanted)
            for machine, disk, paid, busy, wanted in metered
        },
    )
