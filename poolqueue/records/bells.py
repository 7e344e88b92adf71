"""The document of a resource's bell: `bells/{resource}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from poolqueue.records.names import SCHEMA, ResourceName


@dataclass(frozen=True, kw_only=True)
class Bell:
    """`rung`: a cycle is asked for. `holder` runs one, and is believed to until `until`."""

    rung: bool = False
    holder: str | None = None
    until: datetime | None = None

    def is_held(self, now: datetime) -> bool:
        return self.holder is not None and self.until is not None and now < self.until


def bell_path(name: ResourceName) -> str:
    return f"bells/{name.key}"


def write_bell(bell: Bell) -> dict[str, Any]:
    return {"schema": SCHEMA, "rung": bell.rung, "holder": bell.holder, "until": bell.until}


def read_bell(fields: Mapping[str, Any] | None) -> Bell:
    if fields is None:
        return Bell()
    return Bell(rung=fields["rung"], holder=fields["holder"], until=fields["until"])
