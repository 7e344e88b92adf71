"""A line with n members is decided on like n alike jobs; what an array knows of its members."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.arrays import (
    Array,
    array_key,
    member_id,
    member_of,
    members_of,
    numbers_of,
    ranges_of,
)
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State
from poolqueue.scheduling.members import awaits, begun, cancelled, expired, told, with_apart, with_end
from poolqueue.scheduling.policies import Ordering, Policy
from poolqueue.scheduling.reasons import explain
from poolqueue.scheduling.verdicts import Wait
from poolqueue.scheduling.waiting import Waiting, is_among
from tests.support.watched_time import WatchedTime, arrive_all
from tests.unit.scheduling.building import (
    CPU,
    GPU,
    NOW,
    at,
    board,
    demand,
    job,
    lasting,
    pool,
    reservation,
    resource,
    waiting,
)

MOST = 9  # members whose numbers have one digit come in the same order as their ids


def array_line(job_id: str = "sweep", size: int = 3, **more) -> Waiting:
    return waiting(job_id, members=((0, size),), **more)


def single_lines(line: Waiting) -> list[Waiting]:
    """The jobs that a line stands for, each as a line of its own."""
    return [replace(line.nth(n), of=None) for n in range(line.count)]


def array_job(size: int = 3, **more) -> Job:
    return job("sweep", array=Array(size=size), **more)


def known(found: Job) -> Array:
    assert found.array is not None
    return found.array


# --- sets of members -------------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 9_999)))
def test_ranges_name_the_same_members(numbers: set[int]) -> None:
    members = sum(1 << n for n in numbers)

    assert numbers_of(members) == sorted(numbers)
    assert members_of(ranges_of(members)) == members


def test_ids_of_members_are_told_from_those_of_jobs() -> None:
    assert member_of(member_id("sweep", 17)) == ("sweep", 17)
    for other in ("sweep", "sweep.x", "sweep.07", "sweep.1.2", "sweep.refused-0a1b2c3d", "sweep.", ".1"):
        assert member_of(other) is None
    assert array_key("research.sweep.3") == "research.sweep"
    assert array_key("research.sweep") is None


def test_a_member_that_ends_twice_or_goes_on_is_counted_once() -> None:
    array = Array(size=4).with_apart(1).with_end(1, "failed").with_end(1, "failed")
    assert array.counts() == {"failed": 1}

    again = array.with_end(1, None)

    assert (again.counts(), again.active) == ({}, 0b10)
    assert again.with_end(1, "succeeded").counts() == {"succeeded": 1}


# --- what happens to the job of an array -----------------------------------------------------------------


def test_an_array_runs_from_its_first_member_to_its_last() -> None:
    found = array_job(2)
    for n in range(2):
        found = begun(with_apart(found, f"sweep.{n}"), now=NOW)
    assert found.state is State.RUNNING

    found = with_end(found, "sweep.0", Outcome.SUCCEEDED, now=NOW)
    assert found.state is State.RUNNING
    found = with_end(found, "sweep.1", Outcome.SUCCEEDED, now=NOW)

    assert (found.state, found.outcome) == (State.ENDED, Outcome.SUCCEEDED)
    assert [entry.state for entry in found.history] == [State.QUEUED, State.RUNNING, State.ENDED]


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        ((Outcome.FAILED, Outcome.FAILED), Outcome.FAILED),
        ((Outcome.SUCCEEDED, Outcome.LOST), Outcome.FAILED),
        ((Outcome.EXPIRED, Outcome.EXPIRED), Outcome.EXPIRED),
        ((Outcome.CANCELLED, Outcome.CANCELLED), Outcome.CANCELLED),
    ],
)
def test_an_array_ends_as_its_members_if_they_ended_alike(ends, outcome) -> None:
    found = begun(array_job(2), now=NOW)
    for n, each in enumerate(ends):
        found = with_end(with_apart(found, f"sweep.{n}"), f"sweep.{n}", each, now=NOW)

    assert found.outcome is outcome
    assert found.history[-1].note == told(known(found))


def test_cancelling_an_array_ends_those_that_wait_and_waits_for_those_that_run() -> None:
    found = begun(with_apart(array_job(5), "sweep.0"), now=NOW)

    asked = cancelled(found, note="ada: wrong", command="c", now=NOW)
    assert (asked.state, known(asked).counts()) == (State.CANCELLING, {"cancelled": 4})
    assert not awaits(asked, "sweep.3")
    over = with_end(asked, "sweep.0", Outcome.SUCCEEDED, now=NOW)

    assert (over.outcome, over.reason) == (Outcome.CANCELLED, Reason.ASKED)


def test_an_array_that_waits_too_long_goes_on_with_those_that_run() -> None:
    found = begun(with_apart(array_job(3), "sweep.0"), now=NOW)

    late = expired(found, reason=Reason.WAITED_TOO_LONG, note="n", now=NOW)

    assert (late.state, late.waits) == (State.RUNNING, False)
    assert with_end(late, "sweep.0", Outcome.SUCCEEDED, now=NOW).outcome is Outcome.FAILED
    assert expired(array_job(3), reason=Reason.WAITED_TOO_LONG, note="n", now=NOW).outcome is Outcome.EXPIRED


# --- decisions -------------------------------------------------------------------------------------------


@st.composite
def arrivals(draw) -> list[tuple[Waiting, float]]:
    """Arrays and jobs of several teams, on one pool or two, that get into each other's way."""
    found = []
    for number in range(draw(st.integers(1, 7))):
        needs = draw(st.dictionaries(st.sampled_from((CPU, GPU)), st.integers(1, 2), min_size=1))
        seconds = draw(st.integers(1, 40)) * 100
        size = draw(st.sampled_from((0, 0, 1, 2, 5, MOST)))
        line = waiting(
            f"j{number}",
            *(demand(n, key, i) for i, (key, n) in enumerate(sorted(needs.items()))),
            team=draw(st.sampled_from(("a", "b"))),
            age=-draw(st.integers(0, 60)) * 50,
            priority=draw(st.sampled_from((0, 0, 50))),
            traits=lasting(seconds),
            members=((0, size),) if size else (),
        )
        found.append((line, float(seconds)))
    return found


def run(jobs: list[tuple[Waiting, float]], ordering: Ordering) -> WatchedTime:
    policy = Policy(ordering=ordering, weights={"a": 1.0, "b": 3.0}, firm_after=timedelta(hours=2))
    time = WatchedTime(resource(pools=(pool(CPU, 4), pool(GPU, 2))), now=NOW, policy=policy)
    arrive_all(time, jobs)
    time.run(until=at(10**8))
    assert not time.waiting, "somebody still waits"
    return time


@pytest.mark.parametrize("ordering", Ordering)
@given(jobs=arrivals())
def test_members_start_when_as_many_single_jobs_would(ordering, jobs) -> None:
    """All rules that hold for jobs then hold for arrays: shares, planned starts, backfilling, preemption."""
    apart = [(each, seconds) for line, seconds in jobs for each in single_lines(line)]

    assert run(jobs, ordering).log.started == run(apart, ordering).log.started


@given(jobs=arrivals(), most=st.integers(1, 3))
def test_never_more_members_run_than_may(jobs, most) -> None:
    def look(time: WatchedTime, _decision) -> None:
        for line, _ in limited:
            at_work = sum(array_key(attempt.key) == line.key for attempt in time.running.values())
            assert at_work <= (most if line.members else 10)

    limited = [(replace(line, max_parallel=most if line.members else None), n) for line, n in jobs]
    time = WatchedTime(resource(pools=(pool(CPU, 4), pool(GPU, 2))), now=NOW, look=look)
    arrive_all(time, limited)
    time.run(until=at(10**8))

    assert not time.waiting


def test_those_beyond_the_maximum_hold_nobody_up_and_get_no_planned_start() -> None:
    first = array_line(size=5, max_parallel=1, age=100)
    wide = waiting("wide", demand(4), age=50)
    small = waiting("small")
    decision = decide(board(resource(), first, wide, small), now=NOW, slots=50)

    assert {each.waiting.key for each in decision.admits} == {"research.sweep.0", "research.small"}
    assert [plan.key for plan in decision.planned] == ["research.wide"]
    (wait,) = (each for each in decision.waits() if each.waiting.members)
    assert (wait.reason, wait.waiting.members) == (Reason.ARRAY_AT_MAXIMUM, ((1, 5),))


def test_a_member_that_waits_again_goes_first_and_counts_against_the_maximum() -> None:
    line = array_line(size=5, max_parallel=2, age=100)
    again = waiting("sweep.4", age=100, attempt=1, max_parallel=2)
    on = resource(reservation("t", "sweep.7", {CPU: 1}))
    decision = decide(board(on, line, again), now=NOW, slots=50)

    assert [each.waiting.key for each in decision.admits] == ["research.sweep.4"]


def test_without_slots_the_rest_of_an_array_waits_for_the_pace() -> None:
    decision = decide(board(resource(), array_line(size=3)), now=NOW, slots=1)

    (wait,) = decision.waits()
    assert (wait.reason, wait.waiting.members) == (Reason.PACED, ((1, 3),))


def test_positions_count_members() -> None:
    line, last = array_line(size=100, age=100), waiting("last", demand(4))
    on = board(resource(reservation("t", "other", {CPU: 4})), line, last)

    of_array = explain(on, line, now=NOW, slots=50)
    of_last = explain(on, last, now=NOW, slots=50)

    assert (of_array.place.position, of_array.place.of) == (1, 101)
    assert (of_last.place.position, of_last.place.ahead.count) == (101, 100)
    assert [(each.key, each.replicas) for each in of_last.place.ahead.first] == [("research.sweep", 100)]


def test_an_array_at_its_maximum_is_told_that_the_end_of_a_member_helps() -> None:
    line = array_line(size=3, max_parallel=1)
    on = board(resource(reservation("t", "sweep.9", {CPU: 1}, traits=lasting(60))), line)

    explanation = explain(on, line, now=NOW, slots=50)

    assert isinstance(explanation.verdict, Wait)
    assert explanation.reason is Reason.ARRAY_AT_MAXIMUM
    assert explanation.happenings[0].key == "research.sweep.9"
    assert explanation.remedies == ()


def test_a_member_is_taken_out_of_the_line_of_its_array() -> None:
    line = array_line(size=3)
    on = board(resource(), line)
    copy = on.copy(now=NOW)

    on.remove(line.nth(1))
    waits = is_among(on.lines())

    assert [waits(f"research.sweep.{n}") for n in range(4)] == [True, False, True, False]
    assert [each.members for each in copy.lines()] == [((0, 3),)]
    on.remove(on.arrays["research.sweep"].nth(0))
    on.remove(on.arrays["research.sweep"].nth(0))
    assert not on.groups
