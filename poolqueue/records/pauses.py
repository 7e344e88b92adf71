"""The document of the teams that are paused: `pauses/current`.

Each resource's document has a copy, which is what decides. This one is for those that never decided yet, and
for sweeps, which compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from poolqueue.records.last_words import read_last_words, write_last_words
from poolqueue.records.names import SCHEMA
from poolqueue.scheduling.last_words import LastWords
from poolqueue.scheduling.pools import Pause, Pauses

PAUSES_PATH = "pauses/current"


def write_pauses(pauses: Pauses, words: LastWords) -> dict[str, Any]:
    """`words` are the last ones on the teams, paused or not, which none but this document has."""
    return {"schema": SCHEMA, **pauses_fields(pauses), "last_words": write_last_words(words)}


def read_pauses(fields: Mapping[str, Any] | None) -> Pauses:
    return Pauses() if fields is None else pauses_of(fields)


def read_words_on_teams(fields: Mapping[str, Any] | None) -> LastWords:
    return {} if fields is None else read_last_words(fields.get("last_words", ()))


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
