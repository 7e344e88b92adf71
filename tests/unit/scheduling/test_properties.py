"""What holds of `decide` and `apply` whatever the queue, the resource and the order of events."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.events import (
    Announced,
    Changed,
    Noted,
    Observed,
    Occupant,
    Released,
    Reserved,
    apply,
)
from poolqueue.scheduling.expectations import TimeoutsOnly
from poolqueue.scheduling.policies import Ordering, Policy
from poolqueue.scheduling.pools import Reservation, Unannounced, free, occupied, reserved
from poolqueue.scheduling.verdicts import Admit, Wait
from tests.unit.scheduling.building import (
    CPU,
    GPU,
    NOW,
    at,
    demand,
    lasting,
    pool,
    reservation,
    resource,
    waiting,
)

KEYS = st.sampled_from([CPU, GPU])
REPLICAS = st.dictionaries(KEYS, st.integers(0, 5), max_size=2)
DEMANDS = st.lists(st.tuples(KEYS, st.integers(1, 5)), min_size=1, max_size=3)


@st.composite
def lines(draw):
    demands = [demand(n, key, index) for index, (key, n) in enumerate(draw(DEMANDS))]
    return waiting(
        f"j{draw(st.integers(0, 10_000))}",
        *demands,
        age=draw(st.integers(0, 200)),
        priority=draw(st.integers(0, 3)),
        is_new=draw(st.booleans()),
        not_before=draw(st.none() | st.integers(-9, 9).map(at)),
        traits=lasting(draw(st.sampled_from([10, 100, 1000]))),
    )


QUEUES = st.lists(lines(), max_size=25, unique_by=lambda line: line.key)
BUSY = st.builds(
    lambda cpu, gpu, ours, foreign, surplus: resource(
        reservation(replicas=ours or {CPU: 1}),
        pools=(pool(CPU, cpu), pool(GPU, gpu)),
        foreign=foreign,
        surplus=surplus,
    ),
    st.integers(0, 12),
    st.integers(0, 12),
    REPLICAS,
    REPLICAS,
    REPLICAS,
)
POLICY = Policy()
POLICIES = st.builds(Policy, ordering=st.sampled_from(Ordering), firm_after=st.just(timedelta(seconds=100)))


def verdicts_of(on, queue, slots=50, policy=POLICY):
    board = Board(on, queue, policy=policy, expectations=TimeoutsOnly(), now=NOW)
    return [*decide(board, now=NOW, slots=slots).verdicts()]


def wanted(line) -> Counter:
    total: Counter = Counter()
    for each in line.demands:
        total[CPU if each.machine == CPU.machine else GPU] += each.replicas
    return total


@given(on=BUSY, queue=QUEUES, slots=st.integers(0, 9), policy=POLICIES)
def test_no_more_is_admitted_than_is_free_and_no_more_often_than_there_are_slots(
    on, queue, slots, policy
) -> None:
    admits = [v for v in verdicts_of(on, queue, slots, policy) if isinstance(v, Admit)]

    left = free(on)
    for admit in admits:
        assert admit.replicas == wanted(admit.waiting)
        left = {key: left[key] - admit.replicas.get(key, 0) for key in left}
    assert all(left[key] >= 0 for admit in admits for key in admit.replicas)
    assert len(admits) <= slots


@given(on=BUSY, queue=QUEUES, chance=st.randoms(use_true_random=False), policy=POLICIES)
def test_the_order_in_which_the_queue_is_read_does_not_matter(on, queue, chance, policy) -> None:
    shuffled = [*queue]
    chance.shuffle(shuffled)

    assert verdicts_of(on, queue, policy=policy) == verdicts_of(on, shuffled, policy=policy)


@given(on=BUSY, queue=QUEUES)
def test_deciding_again_after_the_admissions_admits_nobody_else(on, queue) -> None:
    first = verdicts_of(on, queue)
    admits = [v for v in first if isinstance(v, Admit)]
    later = apply(
        on,
        Reserved(
            reservations=tuple(
                reservation(f"new{number}", replicas=admit.replicas, traits=admit.waiting.traits)
                for number, admit in enumerate(admits)
            )
        ),
    )
    rest = [v.waiting for v in first if isinstance(v, Wait)]

    assert not [v for v in verdicts_of(later, rest) if isinstance(v, Admit)]


class ResourceLife(RuleBasedStateMachine):
    """Any events in any order: occupancy is what the facts add up to, and what was released stays so."""

    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.resource = resource()
        self.live: dict[str, Reservation] = {}
        self.released: set[str] = set()
        self.open: set[int] = set()
        self.last_change = 0
        self.count = 0

    def happens(self, event) -> None:
        self.resource = apply(self.resource, event)

    @rule(target=tokens, replicas=st.dictionaries(KEYS, st.integers(1, 5), min_size=1))
    def reserve(self, replicas) -> str:
        self.count += 1
        token = f"t{self.count}"
        self.live[token] = reservation(token, replicas=replicas)
        self.happens(Reserved(reservations=(self.live[token],)))
        return token

    @rule(token=tokens, settles=st.booleans())
    def release(self, token, settles) -> None:
        self.happens(Released(token=token, at=NOW, settles=settles))
        self.live.pop(token, None)
        self.released.add(token)

    @rule(token=tokens)
    def note(self, token) -> None:
        self.happens(Noted(reservation=self.live.get(token, reservation(token))))

    @rule(
        known=st.lists(tokens, max_size=4, unique=True),
        others=st.lists(REPLICAS, max_size=3),
        used=st.integers(0, 20),
    )
    def observe(self, known, others, used) -> None:
        ours = tuple(Occupant(replicas={CPU: 1}, token=token) for token in known)
        foreign = tuple(Occupant(replicas=each) for each in others)
        self.happens(
            Observed(
                state="RUNNING",
                created=NOW,
                pools=(pool(CPU, 9, used=used), pool(GPU, 9)),
                listed=(*ours, *foreign),
                reserved_before=frozenset(known),
                at=NOW,
            )
        )
        total: Counter = Counter()
        for each in others:
            total.update(each)
        assert +Counter(self.resource.foreign) == +total

    @rule(many=st.integers(1, 3))
    def change(self, many) -> None:
        first, self.last_change = self.last_change + 1, self.last_change + many
        self.open |= set(range(first, self.last_change + 1))
        self.happens(Changed(key="k", first=first, last=self.last_change, at=NOW))

    @rule(first=st.integers(1, 12), many=st.integers(0, 5))
    def announce(self, first, many) -> None:
        self.open -= set(range(first, first + many + 1))
        self.happens(Announced(key="k", first=first, last=first + many))

    @invariant()
    def occupancy_is_the_sum_of_the_facts(self) -> None:
        sum_of_reservations: Counter = Counter()
        for each in self.live.values():
            sum_of_reservations.update(each.replicas)
        assert reserved(self.resource) == sum_of_reservations
        for key in (CPU, GPU):
            others = self.resource.foreign.get(key, 0) + self.resource.surplus.get(key, 0)
            assert occupied(self.resource)[key] == sum_of_reservations[key] + others

    @invariant()
    def what_was_released_never_comes_back(self) -> None:
        assert not self.released & self.resource.reservations.keys()

    @invariant()
    def nothing_unannounced_is_forgotten(self) -> None:
        listed: Unannounced | None = self.resource.unannounced.get("k")
        span = range(listed.first, listed.last + 1) if listed else range(0)
        assert self.open <= set(span)


TestResourceLife = ResourceLife.TestCase
