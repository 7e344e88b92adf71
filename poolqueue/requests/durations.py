"""Durations: of a custom job, as protobuf's JSON writes them, and of the queue's own settings."""

from __future__ import annotations

import math
import re

LONGEST_SECONDS = 10 * 365 * 86_400
LONGEST_SPAN_SECONDS = 366 * 86_400

SPAN_RULE = r"[0-9]{1,9}(\.[0-9]{1,9})?[smhd]?"

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd])?")
_DURATION = re.compile(r"(-?)([0-9]{1,18})(?:\.([0-9]{1,9}))?s")


class BadDuration(ValueError):
    """Not a duration that a request may carry; the text says what is wrong."""


# --- of a custom job: decimal seconds and an `s`, such as "3600s" or "1.5s"


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


# --- spans, as settings write them: 90s, 30m, 24h, 7d or a number of seconds


def span_seconds(given: object) -> int:
    """Whole seconds, a started one counted as a whole one. Raises `BadDuration`."""
    seconds = _seconds(given)
    if seconds is None:
        raise BadDuration("is not a duration")
    if seconds < 0:
        raise BadDuration("is negative")
    if seconds > LONGEST_SPAN_SECONDS:
        raise BadDuration(f"is longer than {LONGEST_SPAN_SECONDS // 86_400}d")
    return math.ceil(seconds)


def _seconds(given: object) -> float | None:
    match given:
        case bool():
            return None
        case int() | float():
            return given
        case str():
            found = _SPAN.fullmatch(given)
            return float(found.group(1)) * _UNIT_SECONDS[found.group(2) or "s"] if found else None
        case _:
            return None
