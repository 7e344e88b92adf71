"""The documents of one database in memory: versions, preconditions and sorted single-field indexes."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import islice, takewhile
from operator import itemgetter
from typing import Any

from poolqueue.adapters.queries import INDEXES

_Key = tuple[int, Any]
_Entry = tuple[_Key, str]


class Expect(Enum):
    """What a change expects of its document, other than a version."""

    ANYTHING = "anything"
    ABSENT = "absent"
    PRESENT = "present"


@dataclass(frozen=True, kw_only=True)
class Record:
    """A stored document. Its fields are never changed in place; whoever hands them out copies them."""

    id: str
    fields: Mapping[str, Any]
    version: int
    created: int


@dataclass(frozen=True, kw_only=True)
class Change:
    """Put `fields` at `collection/id`, or remove it when they are None, if `expect` (or a version) holds."""

    path: str
    fields: Mapping[str, Any] | None
    expect: int | Expect


class PreconditionFailed(Exception):
    """The first change of a batch that could not be made. `found` is the record that stood in the way."""

    def __init__(self, change: Change, found: Record | None) -> None:
        super().__init__(change.path)
        self.change = change
        self.found = found


def _next(last: int) -> int:
    return last + 1


class Engine:
    """A database. `tick` makes the version of a commit from the one before; it must increase.

    All documents of one commit share its version, as they share their update time in Firestore.
    """

    def __init__(
        self,
        *,
        indexes: Collection[tuple[str, str]] = INDEXES,
        tick: Callable[[int], int] = _next,
    ) -> None:
        self._lock = threading.RLock()
        self._tick = tick
        self._version = 0
        self._collections: dict[str, dict[str, Record]] = defaultdict(dict)
        self._indexes: dict[tuple[str, str], list[_Entry]] = {name: [] for name in indexes}

    def get(self, paths: Iterable[str]) -> list[Record | None]:
        """The records at `paths`, all as of one moment."""
        with self._lock:
            return [self._find(path) for path in paths]

    def apply(self, changes: Sequence[Change]) -> int:
        """Make all changes and return their version, or raise `PreconditionFailed` and make none."""
        with self._lock:
            for change in changes:
                found = self._find(change.path)
                if not _holds(change.expect, found):
                    raise PreconditionFailed(change, found)
            self._version = self._tick(self._version)
            for change in changes:
                self._put(change)
            return self._version

    def is_indexed(self, collection: str, field: str) -> bool:
        return (collection, field) in self._indexes

    def equal(self, collection: str, field: str, value: Any, limit: int) -> list[Record]:
        """Records whose indexed `field` equals `value`, by id."""
        key = _key(value)
        if key is None:
            return []
        with self._lock:
            index = self._indexes[collection, field]
            start = bisect_left(index, (key, ""))
            entries = takewhile(lambda entry: entry[0] == key, islice(_from(index, start), limit))
            return [self._collections[collection][id_] for _, id_ in entries]

    def newest(
        self, collection: str, field: str, limit: int, *, until: datetime | None = None
    ) -> list[Record]:
        """Records that have the indexed `field`, the greatest first, ties by id downwards. With `until` only
        those of its type that are not greater.
        """
        with self._lock:
            entries = islice(
                _downwards(self._indexes[collection, field], None if until is None else _key(until)), limit
            )
            return [self._collections[collection][id_] for _, id_ in entries]

    def every(self, collection: str) -> list[Record]:
        """The whole collection, by id; it costs what the collection holds."""
        with self._lock:
            return [record for _, record in sorted(self._collections[collection].items())]

    def _find(self, path: str) -> Record | None:
        collection, _, id_ = path.partition("/")
        return self._collections[collection].get(id_)

    def _put(self, change: Change) -> None:
        collection, _, id_ = change.path.partition("/")
        records = self._collections[collection]
        old = records.pop(id_, None)
        self._unindex(collection, old)
        if change.fields is None:
            return
        created = old.created if old else self._version
        new = Record(id=id_, fields=change.fields, version=self._version, created=created)
        records[id_] = new
        for index, entry in self._entries(collection, new):
            insort(index, entry)

    def _unindex(self, collection: str, record: Record | None) -> None:
        if record is not None:
            for index, entry in self._entries(collection, record):
                del index[bisect_right(index, entry) - 1]

    def _entries(self, collection: str, record: Record) -> Iterator[tuple[list[_Entry], _Entry]]:
        for (of, field), index in self._indexes.items():
            if of == collection and field in record.fields:
                key = _key(record.fields[field])
                if key is not None:
                    yield index, (key, record.id)


def _downwards(index: list[_Entry], until: _Key | None) -> Iterator[_Entry]:
    """From the greatest on, or from the greatest that is not above `until` and of its type."""
    if until is None:
        return reversed(index)
    after = bisect_right(index, until, key=itemgetter(0))
    entries = (index[position] for position in range(after - 1, -1, -1))
    return takewhile(lambda entry: entry[0][0] == until[0], entries)


def _from(index: list[_Entry], start: int) -> Iterator[_Entry]:
    return (index[position] for position in range(start, len(index)))


def _holds(expect: int | Expect, found: Record | None) -> bool:
    match expect:
        case Expect.ANYTHING:
            return True
        case Expect.ABSENT:
            return found is None
        case Expect.PRESENT:
            return found is not None
        case int():
            return found is not None and found.version == expect


def _key(value: Any) -> _Key | None:
    """Firestore's order of types, as far as an index of ours holds them; None for what it does not."""
    match value:
        case None:
            return 0, 0
        case bool():
            return 1, value
        case int() | float():
            return 2, value
        case datetime():
            return 3, value
        case str():
            return 4, value
        case bytes():
            return 5, value
        case _:
            return None
