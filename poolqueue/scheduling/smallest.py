"""Finds the smallest remedy of each kind that lets a job start in the very next decision.

Every candidate is put to the real decision, from the smallest on: deciding is not monotone (one more replica
may start a larger job first), so that nothing is concluded from one candidate about another. Candidates that
cannot work, because the job's own replicas are not there even if nobody else starts, are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import combinations, islice

from poolqueue.scheduling.cases import Case
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.policies import Ordering
from poolqueue.scheduling.pools import WHOLE_RESOURCE, PoolKey
from poolqueue.scheduling.remedies import (
    FewerReplicas,
    GrowPools,
    HigherSerialLimit,
    LendReplicas,
    RaiseMaximum,
    RaisePriority,
    Remedy,
    Resume,
    ShorterTimeout,
    Unpause,
    UsePool,
    WaitUntil,
)
from poolqueue.scheduling.sharing import most_of

HIGHEST_PRIORITY = 100
# Candidates put to a decision, which costs the more the more groups there are: of one kind, and of all.
MOST_TRIES = 48
FEWEST_DECISIONS, MOST_DECISIONS = 6, 300
GROUPS_LOOKED_AT = 24_000
SHORTEST_TIMEOUT = 60


class Kind(StrEnum):
    """Kinds of remedies, the cheapest first: what costs nothing, then others their turn, the asker something,
    others their rights, and money.
    """

    WAIT = "wait"
    RESUME = "resume"
    UNPAUSE = "unpause"
    PRIORITY = "priority"
    SHORTER_TIMEOUT = "shorter_timeout"
    FEWER_REPLICAS = "fewer_replicas"
    OTHER_POOL = "other_pool"
    SERIAL_LIMIT = "serial_limit"
    LEND = "lend"
    MAXIMUM = "maximum"
    GROW = "grow"


class Hurdle(StrEnum):
    """What keeps a job back whatever the others do: no remedy works that leaves one of these."""

    RESOURCE = "resource"
    TIME = "time"
    DRAIN = "drain"
    KEY = "key"
    PAUSE = "pause"
    MAXIMUM = "maximum"
    ARRAY = "array"
    REPLICAS = "replicas"


@dataclass(frozen=True, kw_only=True)
class NoneFound:
    """No remedy of this kind is enough alone; `tried` were the candidates, `is_all` tells that no larger
    one is left.
    """

    kind: Kind
    tried: int
    is_all: bool


class _Trial:
    """Puts remedies to the decision; `left`: how many more may be."""

    def __init__(self, case: Case) -> None:
        self.case = case
        affordable = GROUPS_LOOKED_AT // max(1, len(case.board.groups))
        self.left = max(FEWEST_DECISIONS, min(MOST_DECISIONS, affordable))

    def works(self, remedy: Remedy) -> bool:
        self.left -= 1
        return remedy.apply(self.case).starts


Finder = Callable[[_Trial], Remedy | NoneFound]


def smallest_remedies(
    case: Case, *, highest_priority: int = HIGHEST_PRIORITY
) -> tuple[list[Remedy], list[NoneFound]]:
    """For a job that waits: the smallest of each kind that works alone, the cheapest first; and the kinds
    that were tried in vain.
    """
    if not case.wanted:
        return [], []
    trial, hurdles = _Trial(case), hurdles_of(case)
    found: list[Remedy] = []
    missing: list[NoneFound] = []
    for overcome, find in _finders(highest_priority):
        if hurdles <= overcome:
            outcome = find(trial)
            if isinstance(outcome, NoneFound):
                missing += [outcome] if outcome.tried else []
            else:
                found.append(outcome)
    return found, missing


def hurdles_of(case: Case) -> set[Hurdle]:
    resource, free = case.board.resource, case.board.free
    obstacle = case.decision.obstacle
    drained = any(pool in resource.drained for pool in _drainable(case))
    hurdles = {
        Hurdle.RESOURCE: obstacle is not None and obstacle.reason is not Reason.DRAINED,
        Hurdle.DRAIN: drained,
        Hurdle.PAUSE: case.line.team in resource.pauses.teams,
        Hurdle.TIME: _wakes(case) is not None,
        Hurdle.KEY: _key_is_taken(case),
        Hurdle.MAXIMUM: case.board.quotas().exceeded(case.line.team, [*case.wanted.items()]) is not None,
        Hurdle.ARRAY: case.board.is_at_maximum(case.line),
        Hurdle.REPLICAS: any(n > free[key] for key, n in case.wanted.items()),
    }
    return {hurdle for hurdle, is_there in hurdles.items() if is_there}


def _finders(highest: int) -> Iterable[tuple[set[Hurdle], Finder]]:
    """What each kind can overcome, and how its smallest is found."""
    yield {Hurdle.TIME}, _first(Kind.WAIT, _waits)
    yield {Hurdle.DRAIN}, _first(Kind.RESUME, _resumes)
    yield {Hurdle.PAUSE}, _first(Kind.UNPAUSE, _unpauses)
    yield set(), _first(Kind.PRIORITY, partial(_priorities, highest=highest))
    yield set(), _longest_timeout
    asked = {Hurdle.MAXIMUM, Hurdle.REPLICAS}
    yield asked, _first(Kind.FEWER_REPLICAS, _fewer)
    yield asked | {Hurdle.DRAIN}, _first(Kind.OTHER_POOL, _other_pools)
    yield {Hurdle.KEY}, _first(Kind.SERIAL_LIMIT, _limits)
    yield set(), _first(Kind.LEND, _lenders)
    yield {Hurdle.MAXIMUM}, _first(Kind.MAXIMUM, _maxima)
    yield {Hurdle.REPLICAS}, _first(Kind.GROW, _growths)


def _first(kind: Kind, candidates: Callable[[Case], Iterator[Remedy]]) -> Finder:
    def find(trial: _Trial) -> Remedy | NoneFound:
        tried, found = 0, candidates(trial.case)
        for remedy in islice(found, min(MOST_TRIES, max(0, trial.left))):
            tried += 1
            if trial.works(remedy):
                return remedy
        return NoneFound(kind=kind, tried=tried, is_all=next(found, None) is None)

    return find


# --- candidates ------------------------------------------------------------------------------------------


def _waits(case: Case) -> Iterator[Remedy]:
    if wakes := _wakes(case):
        yield WaitUntil(at=wakes)


def _wakes(case: Case) -> datetime | None:
    """When neither its own time nor a pool's keeps it back any more."""
    backoffs = case.board.resource.backoffs
    times = [backoffs[key].until for key in case.wanted if key in backoffs]
    times += [case.line.not_before] if case.line.not_before is not None else []
    return max((at for at in times if at > case.now), default=None)


def _resumes(case: Case) -> Iterator[Remedy]:
    """Each drained part keeps it back alone, so only all of them together can help."""
    if drained := tuple(pool for pool in _drainable(case) if pool in case.board.resource.drained):
        yield Resume(pools=drained)


def _unpauses(case: Case) -> Iterator[Remedy]:
    if case.line.team in case.board.resource.pauses.teams:
        yield Unpause(team=case.line.team)


def _drainable(case: Case) -> list[str]:
    ids = [id_ for pool in case.board.resource.pools if pool.key in case.wanted for id_ in pool.ids]
    return [WHOLE_RESOURCE, *ids]


def _priorities(case: Case, highest: int) -> Iterator[Remedy]:
    """Only the order of priorities matters: so those of the others, and just above them."""
    others = {line.priority for line in case.board.lines()}
    steps = sorted({to for other in others for to in (other, other + 1)})
    return (RaisePriority(to=to) for to in steps if case.line.priority < to <= highest)


def _fewer(case: Case) -> Iterator[Remedy]:
    wanted = case.wanted
    specs = {key: sum(each.key == key for each in case.assignments) for key in wanted}
    least = [max(0, n - case.board.free[key]) for key, n in wanted.items()]
    most = [n - specs[key] for key, n in wanted.items()]
    for cuts in by_size(least, most):
        yield FewerReplicas(
            to={key: n - cut for (key, n), cut in zip(wanted.items(), cuts, strict=True) if cut}
        )


def _longest_timeout(trial: _Trial) -> Remedy | NoneFound:
    """By halving, for turns do not depend on it: under `expected` they would, and under `fifo` nobody may go
    ahead.
    """
    works, fails = SHORTEST_TIMEOUT, trial.case.line.traits.timeout
    is_sound = trial.case.board.policy.ordering is Ordering.PRIORITY and works < fails < 2**trial.left
    if not is_sound or not trial.works(ShorterTimeout(to=works)):
        return NoneFound(kind=Kind.SHORTER_TIMEOUT, tried=int(is_sound), is_all=is_sound)
    while fails - works > 1:
        middle = (works + fails) // 2
        if trial.works(ShorterTimeout(to=middle)):
            works = middle
        else:
            fails = middle
    return ShorterTimeout(to=works)


def _key_is_taken(case: Case) -> bool:
    return bool(case.key_holders) and not _is_open(case)


def _is_open(case: Case) -> bool:
    assert case.line.serial is not None
    limits = [each.limit for each in case.key_holders]
    return len(limits) < min([case.line.serial.limit, *limits])


def _limits(case: Case) -> Iterator[Remedy]:
    """Only one that lets it join all that run, who must allow for that, too."""
    limits = [each.limit for each in case.key_holders]
    if case.line.serial is not None and len(limits) < min(limits, default=0):
        yield HigherSerialLimit(to=len(limits) + 1)


def _other_pools(case: Case) -> Iterator[Remedy]:
    for instead_of in case.wanted:
        for pool in case.board.resource.pools:
            if pool.key not in case.wanted:
                yield UsePool(pool=pool.key, instead_of=instead_of)


def _lenders(case: Case) -> Iterator[Remedy]:
    teams = [
        team
        for team, pools in case.board.policy.quotas.items()
        if team != case.line.team and any(not quota.lends and quota.guaranteed for quota in pools.values())
    ]
    for size in range(1, len(teams) + 1):
        yield from (LendReplicas(teams=chosen) for chosen in combinations(sorted(teams), size))


def _maxima(case: Case) -> Iterator[Remedy]:
    quotas, team, wanted = case.board.quotas(), case.line.team, case.wanted
    bounded = [key for key in wanted if most_of(quotas.of(team, key)) is not None]
    over = [
        max(0, quotas.held[team, key] + wanted[key] - (most_of(quotas.of(team, key)) or 0)) for key in bounded
    ]
    return (RaiseMaximum(by=by) for by in _vectors(bounded, over))


def _growths(case: Case) -> Iterator[Remedy]:
    wanted = case.wanted
    short = [max(0, n - case.board.free[key]) for key, n in wanted.items()]
    return (GrowPools(by=by) for by in _vectors([*wanted], short))


def _vectors(keys: Sequence[PoolKey], least: Sequence[int]) -> Iterator[Mapping[PoolKey, int]]:
    """Numbers per key that are never less than `least`, the smallest sum first, without end."""
    if not keys:
        return
    for numbers in by_size(least, None):
        yield {key: n for key, n in zip(keys, numbers, strict=True) if n}


def by_size(least: Sequence[int], most: Sequence[int] | None) -> Iterator[tuple[int, ...]]:
    """All vectors between the two whose sum is more than 0, the smallest sum first; without end if `most` is
    None.
    """
    size = max(1, sum(least))
    while most is None or size <= sum(most):
        yield from _of_sum(size, tuple(least), None if most is None else tuple(most))
        size += 1


def _of_sum(size: int, least: tuple[int, ...], most: tuple[int, ...] | None) -> Iterator[tuple[int, ...]]:
    if not least:
        if size == 0:
            yield ()
        return
    rest = least[1:]
    highest = size - sum(rest) if most is None else min(most[0], size - sum(rest))
    for n in range(least[0], highest + 1):
        for others in _of_sum(size - n, rest, None if most is None else most[1:]):
            yield (n, *others)
