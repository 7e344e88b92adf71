"""The document of a persistent resource: `resources/{project}.{location}.{id}`.

Pools are numbered within the document, so that reservations, foreign use and back-offs name them briefly.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from poolqueue.records.names import SCHEMA, ResourceName, region_key
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import (
    Backoff,
    Drain,
    Pool,
    PoolKey,
    Reservation,
    Resource,
    Surplus,
    Unannounced,
)


def write_resource(resource: Resource) -> dict[str, Any]:
    """The resource's fields. `region` is indexed; nothing else is."""
    name = ResourceName.from_full(resource.name)
    keys = _Numbers()
    surplus = resource.surplus_seen
    fields = {
        "schema": SCHEMA,
        "name": resource.name,
        "region": region_key(name.project, name.location),
        "state": resource.state,
        "created": resource.created,
        "pools": [
            {"key": keys[pool.key], "ids": list(pool.ids), "capacity": pool.capacity, "used": pool.used}
            for pool in resource.pools
        ],
        "reservations": [_write_reservation(r, keys) for r in resource.reservations.values()],
        "foreign": keys.write(resource.foreign),
        "surplus": keys.write(resource.surplus),
        "surplus_seen": surplus and {"epoch": surplus.epoch, "replicas": keys.write(surplus.replicas)},
        "observed_at": resource.observed_at,
        "epoch": resource.epoch,
        "released_at": keys.write(resource.released_at),
        "drained": {
            pool: {"reason": drain.reason, "author": drain.author, "at": drain.at}
            for pool, drain in resource.drained.items()
        },
        "backoffs": [
            {"key": keys[key], "until": b.until, "step": b.step, "reason": b.reason.value}
            for key, b in resource.backoffs.items()
        ],
        "unannounced": _write_unannounced(resource.unannounced),
        "waiting": resource.waiting,
        "shards": resource.shards,
    }
    return {**fields, "keys": keys.listed()}


def read_resource(fields: Mapping[str, Any]) -> Resource:
    keys = [PoolKey(entry["machine"], entry["disk"]) for entry in fields["keys"]]
    seen = fields["surplus_seen"]
    return Resource(
        name=fields["name"],
        state=fields["state"],
        created=fields["created"],
        pools=tuple(
            Pool(key=keys[p["key"]], ids=tuple(p["ids"]), capacity=p["capacity"], used=p["used"])
            for p in fields["pools"]
        ),
        reservations={r["token"]: _read_reservation(r, keys) for r in fields["reservations"]},
        foreign=_read_map(fields["foreign"], keys),
        surplus=_read_map(fields["surplus"], keys),
        surplus_seen=seen and Surplus(epoch=seen["epoch"], replicas=_read_map(seen["replicas"], keys)),
        observed_at=fields["observed_at"],
        epoch=fields["epoch"],
        released_at=_read_map(fields["released_at"], keys),
        drained={pool: Drain(**drain) for pool, drain in fields["drained"].items()},
        backoffs={
            keys[b["key"]]: Backoff(until=b["until"], step=b["step"], reason=Reason(b["reason"]))
            for b in fields["backoffs"]
        },
        unannounced=_read_unannounced(fields["unannounced"]),
        waiting=fields["waiting"],
        shards=fields["shards"],
    )


def _write_unannounced(unannounced: Mapping[str, Unannounced]) -> bytes:
    """Packed like the lines of a queue: beside 2,000 reservations, thousands of entries must find room."""
    entries = [[key, u.first, u.last, u.at.isoformat()] for key, u in unannounced.items()]
    return zlib.compress(json.dumps(entries, separators=(",", ":")).encode())


def _read_unannounced(packed: bytes) -> dict[str, Unannounced]:
    return {
        key: Unannounced(first=first, last=last, at=datetime.fromisoformat(at))
        for key, first, last, at in json.loads(zlib.decompress(packed))
    }


class _Numbers:
    """The pools of one document, numbered in the order in which they are first named."""

    def __init__(self) -> None:
        self._numbers: dict[PoolKey, int] = {}

    def __getitem__(self, key: PoolKey) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def write(self, values: Mapping[PoolKey, Any]) -> list[dict[str, Any]]:
        return [{"key": self[key], "value": value} for key, value in values.items()]

    def listed(self) -> list[dict[str, str]]:
        return [{"machine": key.machine, "disk": key.disk} for key in self._numbers]


def _read_map(entries: Iterable[Mapping[str, Any]], keys: list[PoolKey]) -> dict[PoolKey, Any]:
    return {keys[entry["key"]]: entry["value"] for entry in entries}


def _write_reservation(reservation: Reservation, keys: _Numbers) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "token": reservation.token,
        "team": reservation.team,
        "job_id": reservation.job_id,
        "attempt": reservation.attempt,
        "replicas": [n for key, replicas in reservation.replicas.items() for n in (keys[key], replicas)],
        "reserved_at": reservation.reserved_at,
        "submit_by": reservation.submit_by,
    }
    if reservation.number is not None:
        fields["number"] = reservation.number
    if reservation.running:
        fields["running"] = True
    if reservation.absent_since is not None:
        fields["absent_since"] = reservation.absent_since
    if reservation.cancelled_at is not None:
        fields["cancelled_at"] = reservation.cancelled_at
    return fields


def _read_reservation(fields: Mapping[str, Any], keys: list[PoolKey]) -> Reservation:
    numbers = fields["replicas"]  # pool, replicas, pool, replicas ...: maps would take three times the room
    replicas = {keys[n]: count for n, count in zip(numbers[::2], numbers[1::2], strict=True)}
    return Reservation(**{**fields, "replicas": replicas})
