"""Which members of an array failed, run or wait, told by their numbers: those that failed first."""

from __future__ import annotations

from collections.abc import Iterator

from poolqueue.scheduling.arrays import Array, numbers_of, ranges_of
from poolqueue.scheduling.jobs import Outcome
from poolqueue.viewing.text import safe

RANGES_TOLD = 12
MEMBERS_SHOWN = 20

_WORST_FIRST = (
    Outcome.FAILED,
    Outcome.LOST,
    Outcome.EXPIRED,
    Outcome.REJECTED,
    Outcome.CANCELLED,
)


def members_told(array_id: str, array: Array) -> Iterator[tuple[str, str]]:
    """Facts, each under its word."""
    most = "" if array.max_parallel is None else f", at most {array.max_parallel:,} at a time"
    name = safe(array_id, limit=80)
    yield "members", f"{array.size:,}, {name}.0 to {name}.{array.size - 1}{most}"
    for outcome in _WORST_FIRST:
        if members := array.ended.get(outcome, 0):
            yield outcome.value, numbers_told(members)
    if array.active:
        yield "at work", numbers_told(array.active)
    if array.waiting:
        yield "wait", numbers_told(array.waiting)
    if members := array.ended.get(Outcome.SUCCEEDED, 0):
        yield "succeeded", numbers_told(members)


def first_members(array: Array) -> list[int]:
    """The numbers of those to be shown by themselves: that ended badly, then that run, then that succeeded;
    of each the first, and only such as have a job of their own.
    """
    sets = [*(array.ended.get(outcome, 0) for outcome in _WORST_FIRST), array.active]
    sets.append(array.ended.get(Outcome.SUCCEEDED, 0))
    return [n for members in sets for n in numbers_of(members & array.apart)[:MEMBERS_SHOWN]][:MEMBERS_SHOWN]


def numbers_told(members: int) -> str:
    """`7 members: 3, 10-14, 20`."""
    ranges = ranges_of(members)
    told = [f"{first}" if end - first == 1 else f"{first}-{end - 1}" for first, end in ranges[:RANGES_TOLD]]
    more = f" and more after {ranges[RANGES_TOLD - 1][1] - 1}" if len(ranges) > RANGES_TOLD else ""
    count = members.bit_count()
    return f"{count:,} member{'s' if count > 1 else ''}: {', '.join(told)}{more}"
