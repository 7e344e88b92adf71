"""The document of a persistent resource: `resources/{project}.{location}.{id}`.

Pools are numbered within the document, so that reservations, foreign use and back-offs name them briefly.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from poolqueue.records.jobs import read_traits, write_traits
from poolqueue.records.last_words import read_last_words, write_last_words
from poolqueue.records.moments import from_micros, to_micros
from poolqueue.records.names import SCHEMA, ResourceName, region_key
from poolqueue.records.pauses import pauses_fields, read_pauses
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import (
    Backoff,
    Drain,
    Metered,
    Overtakings,
    Pool,
    PoolKey,
    Promise,
    Ran,
    Reservation,
    Resource,
    Surplus,
    Unannounced,
    Use,
)
from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.traits import Traits

DAY_SECONDS = 86_400


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
        "reservations": _write_reservations(resource.reservations.values(), keys),
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
        "uses": [
            {"team": team, "at": use.at, "seconds": use.seconds, "waiting": use.waiting}
            for team, use in resource.uses.items()
        ],
        "share_half_life": resource.share_half_life.total_seconds(),
        "promises": [_write_promise(key, promise) for key, promise in resource.promises.items()],
        "overtakings": asdict(resource.overtakings),
        "suitors": list(resource.suitors),
        "unsettled": _write_unsettled(resource.unsettled),
        "outcomes": _write_outcomes(resource.outcomes, keys),
        "pauses": pauses_fields(resource.pauses),
        "last_words": write_last_words(resource.last_words),
        "metered": [
            {
                "month": month,
                "pools": keys.write({key: [m.paid, m.busy, m.wanted] for key, m in pools.items()}),
            }
            for month, pools in resource.metered.items()
        ],
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
        reservations=_read_reservations(fields["reservations"], keys),
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
        uses={
            each["team"]: Use(at=each["at"], seconds=each["seconds"], waiting=each["waiting"])
            for each in fields.get("uses", ())
        },
        share_half_life=timedelta(seconds=fields.get("share_half_life", DAY_SECONDS)),
        promises=dict(map(_read_promise, fields.get("promises", ()))),
        overtakings=Overtakings(**fields.get("overtakings", {})),
        suitors=tuple(fields.get("suitors", ())),
        unsettled=_read_unsettled(fields.get("unsettled")),
        outcomes=_read_outcomes(fields.get("outcomes"), keys),
        pauses=read_pauses(fields.get("pauses")),
        last_words=read_last_words(fields.get("last_words", ())),
        metered={
            each["month"]: {
                key: Metered(paid=paid, busy=busy, wanted=wanted)
                for key, (paid, busy, wanted) in _read_map(each["pools"], keys).items()
            }
            for each in fields.get("metered", ())
        },
    )


def _write_promise(key: str, promise: Promise) -> dict[str, Any]:
    fields = {"key": key, "start": promise.start, "made": promise.made}
    return {**fields, "overtaken": promise.overtaken, "ahead": list(promise.ahead)}


def _read_promise(fields: Mapping[str, Any]) -> tuple[str, Promise]:
    return fields["key"], Promise(
        start=fields["start"],
        made=fields["made"],
        overtaken=fields["overtaken"],
        ahead=tuple(fields["ahead"]),
    )


def _write_unannounced(unannounced: Mapping[str, Unannounced]) -> bytes:
    """Packed like the lines of a queue: beside 2,000 reservations, thousands of entries must find room."""
    entries = [[key, u.first, u.last, u.at.isoformat()] for key, u in unannounced.items()]
    return _packed(entries)


def _read_unannounced(packed: bytes) -> dict[str, Unannounced]:
    return {
        key: Unannounced(first=first, last=last, at=datetime.fromisoformat(at))
        for key, first, last, at in _unpacked(packed)
    }


def _write_unsettled(unsettled: Mapping[str, datetime]) -> bytes | None:
    return _packed([[key, to_micros(at)] for key, at in unsettled.items()]) if unsettled else None


def _read_unsettled(packed: bytes | None) -> dict[str, datetime]:
    return {} if packed is None else {key: from_micros(at) for key, at in _unpacked(packed)}


def _write_outcomes(outcomes: Mapping[str, Ran], keys: _Numbers) -> bytes | None:
    if not outcomes:
        return None
    traits: dict[Traits, int] = {}
    rows = [
        [
            token,
            traits.setdefault(ran.traits, len(traits)),
            to_micros(ran.since),
            ran.seconds,
            ran.by_itself,
            ran.team,
            _numbered(ran.replicas, keys),
        ]
        for token, ran in outcomes.items()
    ]
    return _packed([[write_traits(each) for each in traits], rows])


def _read_outcomes(packed: bytes | None, keys: list[PoolKey]) -> dict[str, Ran]:
    if packed is None:
        return {}
    listed, rows = _unpacked(packed)
    traits = [read_traits(fields) for fields in listed]
    return {row[0]: _read_ran(row, keys, traits) for row in rows}


def _read_ran(row: list[Any], keys: list[PoolKey], traits: list[Traits]) -> Ran:
    """Whose it was, and its replicas, were not written once."""
    _, place, since, seconds, by_itself, *charged = row
    team, numbers = charged or ("", [])
    return Ran(
        traits=traits[place],
        since=from_micros(since),
        seconds=seconds,
        by_itself=by_itself,
        team=team,
        replicas=_by_number(numbers, keys),
    )


def _numbered(replicas: Mapping[PoolKey, int], keys: _Numbers) -> list[int]:
    return [n for key, count in replicas.items() for n in (keys[key], count)]


def _by_number(numbers: list[int], keys: list[PoolKey]) -> dict[PoolKey, int]:
    return {keys[n]: count for n, count in zip(numbers[::2], numbers[1::2], strict=True)}


def _packed(entries: list[Any]) -> bytes:
    return zlib.compress(json.dumps(entries, separators=(",", ":")).encode())


def _unpacked(packed: bytes) -> list[Any]:
    return list(json.loads(zlib.decompress(packed)))


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


def _write_reservations(reservations: Iterable[Reservation], keys: _Numbers) -> bytes:
    """Packed, because 2,000 of them must find room: the distinct traits once, and a short array each."""
    traits: dict[Traits, int] = {}
    rows = [_write_reservation(each, keys, traits) for each in reservations]
    return _packed([[write_traits(each) for each in traits], rows])


def _read_reservations(packed: bytes, keys: list[PoolKey]) -> dict[str, Reservation]:
    listed, rows = _unpacked(packed)
    traits = [read_traits(fields) for fields in listed]
    found = [_read_reservation(row, keys, traits) for row in rows]
    return {each.token: each for each in found}


def _write_reservation(each: Reservation, keys: _Numbers, traits: dict[Traits, int]) -> list[Any]:
    return [
        each.token,
        each.team,
        each.job_id,
        each.attempt,
        _numbered(each.replicas, keys),
        to_micros(each.reserved_at),
        to_micros(each.submit_by),
        each.number,
        int(each.running),
        _micros(each.absent_since),
        _micros(each.cancelled_at),
        each.priority,
        traits.setdefault(each.traits, len(traits)),
        _micros(each.started),
        each.preemptions,
        int(each.passes),
        *([] if each.serial is None else [each.serial.key, each.serial.limit]),
    ]


def _read_reservation(row: list[Any], keys: list[PoolKey], traits: list[Traits]) -> Reservation:
    token, team, job_id, attempt, numbers, reserved_at, submit_by, number, running, *rest = row
    absent_since, cancelled_at, priority, place, started, preemptions, passes, *serial = rest
    return Reservation(
        token=token,
        team=team,
        job_id=job_id,
        attempt=attempt,
        replicas=_by_number(numbers, keys),
        reserved_at=from_micros(reserved_at),
        submit_by=from_micros(submit_by),
        number=number,
        running=bool(running),
        absent_since=_moment(absent_since),
        cancelled_at=_moment(cancelled_at),
        priority=priority,
        traits=traits[place],
        started=_moment(started),
        preemptions=preemptions,
        passes=bool(passes),
        serial=Serial(key=serial[0], limit=serial[1]) if serial else None,
    )


def _micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
