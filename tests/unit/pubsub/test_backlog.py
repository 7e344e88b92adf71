"""A backlog delivers each message until it is acknowledged, with backoff, order and an end to trying."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.pubsub_v1 import types
from hypothesis import given
from hypothesis import strategies as st

from infra.local.pubsub.backlog import Backlog, Lease, Redelivery

DOUBLING = Redelivery(minimum_seconds=1, maximum_seconds=5)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Grave:
    """A dead-letter topic that takes messages while it is `there`."""

    there: bool = True
    buried: list[tuple[bytes, int]] = field(default_factory=list)

    def __call__(self, message: Any, attempts: int) -> bool:
        if self.there:
            self.buried.append((message.data, attempts))
        return self.there


@pytest.fixture
def clock() -> Clock:
    return Clock()


def a_message(body: bytes = b"x", *, key: str = "") -> Any:
    return types.PubsubMessage.pb()(data=body, ordering_key=key)


def a_backlog(clock: Clock, redelivery: Redelivery = DOUBLING, **settings: Any) -> Backlog:
    return Backlog(redelivery, clock=clock, **settings)


def take(backlog: Backlog, limit: int = 10, *, seconds: float = 10) -> list[Lease]:
    return backlog.lease(lambda: limit, seconds=seconds)


def test_an_acknowledged_message_does_not_come_again(clock: Clock) -> None:
    backlog = a_backlog(clock)
    backlog.add(a_message())
    [lease] = take(backlog)

    backlog.acknowledge([lease.ack_id])

    clock.now += 1000
    assert take(backlog) == []


def test_no_more_than_there_is_room_for_is_delivered(clock: Clock) -> None:
    backlog = a_backlog(clock)
    for _ in range(3):
        backlog.add(a_message())

    assert [len(take(backlog, 2)), len(take(backlog, 2)), len(take(backlog, 0))] == [2, 1, 0]


def test_a_refused_message_comes_again_after_its_backoff(clock: Clock) -> None:
    backlog = a_backlog(clock)
    backlog.add(a_message())
    [lease] = take(backlog)

    backlog.refuse([lease.ack_id])

    clock.now += 0.9
    assert take(backlog) == []
    clock.now += 0.2
    assert [lease.attempt for lease in take(backlog)] == [2]


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 2), (3, 4), (4, 5), (10_000, 5)])
def test_the_backoff_after_each_attempt(attempt: int, seconds: float) -> None:
    assert DOUBLING.backoff_seconds(attempt) == seconds


def test_a_lease_that_runs_out_counts_as_refused(clock: Clock) -> None:
    backlog = a_backlog(clock, Redelivery())
    backlog.add(a_message())
    take(backlog, seconds=10)

    clock.now += 9.9
    assert take(backlog) == []
    clock.now += 0.2
    assert [lease.attempt for lease in take(backlog)] == [2]


def test_an_extended_lease_runs_longer(clock: Clock) -> None:
    backlog = a_backlog(clock, Redelivery())
    backlog.add(a_message())
    [lease] = take(backlog, seconds=10)

    backlog.extend(lease.ack_id, 60)

    clock.now += 59
    assert take(backlog) == []


def test_a_late_settlement_changes_nothing(clock: Clock) -> None:
    backlog = a_backlog(clock, Redelivery())
    backlog.add(a_message())
    [late] = take(backlog, seconds=10)
    clock.now += 11
    [current] = take(backlog)

    backlog.acknowledge([late.ack_id])
    backlog.refuse([late.ack_id])

    assert backlog.leased({late.ack_id, current.ack_id}) == {current.ack_id}


def test_after_its_last_attempt_a_message_is_buried(clock: Clock) -> None:
    grave = Grave()
    backlog = a_backlog(clock, Redelivery(max_attempts=2), bury=grave)
    backlog.add(a_message(b"poison"))

    for _ in range(2):
        [lease] = take(backlog)
        backlog.refuse([lease.ack_id])

    assert grave.buried == [(b"poison", 2)]
    assert take(backlog) == []


def test_a_message_that_cannot_be_buried_stays(clock: Clock) -> None:
    grave = Grave(there=False)
    backlog = a_backlog(clock, Redelivery(max_attempts=1), bury=grave)
    backlog.add(a_message())
    [lease] = take(backlog)
    backlog.refuse([lease.ack_id])

    [again] = take(backlog)
    grave.there = True
    backlog.refuse([again.ack_id])

    assert grave.buried == [(b"x", 2)]


def test_messages_of_a_key_come_one_after_the_other(clock: Clock) -> None:
    backlog = a_backlog(clock, Redelivery(), ordered=True)
    for body, key in ((b"1", "a"), (b"2", "a"), (b"3", "b"), (b"4", "")):
        backlog.add(a_message(body, key=key))

    first = take(backlog)
    assert sorted(lease.message.data for lease in first) == [b"1", b"3", b"4"]
    backlog.acknowledge([lease.ack_id for lease in first])
    assert [lease.message.data for lease in take(backlog)] == [b"2"]


@given(
    steps=st.lists(
        st.one_of(
            st.sampled_from(["add", "acknowledge", "refuse", "extend", "wait"]),
            st.tuples(st.just("take"), st.integers(1, 4)),
        ),
        max_size=60,
    ),
    ordered=st.booleans(),
)
def test_nothing_is_lost_whatever_happens(steps: list[Any], *, ordered: bool) -> None:
    clock, grave = Clock(), Grave()
    redelivery = Redelivery(minimum_seconds=1, maximum_seconds=2, max_attempts=3)
    backlog = a_backlog(clock, redelivery, ordered=ordered, bury=grave)
    added, acknowledged, held = 0, set(), deque[Lease]()
    for step in steps:
        match step:
            case "add":
                backlog.add(a_message(str(added).encode(), key=str(added % 2)))
                added += 1
            case ("take", limit):
                held.extend(take(backlog, limit, seconds=3))
            case "acknowledge" if held:
                lease = held.popleft()
                if backlog.leased({lease.ack_id}):
                    acknowledged.add(lease.message.data)
                backlog.acknowledge([lease.ack_id])
            case "refuse" if held:
                backlog.refuse([held.popleft().ack_id])
            case "extend" if held:
                backlog.extend(held[0].ack_id, 5)
            case _:
                clock.now += 1

    for _ in range(20 * (added + 1)):
        clock.now += 10
        for lease in take(backlog):
            acknowledged.add(lease.message.data)
            backlog.acknowledge([lease.ack_id])

    assert acknowledged | {body for body, _ in grave.buried} == {str(n).encode() for n in range(added)}


def test_a_waiting_reader_gets_a_message_that_arrives() -> None:
    backlog = Backlog(Redelivery())
    found: list[Lease] = []
    reader = threading.Thread(
        target=lambda: found.extend(backlog.lease(lambda: 1, seconds=10, wait_seconds=30))
    )
    reader.start()

    backlog.add(a_message(b"late"))
    reader.join(timeout=10)

    assert [lease.message.data for lease in found] == [b"late"]


def test_closing_ends_waiting() -> None:
    backlog = Backlog(Redelivery())
    reader = threading.Thread(target=lambda: backlog.lease(lambda: 1, seconds=10, wait_seconds=30))
    reader.start()

    backlog.close()
    reader.join(timeout=10)

    assert not reader.is_alive()
