from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import WHOLE_RESOURCE, Drain
from poolqueue.scheduling.relocating import (
    Candidate,
    alternatives_elsewhere,
    can_run_nowhere,
    next_opening,
    open_alternatives,
    relocations,
)
from poolqueue.scheduling.serving import expected_starts
from poolqueue.scheduling.verdicts import Relocate
from poolqueue.scheduling.waiting import Waiting
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

HOUR = 3600
TWO = (pool(capacity=2),)


def busy(*lefts: int, queue: tuple[Waiting, ...] = (), **more) -> Board:
    """Two replicas; each of `lefts` seconds is left of what holds one of them."""
    held = [reservation(f"t{n}", job_id=f"held-{n}", traits=lasting(left)) for n, left in enumerate(lefts)]
    return board(resource(*held, pools=TWO, **more), *queue)


def going(here: Board, there: Mapping[str, Board], *lines: Waiting, goals=("b", "c")) -> list[Relocate]:
    candidates = [Candidate(line=line, goals=tuple(goals)) for line in lines]
    return relocations(here, decide(here, now=NOW, slots=50), candidates, there, now=NOW)


def whither(found: list[Relocate]) -> dict[str, str]:
    return {each.waiting.job_id: each.to for each in found}


# --- starting now ----------------------------------------------------------------------------------------


def test_a_job_goes_where_it_can_start_now() -> None:
    line = waiting("j")

    (found,) = going(busy(HOUR, HOUR, queue=(line,)), {"b": busy(HOUR)}, line)

    assert (found.to, found.start) == ("b", None)


def test_the_first_in_the_asked_order_is_taken() -> None:
    line = waiting("j")
    here = busy(HOUR, HOUR, queue=(line,))

    assert whither(going(here, {"b": busy(), "c": busy()}, line, goals=("c", "b"))) == {"j": "c"}
    assert whither(going(here, {"b": busy(), "c": busy(HOUR, HOUR)}, line, goals=("c", "b"))) == {"j": "b"}


def test_no_more_go_than_can_start() -> None:
    lines = [waiting(name, age=age) for name, age in (("old", 9), ("young", 1), ("older", 20))]

    found = going(busy(HOUR, HOUR, queue=(*lines,)), {"b": busy()}, *lines)

    assert whither(found) == {"older": "b", "old": "b"}


def test_nobody_goes_ahead_of_a_planned_start_there() -> None:
    line, first = waiting("j", traits=lasting(HOUR)), waiting("first", demand(2), age=99)
    there = busy(1800, queue=(first,))

    found = going(busy(600, 600, queue=(line,)), {"b": there}, line)

    assert found == []


def test_a_job_that_waits_for_the_pace_alone_stays() -> None:
    line = waiting("j")
    here = busy(queue=(line,))
    decision = decide(here, now=NOW, slots=0)

    assert decision.wait_of(line).reason is Reason.PACED
    assert relocations(here, decision, [Candidate(line=line, goals=("b",))], {"b": busy()}, now=NOW) == []


def test_a_job_that_just_came_rests_before_it_goes_on() -> None:
    line = waiting("j", moves=3, moved_at=at(-59))

    assert going(busy(HOUR, HOUR, queue=(line,)), {"b": busy()}, line) == []
    line = replace(line, moved_at=at(-60))
    assert whither(going(busy(HOUR, HOUR, queue=(line,)), {"b": busy()}, line)) == {"j": "b"}


# --- starting earlier ------------------------------------------------------------------------------------


def test_a_job_goes_where_it_is_expected_to_start_clearly_earlier() -> None:
    line = waiting("j")

    (found,) = going(busy(2 * HOUR, 3 * HOUR, queue=(line,)), {"b": busy(HOUR, 9 * HOUR)}, line)

    assert (found.to, found.start, found.instead) == ("b", at(HOUR), at(2 * HOUR))


def test_a_job_stays_where_it_is_expected_to_start_about_as_early() -> None:
    line = waiting("j")
    here = busy(2 * HOUR, 3 * HOUR, queue=(line,))

    assert going(here, {"b": busy(2 * HOUR - 1000, 9 * HOUR)}, line) == []


def test_of_several_that_could_go_those_go_who_gain_by_it() -> None:
    lines = [waiting(str(n), age=10 - n, traits=lasting(4 * HOUR)) for n in range(4)]
    here = busy(5 * HOUR, 5 * HOUR, queue=(*lines,))

    found = going(here, {"b": busy(HOUR, HOUR)}, *lines)

    assert whither(found) == {"0": "b", "1": "b", "2": "b", "3": "b"}
    assert [each.start for each in found] == [at(HOUR), at(HOUR), at(5 * HOUR), at(5 * HOUR)]


def test_a_job_goes_to_wait_elsewhere_where_its_own_resource_is_drained() -> None:
    line = waiting("j")
    drain = Drain(reason="upgrade", author="ops", at=NOW)
    here = busy(HOUR, HOUR, queue=(line,), drained={WHOLE_RESOURCE: drain})

    (found,) = going(here, {"b": busy(9 * HOUR, 9 * HOUR)}, line)

    assert (found.start, found.instead) == (at(9 * HOUR), None)


def test_a_job_does_not_go_to_wait_where_nothing_starts() -> None:
    line = waiting("j")
    drain = Drain(reason="upgrade", author="ops", at=NOW)
    here = busy(queue=(line,), drained={WHOLE_RESOURCE: drain})

    assert going(here, {"b": busy(drained={WHOLE_RESOURCE: drain}), "c": busy(state="ERROR")}, line) == []
    assert going(here, {"b": busy(foreign={CPU: 2})}, line) == []


def test_a_job_stays_while_its_own_resource_is_only_not_confirmed() -> None:
    line = waiting("j")

    found = going(busy(queue=(line,), observed_at=at(-100)), {"b": busy(HOUR, HOUR)}, line)

    assert found == []


def test_a_job_that_came_for_an_earlier_start_stays_longer_each_time() -> None:
    line = waiting("j", moves=2, moved_at=at(-599))
    there = {"b": busy(HOUR, HOUR)}

    assert going(busy(9 * HOUR, 9 * HOUR, queue=(line,)), there, line) == []
    line = replace(line, moved_at=at(-600))
    assert whither(going(busy(9 * HOUR, 9 * HOUR, queue=(line,)), there, line)) == {"j": "b"}


# --- what it may use -------------------------------------------------------------------------------------

LATER = (Alternative(resource="b", after=600), Alternative(resource=None, after=1200))


def test_an_alternative_opens_when_the_job_has_waited_for_so_long() -> None:
    assert open_alternatives(waiting(age=599, alternatives=LATER), "a", NOW) == []
    assert open_alternatives(waiting(age=600, alternatives=LATER), "a", NOW) == [LATER[0]]
    assert open_alternatives(waiting(age=600, alternatives=LATER), "b", NOW) == []
    assert next_opening([waiting(age=600, alternatives=LATER)], "a", NOW) == at(600)
    assert next_opening([waiting(age=1200, alternatives=LATER)], "a", NOW) is None


def test_a_job_that_leaves_its_home_may_come_back() -> None:
    moved = alternatives_elsewhere("a", LATER)

    assert moved == (Alternative(resource="a"), *LATER)
    assert alternatives_elsewhere("b", moved) == moved


def test_any_includes_the_home() -> None:
    anywhere = (Alternative(resource=None),)

    assert alternatives_elsewhere("a", anywhere) == anywhere


def test_a_job_can_run_nowhere_only_where_all_pools_are_confirmed() -> None:
    line = waiting("j", demand(key=GPU))
    without = resource(pools=TWO)

    assert can_run_nowhere(line, [without, without], NOW)
    assert not can_run_nowhere(line, [without, None], NOW)
    assert not can_run_nowhere(line, [without, resource()], NOW)
    assert not can_run_nowhere(line, [without, replace(without, observed_at=at(-100))], NOW)
    assert not can_run_nowhere(line, [without, replace(without, state="UPDATING")], NOW)


# --- expected starts -------------------------------------------------------------------------------------


def test_jobs_are_served_in_turn() -> None:
    lines = (
        waiting("first", demand(2), age=9, traits=lasting(100)),
        waiting("second", demand(1), age=8, traits=lasting(50)),
        waiting("third", demand(2), age=7),
    )

    starts = expected_starts(busy(10, 30, queue=lines), {line.key for line in lines}, now=NOW)

    assert starts == {
        "research.first": at(30).timestamp(),
        "research.second": at(130).timestamp(),
        "research.third": at(180).timestamp(),
    }


def test_who_waits_for_foreign_use_has_no_expected_start_and_delays_nobody() -> None:
    lines = (waiting("wide", demand(2), age=9), waiting("narrow", age=8))

    starts = expected_starts(busy(10, queue=lines, foreign={CPU: 1}), {line.key for line in lines}, now=NOW)

    assert starts == {"research.narrow": at(10).timestamp()}


def test_who_sleeps_has_no_expected_start() -> None:
    line = waiting("asleep", not_before=at(60))

    assert expected_starts(busy(queue=(line,)), {line.key}, now=NOW) == {}
