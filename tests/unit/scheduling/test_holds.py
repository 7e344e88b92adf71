from __future__ import annotations

import pytest

from poolqueue.scheduling.commands import (
    Already,
    Commanded,
    HoldAsked,
    JobCommand,
    Order,
    Refusal,
    ReleaseAsked,
    was_carried_out,
)
from poolqueue.scheduling.holds import held, released
from poolqueue.scheduling.jobs import Hold, Job, Outcome, Reason, State, move
from tests.unit.scheduling.building import NOW, at, job, job_in, reservation, resource

KEY = "research.j"
AWAITS = Hold(reason=Reason.NOT_YET, at=NOW, note="research/prep has not succeeded")


def order(command: str = "c") -> Order:
    return Order(command=command, author="ada", reason="the data is late")


def hold(command: str = "c") -> HoldAsked:
    return HoldAsked(key=KEY, order=order(command))


def release(command: str = "r") -> ReleaseAsked:
    return ReleaseAsked(key=KEY, order=order(command))


def done(asked: JobCommand, to: Job) -> Job | None:
    return Commanded(asked=asked).on(to, resource(reservation()), at(30)).job


def on_hold() -> Job:
    after = done(hold(), job())
    assert after is not None
    return after


def test_a_hold_is_in_the_history_with_who_why_when_and_by_which_command() -> None:
    entry = on_hold().history[-1]

    assert (entry.state, entry.reason, entry.at) == (State.HELD, Reason.ON_HOLD, at(30))
    assert (entry.note, entry.command) == ("ada: the data is late", "c")


def test_a_released_job_is_back_at_its_place() -> None:
    after = done(release(), on_hold())

    assert after is not None
    assert (after.state, after.reason, after.holds, after.created) == (
        State.QUEUED, Reason.RELEASED, (), NOW,
    )  # fmt: skip


def test_what_is_released_of_several_holds_leaves_the_others() -> None:
    both = held(on_hold(), AWAITS)

    by_person = done(release(), both)
    assert by_person is not None
    assert (by_person.state, by_person.holds) == (State.HELD, (AWAITS,))
    by_others = released(both, AWAITS.reason, at=at(40), note="it succeeded", told=Reason.RELEASED)
    assert (by_others.state, by_others.reason) == (State.HELD, Reason.ON_HOLD)


def test_a_person_may_hold_what_is_held_for_another_reason() -> None:
    after = done(hold(), held(job(), AWAITS))

    assert after is not None
    assert [each.reason for each in after.holds] == [AWAITS.reason, Reason.ON_HOLD]


def test_a_person_cannot_release_what_waits_for_other_jobs() -> None:
    waits = held(job(), AWAITS)

    objection = release().objection(waits, NOW)

    assert isinstance(objection, Refusal)
    assert AWAITS.note in objection.told
    assert done(release(), waits) is None


def test_a_command_that_left_its_entry_does_nothing_again_whatever_became_of_the_job() -> None:
    again = done(release(), on_hold())
    assert again is not None

    assert was_carried_out(again, order("c"))
    assert done(hold("c"), again) is None
    assert done(hold("another"), again) is not None


@pytest.mark.parametrize("start", [State.RESERVED, State.SUBMITTED, State.RUNNING, State.CANCELLING])
def test_what_holds_replicas_cannot_be_held(start: State) -> None:
    assert isinstance(hold().objection(job_in(start), NOW), Refusal)
    assert done(hold(), job_in(start)) is None
    assert isinstance(release().objection(job_in(start), NOW), Already)


def test_what_ended_is_neither_held_nor_released() -> None:
    over = move(on_hold(), State.ENDED, at=NOW, outcome=Outcome.CANCELLED)

    assert over.holds == ()
    assert isinstance(hold().objection(over, NOW), Refusal)
    assert isinstance(release().objection(over, NOW), Refusal)
