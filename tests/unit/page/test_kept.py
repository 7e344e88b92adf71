"""What was worked out is shared, for a time that its cost decides."""

from __future__ import annotations

import threading

import pytest

from poolqueue.page.kept import COST_PART, MOST_KEPT, Kept


class Clocks:
    def __init__(self) -> None:
        self.now = self.cpu = 0.0


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def kept(clocks: Clocks, seconds: float = 5.0) -> Kept[int]:
    return Kept(seconds, monotonic=lambda: clocks.now, cpu=lambda: clocks.cpu)


def test_a_value_is_made_again_when_it_is_old(clocks: Clocks) -> None:
    made, values = [], kept(clocks)

    def look(at: float) -> None:
        clocks.now = at
        values.of("a", lambda: made.append(at) or 1)

    for at in (0.0, 4.9, 5.1, 9.0):
        look(at)

    assert made == [0.0, 5.1]


def test_what_costs_much_is_kept_for_as_long_as_that_costs_little(clocks: Clocks) -> None:
    values = kept(clocks)

    def costly() -> int:
        clocks.cpu += 2.0
        return 1

    values.of("a", costly)
    clocks.now = 2.0 / COST_PART - 0.1
    assert values.of("a", lambda: 2) == 1
    clocks.now = 2.0 / COST_PART + 0.1
    assert values.of("a", lambda: 2) == 2


def test_nothing_is_kept_of_what_failed(clocks: Clocks) -> None:
    values = kept(clocks)

    with pytest.raises(ZeroDivisionError):
        values.of("a", lambda: 1 // 0)

    assert values.of("a", lambda: 7) == 7


def test_while_one_makes_it_anew_the_others_get_the_old_one(clocks: Clocks) -> None:
    values = kept(clocks)
    values.of("a", lambda: 1)
    clocks.now = 6.0
    is_making, may_end = threading.Event(), threading.Event()

    def slow() -> int:
        is_making.set()
        may_end.wait(10)
        return 2

    thread = threading.Thread(target=lambda: values.of("a", slow))
    thread.start()
    assert is_making.wait(10)
    assert values.of("a", lambda: 3) == 1
    may_end.set()
    thread.join(10)
    assert values.of("a", lambda: 3) == 2


def test_only_so_many_values_are_kept(clocks: Clocks) -> None:
    values = kept(clocks)
    for number in range(MOST_KEPT + 1):
        values.of(number, lambda: 1)

    assert values.of(0, lambda: 2) == 2
    assert values.of(MOST_KEPT, lambda: 2) == 1
