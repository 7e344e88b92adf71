"""Which engine holds a named database, and how its versions and paths look on the wire."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[attr-defined, unused-ignore]

from infra.local.firestore.refusals import invalid, unsupported
from poolqueue.adapters.memory_engine import Engine

_DATABASE = re.compile(r"projects/([^/]+)/databases/([^/]+)")


class Databases:
    """Databases come into being when they are first named; those of two projects share nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engines: dict[str, Engine] = {}

    def engine(self, database: str) -> Engine:
        """The engine of `projects/P/databases/D`, where P begins with `demo-`."""
        match = _DATABASE.fullmatch(database)
        if match is None:
            raise invalid(f"{database!r} is not projects/P/databases/D")
        if not match[1].startswith("demo-"):
            raise invalid(f"project {match[1]!r}: only project ids that begin with demo- are accepted here")
        with self._lock:
            if database not in self._engines:
                self._engines[database] = Engine(tick=_microseconds)
            return self._engines[database]


def _microseconds(last: int) -> int:
    return max(last + 1, time.time_ns() // 1000)


def path_of(name: str, database: str) -> str:
    """`collection/id` of a document's full name."""
    prefix = f"{database}/documents/"
    if not name.startswith(prefix):
        raise invalid(f"{name!r} is not in {database}")
    path = name.removeprefix(prefix)
    if path.count("/") > 1:
        raise unsupported("subcollections", "keep documents in collections at the top")
    return path


def time_of(version: int) -> Timestamp:
    return Timestamp(seconds=version // 1_000_000, nanos=version % 1_000_000 * 1_000)


def version_at(update_time: Any) -> int:
    """The version that was made at `update_time`; -1 when none can have been."""
    if update_time.nanos % 1_000:
        return -1
    return int(update_time.seconds) * 1_000_000 + int(update_time.nanos) // 1_000
