"""What Firestore refuses in production, checked before anything is sent: no emulator checks all of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, assert_never

from poolqueue.ports import Create, Delete, Replace, Write

MAX_DOCUMENT_BYTES = 1_048_576
MAX_FIELD_BYTES = 1_048_487
MAX_DEPTH = 20
MAX_NAME_BYTES = 1_500
MAX_COMMIT_BYTES = 10 * 1_048_576
MAX_WRITES = 500  # gone from the table of limits, still on older pages; right either way

COMMIT_FIELD = "_commit"  # the owner's tokens, which the Firestore adapter adds to each document
COMMIT_FIELD_BYTES = 256

_EPOCH = datetime.fromtimestamp(0, UTC)
_RESERVED = re.compile(r"__.*__", re.DOTALL)
_WIRE_BYTES_PER_VALUE = 16  # tags and lengths of the request, over the size that Firestore bills


class Unstorable(ValueError):
    """Production would refuse this write. The message names the place and never the value."""


def accept(writes: Sequence[Write]) -> list[dict[str, Any] | None]:
    """Own copies of the fields of each write (None for a delete), all of them storable in one commit.

    Raises `Unstorable` for a limit of Firestore's and for a document written twice in one commit: the service
    would apply such writes in order, but then no single version could be handed back for either.
    """
    if len(writes) > MAX_WRITES:
        raise Unstorable(f"{len(writes)} writes in one commit, at most {MAX_WRITES}")
    if len({write.path for write in writes}) < len(writes):
        raise Unstorable("a document is written twice in one commit")
    copies = [_storable(write) for write in writes]
    total = sum(copy.wire_bytes for copy in copies)
    if total > MAX_COMMIT_BYTES:
        raise Unstorable(f"about {total} bytes in one commit, at most {MAX_COMMIT_BYTES}")
    return [copy.fields for copy in copies]


@dataclass(frozen=True, kw_only=True)
class Copied:
    """A storable copy, what Firestore says that it weighs, and what it weighs on the wire at most."""

    fields: dict[str, Any] | None
    size: int
    wire_bytes: int


def _storable(write: Write) -> Copied:
    match write:
        case Create() | Replace():
            if COMMIT_FIELD in write.fields:
                raise Unstorable(f"{write.path}: the field {COMMIT_FIELD} is the store's own")
            return copied(write.path, write.fields, reserve=COMMIT_FIELD_BYTES)
        case Delete():
            check_path(write.path)
            return Copied(fields=None, size=0, wire_bytes=len(write.path.encode()))
        case unreachable:
            assert_never(unreachable)


def check_path(path: str) -> None:
    """Raises `Unstorable` unless `path` is `collection/id` and both may be names in Firestore."""
    parts = path.split("/")
    if len(parts) != 2:  # noqa: PLR2004 - collection and id
        raise Unstorable(f"{path!r} is not collection/id")
    for part in parts:
        if part in ("", ".", "..") or _RESERVED.fullmatch(part):
            raise Unstorable(f"{path!r}: {part!r} is a reserved name")
        if _utf8(part, path) > MAX_NAME_BYTES:
            raise Unstorable(f"{path[:80]!r}...: a name of more than {MAX_NAME_BYTES} bytes")


def copied(path: str, fields: Mapping[str, Any], *, reserve: int = 0) -> Copied:
    """A deep copy in plain types. Raises `Unstorable` unless it fits, with `reserve` bytes beside it."""
    check_path(path)
    walk = _Walk(path)
    copy: dict[str, Any] = {}
    for name, value in fields.items():
        before = walk.size
        copy[walk.name(name)] = walk.value(value, name, depth=0)
        if walk.size - before > MAX_FIELD_BYTES:
            raise Unstorable(f"{path}: the field {name} has more than {MAX_FIELD_BYTES} bytes")
    size = walk.size + sum(len(part.encode()) + 1 for part in path.split("/")) + 16 + 32 + reserve
    if size > MAX_DOCUMENT_BYTES:
        raise Unstorable(f"{path}: {size} bytes, at most {MAX_DOCUMENT_BYTES}")
    return Copied(fields=copy, size=size, wire_bytes=size + _WIRE_BYTES_PER_VALUE * walk.values)


class _Walk:
    """One pass over a document that copies it and adds up its size as Firestore defines it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.size = 0
        self.values = 0

    def name(self, name: object) -> str:
        if not isinstance(name, str):
            raise Unstorable(f"{self._path}: a field's name is a {type(name).__name__}")
        length = _utf8(name, self._path)
        if not 0 < length <= MAX_NAME_BYTES or _RESERVED.fullmatch(name):
            raise Unstorable(f"{self._path}: {name[:80]!r} cannot name a field")
        self.size += length + 1
        return str(name)

    def value(self, value: Any, at: str, depth: int) -> Any:
        self.values += 1
        if type(value) is str:
            self.size += _utf8(value, self._path, at) + 1
            return value
        match value:
            case dict() | list():
                return self._nested(value, at, depth + 1)
            case str():
                return self.value(str(value), at, depth)
            case bytes():
                self.size += len(value)
                return bytes(value)
            case datetime():
                self.size += 8
                return self._instant(value, at)
            case bool() | None:
                self.size += 1
                return value
            case int() | float():
                self.size += 8
                return self._number(value, at)
            case _:
                raise Unstorable(
                    f"{self._path}: {at} is a {type(value).__name__}, which Firestore cannot hold"
                )

    def _nested(self, value: dict[Any, Any] | list[Any], at: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Unstorable(f"{self._path}: {at} is nested more than {MAX_DEPTH} deep")
        if isinstance(value, dict):
            self.size += 32
            return {self.name(key): self.value(item, f"{at}.{key}", depth) for key, item in value.items()}
        if any(isinstance(item, list) for item in value):
            raise Unstorable(f"{self._path}: {at} holds a list directly in a list")
        return [self.value(item, at, depth) for item in value]

    def _instant(self, value: datetime, at: str) -> datetime:
        if value.tzinfo is None:
            raise Unstorable(f"{self._path}: {at} is a datetime without a time zone")
        return _EPOCH + (value - _EPOCH)  # plain and UTC, whatever came

    def _number(self, value: int | float, at: str) -> int | float:  # noqa: PYI041 - mypy tells them apart
        if isinstance(value, float):
            return float(value)
        if not -(2**63) <= value < 2**63:
            raise Unstorable(f"{self._path}: {at} does not fit into 64 bits")
        return int(value)


def _utf8(text: str, path: str, at: str = "a name") -> int:
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise Unstorable(f"{path!r}: {at} is not valid Unicode") from None
