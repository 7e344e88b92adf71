"""The settings that tie a job to other jobs: a serial key, of whose jobs only so many run at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poolqueue.requests.collecting import Problems
from poolqueue.requests.normalising import whole_number
from poolqueue.scheduling.serial_keys import Serial

TIES = ("serial_key", "serial_limit")
SERIAL_KEY_RULE = "[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,127}"
HIGHEST_SERIAL_LIMIT = 1_000

Given = Mapping[str, tuple[str, Any]]

_SERIAL_KEY = re.compile(SERIAL_KEY_RULE)


@dataclass(frozen=True, kw_only=True)
class Ties:
    """`serial`: the key that it shares with other jobs of its team, and how many may run at a time."""

    serial: Serial | None = None

    def canonical(self) -> dict[str, Any]:
        """What is not left to the default, as JSON values; equal for equal ties in whatever spelling."""
        if self.serial is None:
            return {}
        return {"serial_key": self.serial.key, "serial_limit": self.serial.limit}


def read_ties(given: Given, problems: Problems) -> Ties:
    """The ties among `given`: for each setting the path that it was read from, and its value."""
    return Ties(serial=_serial(given, problems))


def _serial(given: Given, problems: Problems) -> Serial | None:
    key, limit = _serial_key(given, problems), _serial_limit(given, problems)
    return None if key is None else Serial(key=key, limit=limit)


def _serial_key(given: Given, problems: Problems) -> str | None:
    path, key = given.get("serial_key", ("", None))
    if key is None or (isinstance(key, str) and _SERIAL_KEY.fullmatch(key)):
        return key
    remedy = "give 1 to 128 of A-Z, a-z, 0-9 and ._/:@+-, as a string that begins with a letter or digit"
    problems.add(path, key, "is not a serial key", remedy)
    return None


def _serial_limit(given: Given, problems: Problems) -> int:
    path, limit = given.get("serial_limit", ("", None))
    if limit is None:
        return 1
    if "serial_key" not in given:
        problems.add(path, limit, "limits nothing without a serial_key", "give serial_key, or leave it out")
    number = whole_number(limit)
    if number is not None and 1 <= number <= HIGHEST_SERIAL_LIMIT:
        return number
    remedy = f"give a whole number, 1 to {HIGHEST_SERIAL_LIMIT}"
    problems.add(path, limit, "is not a number of jobs that run at a time", remedy)
    return 1
