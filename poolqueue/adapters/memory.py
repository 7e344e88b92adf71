"""`Documents` in memory: as strict as Firestore in production, for tests and simulation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from poolqueue.adapters.counts import Counts, Meter
from poolqueue.adapters.limits import accept, check_path
from poolqueue.adapters.memory_engine import Change, Engine, Expect, PreconditionFailed, Record
from poolqueue.adapters.queries import shape_of
from poolqueue.ports import Conflict, Create, Delete, Document, Query, Replace, Write


class MemoryDocuments:
    """Thread-safe. What is stored and what is handed out never share anything that can be changed."""

    def __init__(self, engine: Engine | None = None) -> None:
        self._engine = engine or Engine()
        self._meter = Meter()

    @property
    def counts(self) -> Counts:
        return self._meter.total

    def read(self, paths: Sequence[str]) -> list[Document]:
        for path in paths:
            check_path(path)
        if not paths:
            return []
        self._meter.add(Counts(reads=len(set(paths)), round_trips=1))
        records = self._engine.get(paths)
        return [_document(path, record) for path, record in zip(paths, records, strict=True)]

    def find(self, query: Query) -> list[Document]:
        records = self._matching(query)
        self._meter.add(Counts(reads=max(1, len(records)), round_trips=1))
        return [_document(f"{query.collection}/{record.id}", record, query.select) for record in records]

    def commit(self, writes: Sequence[Write]) -> list[object]:
        copies = accept(writes)
        if not writes:
            return []
        changes = [_change(write, copy) for write, copy in zip(writes, copies, strict=True)]
        try:
            version = self._engine.apply(changes)
        except PreconditionFailed as error:
            self._meter.add(Counts(round_trips=1, conflicts=1))
            raise Conflict(str(error)) from error
        deletes = sum(isinstance(write, Delete) for write in writes)
        self._meter.add(Counts(writes=len(writes) - deletes, deletes=deletes, round_trips=1))
        return [None if isinstance(write, Delete) else version for write in writes]

    def _matching(self, query: Query) -> list[Record]:
        shape = shape_of(query)
        if shape.equals is not None:
            return self._engine.equal(shape.collection, shape.equals, query.where[shape.equals], query.limit)
        assert shape.newest_first is not None
        return self._engine.newest(shape.collection, shape.newest_first, query.limit, until=query.until)


def _change(write: Write, copy: dict[str, Any] | None) -> Change:
    match write:
        case Create(path=path):
            return Change(path=path, fields=copy, expect=Expect.ABSENT)
        case Replace(path=path, version=version) | Delete(path=path, version=version):
            if not isinstance(version, int):
                raise TypeError(f"{path}: {version!r} is no version of this store")
            return Change(path=path, fields=copy, expect=version)
        case unreachable:
            assert_never(unreachable)


def _document(path: str, record: Record | None, select: tuple[str, ...] | None = None) -> Document:
    if record is None:
        return Document(path=path)
    names = record.fields if select is None else [name for name in select if name in record.fields]
    fields = {name: _copy(record.fields[name]) for name in names}
    return Document(path=path, fields=fields, version=record.version)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    if isinstance(value, list):
        return [item if type(item) is str else _copy(item) for item in value]
    return value
