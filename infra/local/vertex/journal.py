"""The journal: one JSON line for each thing that the stand-in saw or did, in the order of happening."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from infra.local.vertex.names import now, rfc3339


class Journal:
    """Lines are flushed one by one, so that a reader of the file is never behind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w", encoding="utf-8")
        self._records: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def write(self, event: str, **fields: Any) -> None:
        with self._lock:
            record = {"at": rfc3339(now()), "event": event, **fields}
            self._records.append(record)
            if not self._file.closed:
                self._file.write(json.dumps(record) + "\n")
                self._file.flush()

    def records(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._records)

    def close(self) -> None:
        with self._lock:
            self._file.close()
