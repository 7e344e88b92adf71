from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.pace import WINDOW, Pace, block, take
from tests.unit.scheduling.building import NOW, at

STEPS = st.lists(st.tuples(st.floats(0, 50), st.integers(0, 9)), max_size=60)


def test_slots_are_granted_up_to_the_limit() -> None:
    first = take(Pace(), 3, limit=5, now=NOW)
    second = take(first.pace, 3, limit=5, now=at(1))

    assert (first.slots, first.more_at) == (3, None)
    assert (second.slots, second.more_at) == (2, at(60))


def test_a_slot_comes_back_after_a_minute() -> None:
    full = take(Pace(), 5, limit=5, now=NOW).pace

    assert take(full, 1, limit=5, now=at(59.9)).slots == 0
    assert take(full, 1, limit=5, now=at(60)).slots == 1


def test_nothing_wanted_is_nothing_taken() -> None:
    assert take(Pace(), 0, limit=5, now=NOW).pace == Pace()


def test_a_blocked_pace_grants_nothing_for_a_window() -> None:
    blocked = block(Pace(), now=NOW)

    assert take(blocked, 1, limit=5, now=at(59)).slots == 0
    assert take(blocked, 1, limit=5, now=at(59)).more_at == NOW + WINDOW
    assert take(blocked, 1, limit=5, now=at(60)).slots == 1


def test_a_lower_limit_counts_at_once() -> None:
    full = take(Pace(), 5, limit=5, now=NOW).pace

    assert take(full, 1, limit=2, now=at(1)).slots == 0


@given(steps=STEPS, limit=st.integers(1, 10))
def test_no_minute_has_more_than_the_limit(steps, limit) -> None:
    pace, now, grants = Pace(), NOW, []
    for seconds, wanted in steps:
        now += timedelta(seconds=seconds)
        grant = take(pace, wanted, limit=limit, now=now)
        assert 0 <= grant.slots <= wanted
        pace = grant.pace
        grants.append((now, grant.slots))

    for start, _ in grants:
        assert sum(n for when, n in grants if start <= when < start + WINDOW) <= limit


@given(steps=STEPS, limit=st.integers(1, 10))
def test_more_can_be_had_when_it_says_so(steps, limit) -> None:
    pace, now = Pace(), NOW
    for seconds, wanted in steps:
        now += timedelta(seconds=seconds)
        grant = take(pace, wanted, limit=limit, now=now)
        if grant.more_at is not None:
            assert grant.more_at > now
            assert take(grant.pace, 1, limit=limit, now=grant.more_at).slots == 1
        pace = grant.pace


@given(steps=STEPS)
def test_the_pace_remembers_one_window_only(steps) -> None:
    pace, now = Pace(), NOW
    for seconds, wanted in steps:
        now += timedelta(seconds=seconds)
        pace = take(pace, wanted, limit=100, now=now).pace

    assert all(when > now - WINDOW for when, _ in pace.taken)
