"""The document of a serial key: `serial_keys/{team}.{digest}`.

A key that nobody has or waits for has none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from poolqueue.records.names import SCHEMA
from poolqueue.scheduling.serial_keys import Holder, KeyName, SerialKey, Turn, Waiter


def serial_key_path(name: KeyName) -> str:
    """By a digest: what publishers call a key may be no name of a document."""
    team, key = name
    return f"serial_keys/{team}.{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def write_serial_key(name: KeyName, key: SerialKey) -> dict[str, Any]:
    team, called = name
    fields = {
        "schema": SCHEMA,
        "team": team,
        "key": called,
        "holders": [
            {
                "token": each.token,
                "job_id": each.job_id,
                "attempt": each.attempt,
                "resource": each.resource,
                "limit": each.limit,
                "since": each.since,
            }
            for each in key.holders
        ],
        "waiters": [_write_waiter(each) for each in key.waiters],
    }
    if key.turn is not None:
        fields["turn"] = {"waiter": _write_waiter(key.turn.waiter), "until": key.turn.until}
    return fields


def read_serial_key(fields: Mapping[str, Any] | None) -> SerialKey:
    if fields is None:
        return SerialKey()
    turn = fields.get("turn")
    return SerialKey(
        holders=tuple(Holder(**each) for each in fields["holders"]),
        waiters=tuple(Waiter(**each) for each in fields["waiters"]),
        turn=None if turn is None else Turn(waiter=Waiter(**turn["waiter"]), until=turn["until"]),
    )


def _write_waiter(waiter: Waiter) -> dict[str, Any]:
    return {
        "resource": waiter.resource,
        "job_id": waiter.job_id,
        "priority": waiter.priority,
        "arrived": waiter.arrived,
    }
