"""The document of the teams that are paused: `pauses/current`.

Each resource's document has a copy, which is what decides. This one is for those that never decided yet, and
for sweeps, which compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poolqueue.records.names import SCHEMA
from poolqueue.scheduling.pools import Pause, Pauses

PAUSES_PATH = "pauses/current"
COMMANDS_KEPT = 100


def write_pauses(pauses: Pauses, *, commands: tuple[str, ...]) -> dict[str, Any]:
    """`commands` are the ids of those that made it what it is, the latest last."""
    return {"schema": SCHEMA, **pauses_fields(pauses), "commands": list(commands[-COMMANDS_KEPT:])}


def read_pauses(fields: Mapping[str, Any] | None) -> Pauses:
    return Pauses() if fields is None else pauses_of(fields)


def commands_of(fields: Mapping[str, Any] | None) -> tuple[str, ...]:
    return () if fields is None else tuple(fields["commands"])


def pauses_fields(pauses: Pauses) -> dict[str, Any]:
    teams = [
        {"team": team, "reason": pause.reason, "author": pause.author, "at": pause.at}
        for team, pause in pauses.teams.items()
    ]
    return {"version": pauses.version, "teams": teams}


def pauses_of(fields: Mapping[str, Any]) -> Pauses:
    teams = {
        each["team"]: Pause(reason=each["reason"], author=each["author"], at=each["at"])
        for each in fields["teams"]
    }
    return Pauses(version=fields["version"], teams=teams)
