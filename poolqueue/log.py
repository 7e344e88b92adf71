"""Logs as Cloud Logging reads them: one JSON object a line, an event's name and its fields."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LONGEST_VALUE = 2000


class JsonLines(logging.Formatter):
    """`severity`, `message`, `logger` and whatever the record carries as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {name: _bounded(v) for name, v in vars(record).items() if name not in _STANDARD}
        line: dict[str, Any] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            **fields,
        }
        if record.exc_info:
            line["stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging() -> None:
    """Our own records to stdout as JSON lines; other libraries' warnings with them."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for name in ("poolqueue", "handlers"):
        logging.getLogger(name).setLevel(logging.INFO)


def _bounded(value: Any) -> Any:
    return value[:_LONGEST_VALUE] if isinstance(value, str) else value
