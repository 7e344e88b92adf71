"""What would become of a job if it were asked for now, and of the others: the policy run forward twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.arrays import array_key
from poolqueue.scheduling.board import Board, time_of
from poolqueue.scheduling.forward import Course, Left, expected_left, run_forward
from poolqueue.scheduling.serving import expected_starts
from poolqueue.scheduling.verdicts import Admit, Verdict
from poolqueue.scheduling.virtual_time import ALL_SLOTS
from poolqueue.scheduling.waiting import Waiting

NOTICED = timedelta(seconds=1)
GROUPS_LOOKED_AT = 150_000  # a decision costs as much as there are groups
FEWEST_DECISIONS, MOST_DECISIONS = 40, 1_000


@dataclass(frozen=True, kw_only=True)
class Delayed:
    """A job that would start later by so much, or `at_least` so much; None where it would never start."""

    key: str
    by: timedelta | None
    at_least: bool = False


@dataclass(frozen=True, kw_only=True)
class Members:
    """Of an array of `count` jobs: how many the next decision starts, and what it says of the first that it
    does not; when the last one starts, None where that was not seen.
    """

    count: int
    start_now: int
    rest: Verdict | None
    last: datetime | None


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """What the next decision says of the job; when it `starts` as far as is expected, None where that was not
    seen: not by `until`, or never unless something changes (`is_over`). Then `roughly` tells when it would if
    all were served strictly in turn. `delayed`: the most first. Of an array all this is about the first of
    its `members` to start.
    """

    verdict: Verdict
    starts: datetime | None
    until: datetime
    is_over: bool
    roughly: datetime | None = None
    delayed: tuple[Delayed, ...] = ()
    members: Members | None = None


def what_if(
    board: Board,
    line: Waiting,
    *,
    now: datetime,
    slots: int = ALL_SLOTS,
    left: Left | None = None,
    base: Course | None = None,
) -> WhatIf:
    """`board` stays as it is. `base`: its own `course`, which several jobs are compared with."""
    ends = expected_left(board) if left is None else left
    before = base or course(board, now=now, slots=slots, left=ends)
    after = board.copy(now=now)
    after.add(line)
    verdicts = decide(after, now=now, slots=slots).verdicts()
    own = [each for each in verdicts if line.key in {each.waiting.key, each.waiting.of}]
    in_turn = expected_starts(after, {line.key}, now=now).get(line.key)
    then = run_forward(after, now=now, left=ends, slots=slots, limit=_limit(after))
    return WhatIf(
        verdict=own[0],
        starts=then.starts.get(line.key),
        until=then.until,
        is_over=then.is_over,
        roughly=None if in_turn is None else time_of(in_turn),
        delayed=_delayed(before, then),
        members=_members(line, own, then) if line.members else None,
    )


def _members(line: Waiting, own: Sequence[Verdict], then: Course) -> Members:
    starts = [then.starts.get(line.nth(n).key) for n in range(line.count)]
    seen = [each for each in starts if each is not None]
    return Members(
        count=line.count,
        start_now=sum(isinstance(each, Admit) for each in own),
        rest=next((each for each in own if not isinstance(each, Admit)), None),
        last=max(seen) if len(seen) == line.count else None,
    )


def course(board: Board, *, now: datetime, slots: int = ALL_SLOTS, left: Left | None = None) -> Course:
    """How it goes as it is; `board` stays so."""
    ends = expected_left(board) if left is None else left
    return run_forward(board.copy(now=now), now=now, left=ends, slots=slots, limit=_limit(board))


def _limit(board: Board) -> int:
    affordable = GROUPS_LOOKED_AT // max(1, len(board.groups))
    return max(FEWEST_DECISIONS, min(MOST_DECISIONS, affordable))


def _delayed(before: Course, then: Course) -> tuple[Delayed, ...]:
    """Of those that were seen to start before, as far as `then` was looked at; of an array, the member that
    is delayed the most.
    """
    found: dict[str, Delayed] = {}
    delayed = (_delay_of(key, at, then) for key, at in before.starts.items())
    for each in sorted(filter(None, delayed), key=_most_first):
        key = array_key(each.key) or each.key
        found.setdefault(key, replace(each, key=key))
    return tuple(found.values())


def _delay_of(key: str, at: datetime, then: Course) -> Delayed | None:
    start = then.starts.get(key)
    if start is not None:
        return Delayed(key=key, by=start - at) if start - at >= NOTICED else None
    if key in then.gone or then.is_over:
        return Delayed(key=key, by=None)
    if then.until - at >= NOTICED:
        return Delayed(key=key, by=then.until - at, at_least=True)
    return None


def _most_first(each: Delayed) -> tuple[timedelta, str]:
    return (timedelta.min if each.by is None else -each.by, each.key)
