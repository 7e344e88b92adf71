"""Points in time as requests carry them: RFC 3339, with a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

YEARS = range(2000, 2200)

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?P<zone>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


class BadTime(ValueError):
    """Not a time that a request may carry; the text says what is wrong."""


def utc_time(given: object) -> datetime:
    """`given` in UTC, to the microsecond. Raises `BadTime`."""
    found = _TIME.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise BadTime("is not a date with a time of day")
    if found.group("zone") is None:
        raise BadTime("has no time zone")
    try:
        at = datetime.fromisoformat(found.group().upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadTime("is not a day or time that there is") from error
    if at.year not in YEARS:
        raise BadTime(f"is not in the years {YEARS.start} to {YEARS.stop - 1}")
    return at
