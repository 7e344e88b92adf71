"""The pace of requests to Vertex AI: how many of one kind may still be sent within a sliding minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Slots taken lately, as `(when, how many)`; `blocked_until` after Vertex AI said "too many requests"."""

    taken: tuple[tuple[datetime, int], ...] = ()
    blocked_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Grant:
    """`slots` granted, the pace afterwards, and when more can be had if fewer were granted than wanted."""

    slots: int
    pace: Pace
    more_at: datetime | None


def take(pace: Pace, wanted: int, *, limit: int, now: datetime) -> Grant:
    """As many of `wanted` slots as keep any 60 s within `limit`."""
    recent = tuple((at, n) for at, n in pace.taken if at > now - WINDOW)
    if pace.blocked_until is not None and pace.blocked_until > now:
        return Grant(slots=0, pace=pace, more_at=pace.blocked_until)
    granted = max(0, min(wanted, limit - sum(n for _, n in recent)))
    after = Pace(taken=(*recent, (now, granted)) if granted else recent)
    more_at = None if granted == wanted else min((at for at, _ in after.taken), default=now) + WINDOW
    return Grant(slots=granted, pace=after, more_at=more_at)


def block(pace: Pace, *, now: datetime) -> Pace:
    """The pace after Vertex AI refused a request as one too many: nothing for one window."""
    return Pace(taken=pace.taken, blocked_until=now + WINDOW)
