"""The documents of a resource's queue: `queues/{resource}.{shard}`, a compact line per waiting job.

The lines are compressed JSON in one unindexed bytes field, because ten thousand of them must fit one read.
A new document is begun when the last one is full.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from poolqueue.records.names import SCHEMA, ResourceName
from poolqueue.scheduling.admission import Waiting
from poolqueue.scheduling.jobs import Demand

SHARD_BYTES = 700_000
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
        target, shards = self._target()
        counts = sum(1 for line in lines.values() if line.shard == target)
        for waiting in add:
            if counts >= SHARD_LINES:
                target, shards, counts = shards, shards + 1, 0
            shard = lines[waiting.key].shard if waiting.key in lines else target
            lines[waiting.key] = Line(waiting=replace(waiting, is_new=False), shard=shard)
            dirty.add(shard)
            counts += 1
        return Queue(lines=lines, shards=shards, full=self.full), dirty

    def _target(self) -> tuple[int, int]:
        """The shard that takes new lines, and how many shards there are then."""
        open_ = [shard for shard in range(self.shards) if shard not in self.full]
        return (open_[0], self.shards) if open_ else (self.shards, self.shards + 1)


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
    for team, job_id, priority, arrived, place, attempt, not_before in content["lines"]:
        yield Waiting(
            team=team,
            job_id=job_id,
            priority=priority,
            arrived=_from_micros(arrived),
            demands=demands[place],
            attempt=attempt,
            not_before=None if not_before is None else _from_micros(not_before),
        )


def _write_line(line: Waiting, place: int) -> list[Any]:
    not_before = None if line.not_before is None else _to_micros(line.not_before)
    return [line.team, line.job_id, line.priority, _to_micros(line.arrived), place, line.attempt, not_before]


def _to_micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
