"""Stays in the rows of a chart: all of their replicas, and never two on one row at a time."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from poolqueue.page.rows import NEVER, Block, placed
from poolqueue.viewing.stays import Kind, Stay
from tests.unit.cli.building import NOW, SMALL


def stay(job_id: str, start: int, end: int | None, replicas: int = 1, kind: Kind = Kind.ENDED) -> Stay:
    """From minute to minute."""
    return Stay(
        kind=kind,
        pool=SMALL,
        replicas=replicas,
        start=NOW + timedelta(minutes=start),
        end=None if end is None else NOW + timedelta(minutes=end),
        team="research",
        job_id=job_id,
    )


def blocks(*stays: Stay, capacity: int) -> dict[str, tuple[Block, ...]]:
    return {each.stay.job_id: each.blocks for each in placed(stays, capacity)}


def test_a_stay_takes_the_first_rows_that_are_free_together() -> None:
    found = blocks(stay("a", 0, 10), stay("b", 1, 3, replicas=2), stay("c", 4, 6, replicas=2), capacity=3)

    assert found == {"a": (Block(row=0, rows=1),), "b": (Block(row=1, rows=2),), "c": (Block(row=1, rows=2),)}


def test_a_stay_is_parted_where_no_rows_are_free_together() -> None:
    found = blocks(
        stay("a", 0, 9), stay("b", 0, 2), stay("c", 0, 9), stay("d", 0, 2), stay("e", 3, 5, 2), capacity=4
    )

    assert found["e"] == (Block(row=1, rows=1), Block(row=3, rows=1))


def test_what_a_pool_has_no_rows_for_comes_below_them() -> None:
    found = blocks(stay("a", 0, 9, replicas=2), stay("b", 1, 2, replicas=2), capacity=3)

    assert found["b"] == (Block(row=2, rows=1), Block(row=3, rows=1))


def test_what_others_hold_comes_after_what_began_before_and_stays() -> None:
    others = stay("", 5, None, replicas=1, kind=Kind.OTHERS)

    found = blocks(stay("planned", 6, 8, replicas=2), others, stay("running", 0, 7), capacity=3)

    assert found == {
        "running": (Block(row=0, rows=1),),
        "": (Block(row=1, rows=1),),
        "planned": (Block(row=2, rows=1), Block(row=3, rows=1)),
    }


stays = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 20), st.integers(1, 5)).map(
        lambda each: stay(f"{each}", each[0], each[0] + each[1], each[2])
    ),
    max_size=40,
)


@given(stays=stays, capacity=st.integers(0, 8))
def test_all_replicas_are_drawn_and_no_two_stays_share_a_row(stays: list[Stay], capacity: int) -> None:
    found = placed(stays, capacity)

    assert all(sum(block.rows for block in each.blocks) == each.stay.replicas for each in found)
    until: dict[int, object] = {}
    for each in found:
        for row in (row for block in each.blocks for row in range(block.row, block.row + block.rows)):
            assert until.get(row, each.stay.start) <= each.stay.start, "two stays on one row"
            until[row] = each.stay.end or NEVER


@given(stays=stays)
def test_a_pool_that_was_never_too_small_gets_no_rows_below_it(stays: list[Stay]) -> None:
    times = {each.start for each in stays}
    most = max((sum(s.replicas for s in stays if s.start <= at < s.end) for at in times), default=0)

    assert all(block.row + block.rows <= most for each in placed(stays, most) for block in each.blocks)
