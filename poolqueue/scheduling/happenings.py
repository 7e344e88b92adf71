"""What could happen next that lets a waiting job start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from poolqueue.scheduling.board import CANCELLED_SECONDS
from poolqueue.scheduling.cases import Case
from poolqueue.scheduling.forward import expected_left
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import PoolKey, Reservation
from poolqueue.scheduling.serial_keys import Taken
from poolqueue.scheduling.verdicts import Block


@dataclass(frozen=True, kw_only=True)
class AttemptEnds:
    """The attempt of the job `key` ends, which is expected `at`, and `others` before it."""

    key: str
    at: datetime
    others: int = 0


@dataclass(frozen=True, kw_only=True)
class JobStarts:
    """The job `key`, which is planned to start `at`: not before it."""

    key: str
    at: datetime | None


@dataclass(frozen=True, kw_only=True)
class TimeComes:
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Resumption:
    """An operator resumes what is drained."""


@dataclass(frozen=True, kw_only=True)
class Unpausing:
    """An administrator unpauses the team."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep sees that the resource is ready, that others use less of it, or that it has other pools."""


@dataclass(frozen=True, kw_only=True)
class SettingsChange:
    """Somebody changes the quotas."""


@dataclass(frozen=True, kw_only=True)
class SlotComesFree:
    """The pace of requests to Vertex AI allows one more, within a minute."""


@dataclass(frozen=True, kw_only=True)
class KeyComesFree:
    """Enough of the jobs that have its serial key end, of which these are the first; nobody says when."""

    holders: tuple[str, ...]


Happening = (
    AttemptEnds
    | JobStarts
    | TimeComes
    | Resumption
    | Unpausing
    | Sweep
    | SettingsChange
    | SlotComesFree
    | KeyComesFree
)


def happenings(case: Case, block: Block) -> tuple[Happening, ...]:  # noqa: C901  one case per reason
    """What could end this block, the likeliest first."""
    match block.reason:
        case Reason.DRAINED:
            return (Resumption(),)
        case Reason.TEAM_PAUSED:
            return (Unpausing(),)
        case Reason.TEAM_AT_MAXIMUM:
            own = _end_giving(case, block.short_by, lambda each: each.team == case.line.team)
            return (*_known(own), SettingsChange())
        case Reason.ARRAY_AT_MAXIMUM:
            return _known(_end_giving(case, {}, lambda each: each.array == case.line.array))
        case Reason.NEEDS_REPLICAS:
            return _known(_end_giving(case, block.short_by, lambda _: True)) or (Sweep(),)
        case Reason.REPLICAS_GUARANTEED:
            others = _end_giving(case, block.short_by, lambda _: True)
            return (*_known(others), SettingsChange())
        case Reason.BEHIND_PLANNED_START if block.ahead is not None:
            return (JobStarts(key=block.ahead, at=block.start),)
        case Reason.PACED:
            return (SlotComesFree(),)
        case Reason.SERIAL_KEY_TAKEN if block.taken is not None and block.until is None:
            return (_end_freeing(case, block.taken),)
        case Reason.TOO_MANY_RESERVATIONS:
            return _known(_end_giving(case, {}, lambda _: True))
        case _ if block.until is not None:
            return (TimeComes(at=block.until),)
        case _:
            return (Sweep(),)


def _known(end: AttemptEnds | None) -> tuple[Happening, ...]:
    return () if end is None else (end,)


def _end_giving(
    case: Case, short_by: Mapping[PoolKey, int], counts: Callable[[Reservation], bool]
) -> AttemptEnds | None:
    """The first end by which so much is expected to have come free; None if all ends are not enough."""
    lacking, others = dict(short_by), 0
    for at, reservation in _ends(case):
        if (lacking and lacking.keys().isdisjoint(reservation.replicas)) or not counts(reservation):
            continue
        lacking = {key: n - reservation.replicas.get(key, 0) for key, n in lacking.items()}
        if all(n <= 0 for n in lacking.values()):
            return AttemptEnds(key=reservation.key, at=at, others=others)
        others += 1
    return None


def _end_freeing(case: Case, taken: Taken) -> Happening:
    """The end by which so few have its serial key as it allows; only here ends are expected."""
    here = [
        (at, each)
        for at, each in _ends(case)
        if each.serial is not None and (each.team, each.serial.key) == (case.line.team, taken.serial.key)
    ]
    needed = taken.count - taken.limit + 1
    if taken.is_elsewhere or needed > len(here):
        return KeyComesFree(holders=taken.names)
    at, last = here[needed - 1]
    return AttemptEnds(key=last.key, at=at, others=needed - 1)


def _ends(case: Case) -> list[tuple[datetime, Reservation]]:
    """What holds replicas, with its expected end, the earliest first."""
    left = expected_left(case.board)

    def end(each: Reservation) -> datetime:
        if each.cancelled_at is not None:
            return case.now + timedelta(seconds=CANCELLED_SECONDS)
        elapsed = max(0.0, (case.now - each.since).total_seconds())
        return case.now + timedelta(seconds=left(each.key, each.traits, elapsed))

    ends = [(end(each), each) for each in case.board.resource.reservations.values()]
    return sorted(ends, key=lambda pair: (pair[0], pair[1].token))
