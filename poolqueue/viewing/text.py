"""Makes other people's text safe to show: it cannot move the cursor, hide itself or go on for ever."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta

CUT = "…"
FEW = 100


def safe(value: object, *, limit: int = 200) -> str:
    r"""`value` as one line of at most `limit` characters, of which each one can be seen.

    Control characters, line breaks, and what turns or hides text (bidirectional marks, zero-width ones) come
    out as escapes such as `\x1b`. The result is no markup: give it to `rich.text.Text`.
    """
    text = str(value)
    shown = "".join(
        character if character.isprintable() else _escaped(character) for character in text[:limit]
    )
    if len(shown) > limit or len(text) > limit:
        return shown[: limit - 1] + CUT
    return shown


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def short_time(span: timedelta | None) -> str:
    """`45s`, `3m20s`, `2h05m`, `3d04h`; nothing for None."""
    if span is None:
        return ""
    seconds = max(0, int(span.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if not minutes:
        return f"{seconds}s"
    if not hours:
        return f"{minutes}m{seconds % 60:02}s"
    if not days:
        return f"{hours}h{minutes % 60:02}m"
    return f"{days}d{hours % 24:02}h"


def span_of_time(early: timedelta, late: timedelta) -> str:
    """`5-12m`, `50m-3h`, `2-4d`, `20s`: the first rounded down, the second up."""
    first = _coarse(early.total_seconds(), math.floor)
    last = _coarse(late.total_seconds(), math.ceil)
    if first == last:
        return last
    return f"{first[:-1]}-{last}" if first[-1] == last[-1] else f"{first}-{last}"


def _coarse(seconds: float, whole: Callable[[float], int]) -> str:
    """In the first unit of which there are few enough."""
    for size, unit in ((1, "s"), (60, "m"), (3600, "h")):
        if (n := whole(seconds / size)) < FEW:
            return f"{n}{unit}"
    return f"{whole(seconds / 86_400)}d"


def clock_time(at: datetime, now: datetime) -> str:
    """A time of today as `18:05:10 UTC`, any other with its date."""
    form = "%H:%M:%S UTC" if at.date() == now.date() else "%Y-%m-%d %H:%M UTC"
    return at.strftime(form)
