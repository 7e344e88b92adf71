"""The documents of a resource's queue: `queues/{resource}.{shard}`, a compact line per waiting job.

The lines are compressed JSON in one unindexed bytes field, because ten thousand of them must fit one read.
A new document is begun when the last one is full.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from poolqueue.records.moments import from_micros, to_micros
from poolqueue.records.names import SCHEMA, ResourceName
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.jobs import Demand, Hold, Reason
from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.traits import NO_TRAITS, Traits
from poolqueue.scheduling.waiting import Waiting

SHARD_BYTES = 700_000
GROWTH_CHARACTERS = 250_000  # of what lines share, that one commit adds: it may hardly compress
SHARD_LINES = 20_000

# What a line lacks that was written before these were known, or that most lines do not need.
_ADDED = (0, 0, None, None, 0, None)
_MOVED: Sequence[Any] = (0, None, (), None, (), None)  # and what only some lines have

_Demands = tuple[Demand, ...]
_Alternatives = tuple[Alternative, ...]
_Shared = TypeVar("_Shared", bound=Hashable)


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

    @property
    def count(self) -> int:
        """How many jobs they stand for."""
        return sum(line.waiting.count for line in self.lines.values())

    def waiting(self) -> list[Waiting]:
        """Those that a decision considers."""
        return [line.waiting for line in self.lines.values() if not line.waiting.holds]

    def held(self) -> list[Waiting]:
        """Those that are kept from being considered, each at its place for later."""
        return [line.waiting for line in self.lines.values() if line.waiting.holds]

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
        self._added: dict[Hashable, int] = {}  # characters of what lines share that the shard gets

    def next_for(self, waiting: Waiting) -> int:
        while not self._has_room(self._new(waiting)):
            self._shard += 1
            self._added = {}
        self._added |= self._new(waiting)
        self._counts[self._shard] += 1
        return self._shard

    def _new(self, waiting: Waiting) -> dict[Hashable, int]:
        shared: list[Hashable] = [waiting.demands, waiting.traits, waiting.alternatives]
        return {each: len(repr(each)) for each in shared if each not in self._added}

    def _has_room(self, new: Mapping[Hashable, int]) -> bool:
        if self._shard in self._full or self._counts[self._shard] >= SHARD_LINES:
            return False
        if not self._added or not new:
            return True
        return sum(self._added.values()) + sum(new.values()) <= GROWTH_CHARACTERS


class _Interned(Generic[_Shared]):
    """Values that many lines share, each kept once; a line names its place."""

    def __init__(self) -> None:
        self._places: dict[_Shared, int] = {}

    def place(self, value: _Shared) -> int:
        return self._places.setdefault(value, len(self._places))

    def values(self) -> list[_Shared]:
        return list(self._places)


def queue_path(name: ResourceName, shard: int) -> str:
    return f"queues/{name.key}.{shard}"


def write_queue(queue: Queue, shard: int) -> dict[str, Any]:
    """One shard's fields: what lines share once, and a short array per line."""
    lines = [line.waiting for line in queue.lines.values() if line.shard == shard]
    demands, traits, alternatives = _Interned[_Demands](), _Interned[Traits](), _Interned[_Alternatives]()
    written = []
    for line in lines:
        elsewhere = alternatives.place(line.alternatives)
        written.append(_write_line(line, demands.place(line.demands), traits.place(line.traits), elsewhere))
    content = {
        "demands": [[[d.index, d.machine, d.disk, d.replicas] for d in group] for group in demands.values()],
        "traits": [[t.keys, t.timeout, t.claimed, t.min_run] for t in traits.values()],
        "alternatives": [[[a.resource, a.after] for a in group] for group in alternatives.values()],
        "lines": written,
    }
    packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), level=6)
    return {
        "schema": SCHEMA,
        "shard": shard,
        "shards": queue.shards,
        "count": len(lines),
        "teams": _jobs_of_teams(lines),
        "lines": packed,
    }


def _jobs_of_teams(lines: Iterable[Waiting]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for line in lines:
        counts[line.team] += line.count
    return dict(counts)


def waiting_of(fields: Mapping[str, Any], team: str) -> int:
    """How many jobs of a team stand in one shard, without unpacking it."""
    if "teams" in fields:
        return int(fields["teams"].get(team, 0))
    return sum(line.count for line in _unpack(fields["lines"]) if line.team == team)


def has_successor(fields: Mapping[str, Any]) -> bool:
    """May there be a shard after this one? It says so itself if it was written since."""
    return _is_full(fields) or fields["shard"] + 1 < fields.get("shards", 1)


def read_queue(shards: Iterable[Mapping[str, Any] | None]) -> Queue:
    lines: dict[str, Line] = {}
    full = set()
    count = 0
    for index, fields in enumerate(shards):
        count = index + 1
        if fields is None:
            continue
        if _is_full(fields):
            full.add(index)
        for waiting in _unpack(fields["lines"]):
            lines[waiting.key] = Line(waiting=waiting, shard=index)
    return Queue(lines=lines, shards=max(count, 1), full=frozenset(full))


def _is_full(fields: Mapping[str, Any]) -> bool:
    return len(fields["lines"]) >= SHARD_BYTES or fields["count"] >= SHARD_LINES


def _unpack(packed: bytes) -> Iterable[Waiting]:
    content = json.loads(zlib.decompress(packed))
    demands = [
        tuple(Demand(index=i, machine=m, disk=d, replicas=n) for i, m, d, n in group)
        for group in content["demands"]
    ]
    traits = [
        Traits(keys=tuple(keys), timeout=timeout, claimed=claimed, min_run=min_run)
        for keys, timeout, claimed, min_run in content.get("traits", ())
    ]
    alternatives = [
        tuple(Alternative(resource=resource, after=after) for resource, after in group)
        for group in content.get("alternatives", ())
    ]
    for line in content["lines"]:
        yield _read_line(line, demands, traits or [NO_TRAITS], alternatives or [()])


def _read_line(
    line: Sequence[Any],
    demands: Sequence[_Demands],
    traits: Sequence[Traits],
    alternatives: Sequence[_Alternatives],
) -> Waiting:
    team, job_id, priority, arrived, its_demands, attempt, not_before, is_new, *added = line
    its_traits, its_alternatives, expires, deadline, preemptions, max_preemptions, *moved = added or _ADDED
    moves, moved_at, holds, serial, members, max_parallel = [*moved, *_MOVED[len(moved) :]]
    return Waiting(
        team=team,
        job_id=job_id,
        priority=priority,
        arrived=from_micros(arrived),
        demands=demands[its_demands],
        attempt=attempt,
        not_before=_maybe_moment(not_before),
        is_new=bool(is_new),
        traits=traits[its_traits],
        expires=_maybe_moment(expires),
        deadline=_maybe_moment(deadline),
        alternatives=alternatives[its_alternatives],
        preemptions=preemptions,
        max_preemptions=max_preemptions,
        moves=moves,
        moved_at=_maybe_moment(moved_at),
        holds=tuple(Hold(reason=Reason(reason), at=from_micros(at), note=note) for reason, at, note in holds),
        serial=None if serial is None else Serial(key=serial[0], limit=serial[1]),
        members=tuple((first, end) for first, end in members),
        max_parallel=max_parallel,
    )


def _write_line(line: Waiting, demands: int, traits: int, alternatives: int) -> list[Any]:
    fields = [line.team, line.job_id, line.priority, to_micros(line.arrived), demands]
    fields += [line.attempt, _maybe_micros(line.not_before), int(line.is_new)]
    rest = [traits, alternatives, _maybe_micros(line.expires), _maybe_micros(line.deadline)]
    held = [[each.reason.value, to_micros(each.at), each.note] for each in line.holds]
    serial = None if line.serial is None else [line.serial.key, line.serial.limit]
    some: list[Any] = [line.moves, _maybe_micros(line.moved_at), held, serial]
    some += [line.members, line.max_parallel]
    while some and not some[-1]:
        some.pop()
    return [*fields, *rest, line.preemptions, line.max_preemptions, *some]


def _maybe_micros(at: datetime | None) -> int | None:
    return None if at is None else to_micros(at)


def _maybe_moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
