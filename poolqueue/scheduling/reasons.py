"""Why a job waits, with numbers and names, what could let it start, and the smallest remedies.

All of it comes from the deciding code, asked about the board as it is and as it might be; nothing is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.cases import Case
from poolqueue.scheduling.happenings import Happening, happenings
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import PoolKey
from poolqueue.scheduling.remedies import Remedy
from poolqueue.scheduling.smallest import HIGHEST_PRIORITY, NoneFound, smallest_remedies
from poolqueue.scheduling.turns import in_turn
from poolqueue.scheduling.verdicts import Admit, Block, Verdict, Wait
from poolqueue.scheduling.waiting import Waiting

NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Named:
    """A job by its key, and how many replicas it has or asks for."""

    key: str
    replicas: int


@dataclass(frozen=True, kw_only=True)
class Jobs:
    """So many jobs, of which the first few are named; `replicas` are those of all of them."""

    first: tuple[Named, ...] = ()
    count: int = 0
    replicas: int = 0


@dataclass(frozen=True, kw_only=True)
class PoolNumbers:
    """What a job needs of a pool, and what there is. `free` may be negative. At its turn it lacked
    `short_by`, jobs that start now having taken `taken_first` of what is free. `holders` have reservations.
    """

    pool: PoolKey
    needs: int
    capacity: int
    free: int
    taken_first: int
    short_by: int
    holders: Jobs
    foreign: int
    surplus: int


@dataclass(frozen=True, kw_only=True)
class Place:
    """A job's position in turn, from 1 on, `of` how many; `ahead` are those before it that want one of its
    pools too.
    """

    position: int
    of: int
    ahead: Jobs


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What the next decision says of a job. Remedies are the smallest of each kind that lets it start at
    once, the cheapest first; `none_found` are kinds that were tried in vain.
    """

    verdict: Verdict
    place: Place
    pools: tuple[PoolNumbers, ...] = ()
    happenings: tuple[Happening, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    none_found: tuple[NoneFound, ...] = ()

    @property
    def block(self) -> Block | None:
        return self.verdict.block if isinstance(self.verdict, Wait) else None

    @property
    def reason(self) -> Reason | None:
        """None if it starts now."""
        return None if isinstance(self.verdict, Admit) else self.verdict.reason


class Explainer:
    """Explains the jobs of one board, which must not change meanwhile; one decision serves them all."""

    def __init__(self, board: Board, *, now: datetime, slots: int) -> None:
        self._board = board
        self._now = now
        self._slots = slots
        self._decision = decide(board, now=now, slots=slots)
        self._in_turn = in_turn(board, now=now)
        self.verdicts = [*self._decision.verdicts(self._in_turn)]
        self._positions = _positions(self._in_turn)

    def explain(self, line: Waiting, *, highest_priority: int = HIGHEST_PRIORITY) -> Explanation:
        """`highest_priority`: the highest that the job's team may give it. Raises `KeyError` for a job that
        does not wait.
        """
        verdict = self.verdicts[self._positions[line.key]]
        if line.members and isinstance(verdict, Wait):
            verdict = self._decision.wait_of(line)
        case = self._case(verdict.waiting)
        place = self._place(case)
        if not isinstance(verdict, Wait):
            return Explanation(verdict=verdict, place=place, pools=tuple(_numbers(case, None)))
        remedies, none_found = smallest_remedies(case, highest_priority=highest_priority)
        return Explanation(
            verdict=verdict,
            place=place,
            pools=tuple(_numbers(case, verdict.block)),
            happenings=happenings(case, verdict.block),
            remedies=tuple(remedies),
            none_found=tuple(none_found),
        )

    def _case(self, line: Waiting) -> Case:
        return Case(board=self._board, line=line, now=self._now, slots=self._slots, known=self._decision)

    def _place(self, case: Case) -> Place:
        at, wanted = self._positions[case.line.key], case.wanted
        shared = [(line, self._shared(line, wanted)) for line in self._in_turn[:at]]
        ahead = _jobs_together([(line.of or line.key, n * line.count) for line, n in shared if n])
        of = sum(line.count for line in self._in_turn)
        return Place(position=at + 1, of=of, ahead=replace(ahead, count=sum(n > 0 for _, n in shared)))

    def _shared(self, line: Waiting, wanted: Collection[PoolKey]) -> int:
        """How many replicas of the wanted pools that job asks for."""
        return sum(n for key, n in self._board.group_of(line).wanted if key in wanted)


def explain(
    board: Board, line: Waiting, *, now: datetime, slots: int, highest_priority: int = HIGHEST_PRIORITY
) -> Explanation:
    """Why `line`, one of the board's, waits or what else is decided of it."""
    return Explainer(board, now=now, slots=slots).explain(line, highest_priority=highest_priority)


def _numbers(case: Case, block: Block | None) -> Iterable[PoolNumbers]:
    resource = case.board.resource
    for key, needs in case.wanted.items():
        free = case.board.free[key]
        short = 0 if block is None else block.short_by.get(key, 0)
        yield PoolNumbers(
            pool=key,
            needs=needs,
            capacity=case.board.capacity[key],
            free=free,
            taken_first=0 if block is None else _taken_first(block, key, needs, free),
            short_by=short,
            holders=_holders(case, key),
            foreign=resource.foreign.get(key, 0),
            surplus=resource.surplus.get(key, 0),
        )


def _taken_first(block: Block, pool: PoolKey, needs: int, free: int) -> int:
    if block.reason not in {Reason.NEEDS_REPLICAS, Reason.REPLICAS_GUARANTEED} or pool not in block.short_by:
        return 0
    return free - (needs - block.short_by[pool] + block.kept)


def _holders(case: Case, pool: PoolKey) -> Jobs:
    """The largest first, then the oldest."""
    found = [each for each in case.board.resource.reservations.values() if pool in each.replicas]
    found.sort(key=lambda each: (-each.replicas[pool], each.reserved_at, each.token))
    return _jobs([(each.key, each.replicas[pool]) for each in found])


def _positions(lines: Sequence[Waiting]) -> dict[str, int]:
    """Of an array that of its first member."""
    positions: dict[str, int] = {}
    for at, line in enumerate(lines):
        positions[line.key] = at
        if line.of is not None:
            positions.setdefault(line.of, at)
    return positions


def _jobs_together(found: Sequence[tuple[str, int]]) -> Jobs:
    """With the members of an array as one."""
    by_key: dict[str, int] = {}
    for key, replicas in found:
        by_key[key] = by_key.get(key, 0) + replicas
    return _jobs([*by_key.items()])


def _jobs(found: Sequence[tuple[str, int]]) -> Jobs:
    first = tuple(Named(key=key, replicas=n) for key, n in found[:NAMED])
    return Jobs(first=first, count=len(found), replicas=sum(n for _, n in found))
