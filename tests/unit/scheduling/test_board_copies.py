from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.expectations import TimeoutsOnly
from poolqueue.scheduling.policies import Policy
from tests.unit.scheduling.building import CPU, GPU, NOW, board, demand, pool, resource, waiting
from tests.unit.scheduling.test_properties import BUSY, QUEUES


def ids(of: Board) -> list[str]:
    return sorted(line.job_id for line in of.lines())


def test_a_board_and_its_copy_are_changed_apart() -> None:
    first, second, third = waiting("a"), waiting("b"), waiting("c")
    on = board(resource(), first, second)
    copy = on.copy(now=NOW)
    copy.remove(first)
    on.add(third)

    assert ids(on) == ["a", "b", "c"]
    assert ids(copy) == ["b"]


def test_what_was_too_large_has_pools_in_a_copy_whose_pools_have_grown() -> None:
    large = waiting("large", demand(6))
    on = board(resource(pools=(pool(CPU, 4), pool(GPU, 2))), large)
    grown = on.copy(resource=replace(on.resource, pools=(pool(CPU, 6), pool(GPU, 2))), now=NOW)

    assert on.group_of(large).wanted == ()
    assert grown.group_of(large).wanted == ((CPU, 6),)


@given(before=BUSY, after=BUSY, queue=QUEUES)
def test_a_copy_before_another_resource_decides_as_a_board_made_of_it(before, after, queue) -> None:
    policy, expectations = Policy(), TimeoutsOnly()
    made = Board(after, queue, policy=policy, expectations=expectations, now=NOW)
    copy = Board(before, queue, policy=policy, expectations=expectations, now=NOW).copy(
        resource=after, now=NOW
    )
    decisions = [decide(each, now=NOW, slots=5) for each in (made, copy)]

    assert [*decisions[0].verdicts()] == [*decisions[1].verdicts()]
