"""The tree of minima against a plain list."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from poolqueue.simulation.first_below import FirstBelow

SETS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5) | st.just(math.inf)))


@given(sets=SETS, limit=st.integers(-1, 6) | st.just(math.inf))
def test_it_finds_the_first_that_a_list_would_find(sets: list[tuple[int, float]], limit: float) -> None:
    line, values = FirstBelow(9), [math.inf] * 9
    for place, value in sets:
        line.set(place, value)
        values[place] = value
    fitting = [place for place, value in enumerate(values) if value <= limit and value < math.inf]

    assert line.find(limit) == next(iter(fitting), None)
    assert line.is_empty == all(value == math.inf for value in values)


def test_a_line_of_one_place_works() -> None:
    line = FirstBelow(1)
    line.set(0, 3)

    assert (line.find(2), line.find(3)) == (None, 0)
