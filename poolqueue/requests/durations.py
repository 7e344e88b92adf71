"""Durations as protobuf's JSON writes them: decimal seconds and an `s`, such as "3600s" or "1.5s"."""

from __future__ import annotations

import math
import re

LONGEST_SECONDS = 10 * 365 * 86_400

_DURATION = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,9}))?s")


class BadDuration(ValueError):
    """Not a duration that a request may carry; the text says what is wrong."""


def canonical_duration(given: object) -> str:
    """`given` in its one shortest spelling. Raises `BadDuration`."""
    found = _DURATION.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise BadDuration("is not a duration in seconds")
    sign, whole, fraction = found.group(1), int(found.group(2)), (found.group(3) or "").rstrip("0")
    if sign:
        raise BadDuration("is negative")
    if whole > LONGEST_SECONDS:
        raise BadDuration("is longer than 10 years")
    return f"{whole}.{fraction}s" if fraction else f"{whole}s"


def whole_seconds(canonical: str) -> int:
    """Seconds of a canonical duration, a started second counted as a whole one."""
    return math.ceil(float(canonical.removesuffix("s")))
