"""The promise of every remedy: applied, it starts the job at once, and nothing smaller of its kind does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from typing import assert_never

from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.cases import Case
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.policies import Ordering, Preemption, Quota
from poolqueue.scheduling.pools import WHOLE_RESOURCE, Backoff, Drain, PoolKey
from poolqueue.scheduling.reasons import Explainer, Explanation
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
from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.verdicts import Wait
from tests.unit.scheduling.building import (
    CPU,
    GPU,
    NOW,
    at,
    board,
    demand,
    lasting,
    pool,
    reservation,
    resource,
    waiting,
)

TPU = PoolKey('{"machineType":"ct5lp-hightpu-4t"}', GPU.disk)
KEYS = (CPU, GPU, TPU)
TEAMS = ("research", "vision", "speech")
DRAIN = Drain(reason="new driver", author="ops", at=NOW)
DEMANDS = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(1, 5)), min_size=1, max_size=3)
REPLICAS = st.dictionaries(st.sampled_from(KEYS), st.integers(1, 4), min_size=1, max_size=2)
SERIALS = st.sampled_from([None] * 5 + [Serial(key="k", limit=n) for n in (1, 1, 2, 3)])
QUOTA = st.builds(
    Quota,
    guaranteed=st.integers(0, 3),
    maximum=st.none() | st.integers(1, 8),
    lends=st.booleans(),
    borrows=st.booleans(),
)
POLICIES = st.fixed_dictionaries(
    {
        "ordering": st.sampled_from(Ordering),
        "firm_after": st.just(timedelta(seconds=100)),
        "preemption": st.sampled_from(Preemption),
        "quotas": st.dictionaries(
            st.sampled_from(TEAMS),
            st.dictionaries(st.sampled_from(["cpu", "gpu", "*"]), QUOTA, min_size=1, max_size=2),
            max_size=2,
        ),
    }
)


@st.composite
def lines(draw):
    demands = [demand(n, key, index) for index, (key, n) in enumerate(draw(DEMANDS))]
    return waiting(
        f"j{draw(st.integers(0, 10_000))}",
        *demands,
        team=draw(st.sampled_from(TEAMS)),
        age=draw(st.integers(0, 200)),
        priority=draw(st.integers(0, 3)),
        attempt=draw(st.integers(0, 1)),
        not_before=draw(st.none() | st.integers(-9, 9).map(at)),
        expires=draw(st.none() | st.integers(5, 99).map(at)),
        traits=lasting(draw(st.sampled_from([90, 600, 3000]))),
        serial=draw(SERIALS),
    )


@st.composite
def cases(draw):
    """A busy resource and its queue; the job asked about is any of those that wait."""
    held = [
        reservation(
            f"t{n}",
            f"h{n}",
            replicas,
            team=draw(st.sampled_from(TEAMS)),
            traits=lasting(300 * n + 60),
            serial=draw(SERIALS),
        )
        for n, replicas in enumerate(draw(st.lists(REPLICAS, max_size=4)))
    ]
    on = resource(
        *held,
        pools=tuple(
            pool(key, draw(st.integers(3, 10)), ids=(name,))
            for key, name in zip(KEYS, ("cpu", "gpu", "tpu"), strict=True)
        ),
        foreign=draw(st.dictionaries(st.just(CPU), st.integers(1, 3))),
        drained=draw(st.sampled_from([{}] * 5 + [{"gpu": DRAIN}, {"tpu": DRAIN, WHOLE_RESOURCE: DRAIN}])),
        backoffs=draw(
            st.dictionaries(
                st.just(CPU), st.builds(Backoff, until=st.integers(-5, 20).map(at), step=st.just(1))
            )
        ),
    )
    queue = draw(st.lists(lines(), min_size=1, max_size=12, unique_by=lambda line: line.key))
    return board(on, *queue, **draw(POLICIES)), draw(st.integers(0, 4))


def smaller(remedy: Remedy, case: Case) -> Iterator[Remedy]:  # noqa: C901, PLR0912  one case per kind
    """All of its kind that are smaller."""
    match remedy:
        case WaitUntil(at=end):
            yield WaitUntil(at=end - timedelta(microseconds=1))
            yield WaitUntil(at=NOW + (end - NOW) / 2)
        case Resume(pools=pools):
            yield from (Resume(pools=some) for n in range(len(pools)) for some in combinations(pools, n))
        case HigherSerialLimit(to=to):
            yield from (HigherSerialLimit(to=less) for less in range(1, to))
        case Unpause():
            return
        case RaisePriority(to=to):
            yield from (RaisePriority(to=less) for less in range(case.line.priority + 1, to))
        case FewerReplicas(to=to):
            size = sum(case.wanted[key] - n for key, n in to.items())
            for cuts in vectors(len(case.wanted), size - 1):
                cut = dict(zip(case.wanted, cuts, strict=True))
                yield FewerReplicas(to={key: case.wanted[key] - n for key, n in cut.items() if n})
        case GrowPools(by=by):
            for more in vectors(len(case.wanted), sum(by.values()) - 1):
                yield GrowPools(by=dict(zip(case.wanted, more, strict=True)))
        case RaiseMaximum(by=by):
            for more in vectors(len(case.wanted), sum(by.values()) - 1):
                yield RaiseMaximum(by=dict(zip(case.wanted, more, strict=True)))
        case LendReplicas(teams=teams):
            others = [team for team in TEAMS if team != case.line.team]
            yield from (LendReplicas(teams=x) for n in range(len(teams)) for x in combinations(others, n))
        case ShorterTimeout(to=to):
            now = case.line.traits.timeout
            yield from (ShorterTimeout(to=longer) for longer in {to + 1, (to + now) // 2, now - 1})
        case UsePool():
            return
        case unreachable:
            assert_never(unreachable)


def vectors(length: int, most: int) -> Iterator[tuple[int, ...]]:
    """All whose sum is 1 to `most`."""
    if length == 0 or most <= 0:
        return
    if length == 1:
        yield from ((n,) for n in range(1, most + 1))
        return
    for first in range(most + 1):
        if first:
            yield (first, *[0] * (length - 1))
        yield from ((first, *rest) for rest in vectors(length - 1, most - first))


@given(found=cases(), data=st.data())
def test_a_remedy_lets_the_job_start_at_once_and_nothing_smaller_of_its_kind_does(found, data) -> None:
    on, slots = found
    explainer = Explainer(on, now=NOW, slots=slots)
    waits = [verdict.waiting for verdict in explainer.verdicts if isinstance(verdict, Wait)]
    if not waits:
        return
    line = data.draw(st.sampled_from(waits))
    case = Case(board=on, line=line, now=NOW, slots=slots)
    assert not case.starts
    for remedy in explainer.explain(line).remedies:
        assert remedy.apply(case).starts, remedy
        assert not [less for less in smaller(remedy, case) if less.apply(case).starts], remedy


@given(found=cases())
def test_every_job_has_an_explanation_whose_numbers_are_those_of_the_board(found) -> None:
    on, slots = found
    explainer = Explainer(on, now=NOW, slots=slots)
    before = [*on.lines()]
    all_ = [explainer.explain(verdict.waiting) for verdict in explainer.verdicts]

    assert [each.place.position for each in all_] == [*range(1, len(before) + 1)]
    assert [*on.lines()] == before
    for each in all_:
        agrees(each, on)
        if isinstance(each.verdict, Wait):
            assert each.happenings or each.reason is Reason.TOO_MANY_RESERVATIONS


def agrees(explanation: Explanation, on) -> None:
    """Reckoned anew, from the facts alone."""
    demands: Counter = Counter()
    for each in explanation.verdict.waiting.demands:
        demands[PoolKey(each.machine, each.disk)] += each.replicas
    held = [*on.resource.reservations.values()]
    for numbers in explanation.pools:
        key = numbers.pool
        ours = sum(each.replicas.get(key, 0) for each in held)
        capacity = next(pool.capacity for pool in on.resource.pools if pool.key == key)
        assert numbers.needs == demands[key]
        assert numbers.capacity == capacity
        assert numbers.free == capacity - ours - on.resource.foreign.get(key, 0)
        assert numbers.holders.replicas == ours
        assert numbers.holders.count == sum(key in each.replicas for each in held)
        if explanation.reason is Reason.NEEDS_REPLICAS and numbers.short_by:
            assert numbers.taken_first >= 0
            assert numbers.short_by == numbers.needs - (numbers.free - numbers.taken_first)
    if explanation.reason is Reason.TEAM_AT_MAXIMUM:
        over = explanation.block.maximum
        assert explanation.block.short_by == {over.pool: over.used + demands[over.pool] - over.most}
