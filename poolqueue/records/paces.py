"""The document of a project and region's pace: `paces/{project}.{location}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poolqueue.records.names import SCHEMA
from poolqueue.scheduling.pace import Pace


def write_pace(pace: Pace) -> dict[str, Any]:
    taken = [{"at": at, "slots": slots} for at, slots in pace.taken]
    return {"schema": SCHEMA, "taken": taken, "blocked_until": pace.blocked_until}


def read_pace(fields: Mapping[str, Any] | None) -> Pace:
    if fields is None:
        return Pace()
    taken = tuple((entry["at"], entry["slots"]) for entry in fields["taken"])
    return Pace(taken=taken, blocked_until=fields["blocked_until"])
