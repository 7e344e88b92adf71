"""The documents of a resource's queue: `queues/{resource}.{shard}`, a compact line per waiting job.

The lines are compressed JSON in one unindexed bytes field, because ten thousand of them must fit one read.
A new document is begun when the last one is full.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from poolqueue.records.names import SCHEMA, ResourceName
from poolqueue.scheduling.admission import Waiting
from poolqueue.scheduling.jobs import Demand

SHARD_BYTES = 700_000
GROWTH_CHARACTERS = 250_000  # of demands that one commit adds to a document: they may hardly compress
SHARD_LINES = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A waiting job and the shard in which its line stands."""

    waiting: Waiting
    shard: int


@dataclass(frozen=True, kw_only=True)
class Queue:
    """All lines of a resource by job key; `full` are shards that take no more lines."""

    lines: Mapping[str, Line] = field(default_factory=dict)
    shards: int = 1
    full: frozenset[int] = frozenset()

    def waiting(self) -> list[Waiting]:
        return [line.waiting for line in self.lines.values()]

    def changed(self, *, add: Iterable[Waiting] = (), remove: Iterable[str] = ()) -> tuple[Queue, set[int]]:
        """The queue without `remove` and with `add`, and the shards that must be written for it."""
        lines = dict(self.lines)
        dirty = {lines.pop(key).shard for key in set(remove) if key in lines}
        places = _Places(lines.values(), self.full)
        for waiting in add:
            known = lines.get(waiting.key)
            shard = places.next_for(waiting) if known is None else known.shard
            lines[waiting.key] = Line(waiting=waiting, shard=shard)
            dirty.add(shard)
        shards = max([self.shards, *(shard + 1 for shard in dirty)])
        return Queue(lines=lines, shards=shards, full=self.full), dirty


class _Places:
    """Finds a shard for each new line: the first that has room, a further one when none has."""

    def __init__(self, lines: Iterable[Line], full: frozenset[int]) -> None:
        self._counts = Counter(line.shard for line in lines)
        self._full = full
        self._shard = 0
        self._added: dict[tuple[Demand, ...], int] = {}  # characters of the demands that the shard gets

    def next_for(self, waiting: Waiting) -> int:
        characters = len(repr(waiting.demands))
        while not self._has_room(waiting, characters):
            self._shard += 1
            self._added = {}
        self._added[waiting.demands] = characters
        self._counts[self._shard] += 1
        return self._shard

    def _has_room(self, waiting: Waiting, characters: int) -> bool:
        if self._shard in self._full or self._counts[self._shard] >= SHARD_LINES:
            return False
        if not self._added or waiting.demands in self._added:
            return True
        return sum(self._added.values()) + characters <= GROWTH_CHARACTERS


def queue_path(name: ResourceName, shard: int) -> str:
    return f"queues/{name.key}.{shard}"


def write_queue(queue: Queue, shard: int) -> dict[str, Any]:
    """One shard's fields: the distinct demands once, and a short array per line."""
    lines = [line.waiting for line in queue.lines.values() if line.shard == shard]
    demands = list(dict.fromkeys(line.demands for line in lines))
    place = {demand: index for index, demand in enumerate(demands)}
    content = {
        "demands": [[[d.index, d.machine, d.disk, d.replicas] for d in group] for group in demands],
        "lines": [_write_line(line, place[line.demands]) for line in lines],
    }
    packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), level=6)
    return {"schema": SCHEMA, "shard": shard, "count": len(lines), "lines": packed}


def read_queue(shards: Iterable[Mapping[str, Any] | None]) -> Queue:
    lines: dict[str, Line] = {}
    full = set()
    count = 0
    for index, fields in enumerate(shards):
        count = index + 1
        if fields is None:
            continue
        packed = fields["lines"]
        if len(packed) >= SHARD_BYTES or fields["count"] >= SHARD_LINES:
            full.add(index)
        for waiting in _unpack(packed):
            lines[waiting.key] = Line(waiting=waiting, shard=index)
    return Queue(lines=lines, shards=max(count, 1), full=frozenset(full))


def _unpack(packed: bytes) -> Iterable[Waiting]:
    content = json.loads(zlib.decompress(packed))
    demands = [
        tuple(Demand(index=i, machine=m, disk=d, replicas=n) for i, m, d, n in group)
        for group in content["demands"]
    ]
    for team, job_id, priority, arrived, place, attempt, not_before, is_new in content["lines"]:
        yield Waiting(
            team=team,
            job_id=job_id,
            priority=priority,
            arrived=_from_micros(arrived),
            demands=demands[place],
            attempt=attempt,
            not_before=None if not_before is None else _from_micros(not_before),
            is_new=bool(is_new),
        )


def _write_line(line: Waiting, place: int) -> list[Any]:
    not_before = None if line.not_before is None else _to_micros(line.not_before)
    fields = [line.team, line.job_id, line.priority, _to_micros(line.arrived), place]
    return [*fields, line.attempt, not_before, int(line.is_new)]


def _to_micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
