"""Whether a waiting job leaves its queue for that of another persistent resource that it may use.

A job stands in one queue at a time, so that it holds a planned start at one resource only. It goes where it
can start now; else where it is expected to start clearly earlier, and then stays for a while, so that it does
not go to and fro.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.board import Board, seconds_of, specs, time_of
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.matching import Matched, match_pools
from poolqueue.scheduling.planning import INFINITY
from poolqueue.scheduling.pools import RESERVATIONS_LIMIT, Resource, free
from poolqueue.scheduling.serving import expected_starts
from poolqueue.scheduling.verdicts import Relocate, Wait
from poolqueue.scheduling.waiting import Waiting, is_awake

# After each move in a row a job stays twice as long, before it goes where it can start now, or may earlier.
FIRST_REST = timedelta(seconds=15)
LONGEST_REST = timedelta(minutes=5)
FIRST_STAY = timedelta(minutes=5)
LONGEST_STAY = timedelta(hours=1)

# What "clearly earlier" is: by so many seconds, and by this part of the expected wait.
MARGIN_SECONDS = 300.0
MARGIN_PART = 0.2

# While a job waits for these, its own resource is as good as any, or will be soon.
_EVERYWHERE = {Reason.PACED, Reason.SERIAL_KEY_TAKEN, Reason.ARRAY_AT_MAXIMUM}
_SOON = {*_EVERYWHERE, Reason.CAPACITY_REFUSED, Reason.QUOTA, Reason.TOO_MANY_RESERVATIONS}
_IN_TURN = {Reason.NEEDS_REPLICAS, Reason.BEHIND_PLANNED_START}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A waiting job with the keys of the other resources that it may use now, in the asked order."""

    line: Waiting
    goals: tuple[str, ...]


# --- where it may go, and when ---------------------------------------------------------------------------


def opens(alternative: Alternative, line: Waiting) -> datetime:
    """From when on the job may use it."""
    return line.arrived + timedelta(seconds=alternative.after)


def open_alternatives(line: Waiting, here: str, now: datetime) -> list[Alternative]:
    """Those that it may use now, in the asked order, but for where it waits."""
    return [each for each in line.alternatives if each.resource != here and opens(each, line) <= now]


def next_opening(lines: Iterable[Waiting], here: str, now: datetime) -> datetime | None:
    """When the next of them may use one more resource."""
    times = (opens(each, line) for line in lines for each in line.alternatives if each.resource != here)
    return min((at for at in times if at > now), default=None)


def alternatives_elsewhere(home: str, alternatives: tuple[Alternative, ...]) -> tuple[Alternative, ...]:
    """Those of a job that leaves its home, to which it may come back: the home comes first in its order."""
    known = any(each.resource == home for each in alternatives)
    is_any = any(each.resource is None and each.after == 0 for each in alternatives)
    return alternatives if known or is_any else (Alternative(resource=home), *alternatives)


def is_rested(line: Waiting, now: datetime) -> bool:
    """Has it been here for long enough to go where it can start now?"""
    return _has_stayed(line, FIRST_REST, LONGEST_REST, now)


def _has_stayed(line: Waiting, first: timedelta, longest: timedelta, now: datetime) -> bool:
    if line.moved_at is None:
        return True
    return now >= line.moved_at + min(longest, first * (1 << min(line.moves - 1, 10)))


def can_run_nowhere(line: Waiting, resources: Iterable[Resource | None], now: datetime) -> bool:
    """Is it certain that none of these has pools for it? None: one of which nothing is known."""
    return all(
        each is not None
        and each.is_ready
        and each.is_fresh(now)
        and not isinstance(match_pools(line.demands, specs(each)), Matched)
        for each in resources
    )


def comes_free(before: Resource, after: Resource, now: datetime) -> bool:
    """Is there more that may be used than there was? Nothing may be while a resource is not confirmed."""
    if not (after.is_ready and after.is_fresh(now)):
        return False
    usable = free(before) if before.is_ready and before.is_fresh(now) else {}
    return any(n > max(0, usable.get(key, 0)) for key, n in free(after).items())


def whither(relocate: Relocate, *, here: str, there: str) -> str:
    """What a job's history says of its move between resources of these names."""
    way = f"from {here} to {there}"
    if relocate.start is None:
        return f"{way}, where it can start now"
    told = f"{way}, where it is expected to start at {relocate.start:%Y-%m-%d %H:%M:%S}Z"
    return told if relocate.instead is None else f"{told} instead of {relocate.instead:%Y-%m-%d %H:%M:%S}Z"


# --- the choice ------------------------------------------------------------------------------------------


def relocations(
    here: Board,
    decision: Decision,
    candidates: Sequence[Candidate],
    there: Mapping[str, Board],
    *,
    now: datetime,
    compare: bool = True,
) -> list[Relocate]:
    """Who goes where. `decision` is that of `here`, where all of `candidates` wait; `there` are the boards
    of their goals by key, which are used up; a goal without a board is none. Without `compare` they go only
    where they can start now.
    """
    waits = {each.line.key: decision.wait_of(each.line) for each in candidates}
    moving = [each for each in candidates if _may_leave(waits[each.line.key], now)]
    starting = _starting(moving, there, now)
    if not compare:
        return starting
    gone = {each.waiting.key for each in starting}
    staying = [each for each in moving if each.line.key not in gone and _may_wait_elsewhere(each.line, now)]
    return [*starting, *_earlier(here, waits, staying, there, now)]


def _may_leave(wait: Wait, now: datetime) -> bool:
    line = wait.waiting
    return wait.reason not in _EVERYWHERE and is_awake(line, now) and is_rested(line, now)


def _may_wait_elsewhere(line: Waiting, now: datetime) -> bool:
    return _has_stayed(line, FIRST_STAY, LONGEST_STAY, now)


def _starting(candidates: Sequence[Candidate], there: Mapping[str, Board], now: datetime) -> list[Relocate]:
    """Whoever can start at one of its goals now: at the first such in its order."""
    found: list[Relocate] = []
    left = list(candidates)
    for rank in range(max((len(each.goals) for each in candidates), default=0)):
        for key in sorted({each.goals[rank] for each in left if rank < len(each.goals)} & there.keys()):
            asking = [each.line for each in left if rank < len(each.goals) and each.goals[rank] == key]
            admitted = _admitted(there[key], asking, now)
            found += [Relocate(waiting=line, to=key) for line in asking if line.key in admitted]
            left = [each for each in left if each.line.key not in admitted]
    return found


def _admitted(board: Board, lines: Sequence[Waiting], now: datetime) -> set[str]:
    """Which of them would start if they waited there; these stay on the board."""
    for line in lines:
        board.add(line)
    admitted = {each.waiting.key for each in decide(board, now=now, slots=RESERVATIONS_LIMIT).admits}
    for line in lines:
        if line.key not in admitted:
            board.remove(line)
    return admitted


def _earlier(
    here: Board,
    waits: Mapping[str, Wait],
    candidates: Sequence[Candidate],
    there: Mapping[str, Board],
    now: datetime,
) -> list[Relocate]:
    """Whoever is expected to start clearly earlier at one of its goals, even if all who may go there did."""
    starts = _starts_here(here, waits, candidates, now)
    goals = {key for each in candidates if each.line.key in starts for key in each.goals}
    offers = {key: _offers(there[key], key, candidates, now) for key in sorted(goals & there.keys())}
    found = []
    for each in candidates:
        instead = starts.get(each.line.key)
        start, to = min(
            ((offers[goal].get(each.line.key, INFINITY), goal) for goal in each.goals if goal in offers),
            key=lambda offer: offer[0],
            default=(INFINITY, ""),
        )
        if instead is not None and _is_clearly_earlier(start, instead, now):
            later = None if instead == INFINITY else time_of(instead)
            found.append(Relocate(waiting=each.line, to=to, start=time_of(start), instead=later))
    return found


def _starts_here(
    here: Board, waits: Mapping[str, Wait], candidates: Sequence[Candidate], now: datetime
) -> dict[str, float]:
    """When they are expected to start where they are, infinity for not at all; who is to stay is left out."""
    if here.resource.is_ready and not here.resource.is_fresh(now):
        return {}
    keys = [each.line.key for each in candidates if waits[each.line.key].reason not in _SOON]
    served = {key for key in keys if waits[key].reason in _IN_TURN}
    starts = expected_starts(here, served, now=now) if served else {}
    return {key: starts.get(key, INFINITY) for key in keys}


def _offers(board: Board, key: str, candidates: Sequence[Candidate], now: datetime) -> Mapping[str, float]:
    """When those who may go there are expected to start there."""
    lines = [each.line for each in candidates if key in each.goals]
    for line in lines:
        board.add(line)
    decision = decide(board, now=now, slots=RESERVATIONS_LIMIT)
    waiting = [line for line in lines if _waits_in_turn(decision, line)]
    return expected_starts(board, {line.key for line in waiting}, now=now) if waiting else {}


def _waits_in_turn(decision: Decision, line: Waiting) -> bool:
    leaving: Collection[str] = {each.key for each in decision.leaving()}
    return line.key not in leaving and decision.wait_of(line).reason in _IN_TURN


def _is_clearly_earlier(start: float, instead: float, now: datetime) -> bool:
    if INFINITY in {start, instead}:
        return start < instead
    return instead - start > max(MARGIN_SECONDS, MARGIN_PART * (instead - seconds_of(now)))
