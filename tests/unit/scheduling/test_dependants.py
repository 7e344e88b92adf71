"""A job that depends on others is held until they end, and released or ended as they end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.dependants import (
    DependantsTold,
    DependencyEnded,
    is_met,
    recorded,
    waits_for_told,
)
from poolqueue.scheduling.dependency import After, Dependency, OnFailed
from poolqueue.scheduling.events import DependantsDue, DependantsSettled, apply
from poolqueue.scheduling.holds import released
from poolqueue.scheduling.jobs import Hold, Job, Outcome, Reason, State
from poolqueue.scheduling.pools import is_forgettable
from tests.unit.scheduling.building import NOW, at, job, resource

A, B = Dependency(job_id="a"), Dependency(job_id="b")
BAD = [outcome for outcome in Outcome if outcome is not Outcome.SUCCEEDED]


def new(*dependencies: Dependency, ended: dict[str, Outcome] | None = None, **more: Any) -> Job:
    asked = replace(job("j", depends_on=dependencies, **more), history=(), sequence=0)
    return recorded(asked, ended or {}, at=NOW)


def told(held: Job, job_id: str, outcome: Outcome) -> Job | None:
    change = DependencyEnded(key=held.key, job_id=job_id, outcome=outcome)
    return change.on(held, resource(), at(1)).job


def test_a_job_waits_for_those_that_have_not_ended() -> None:
    held = new(A, B)

    assert (held.state, held.reason, held.waits_for) == (State.HELD, Reason.WAITS_FOR_JOBS, (A, B))
    assert held.history[0].note == "waits for a, b"


@pytest.mark.parametrize("outcome", Outcome)
def test_what_is_no_success_is_a_failure(outcome: Outcome) -> None:
    is_success = outcome is Outcome.SUCCEEDED

    assert is_met(Dependency(job_id="a"), outcome) is is_success
    assert is_met(Dependency(job_id="a", after=After.FAILURE), outcome) is not is_success
    assert is_met(Dependency(job_id="a", after=After.END), outcome)


def test_the_last_end_releases_it() -> None:
    half = told(new(A, B), "a", Outcome.SUCCEEDED)

    assert half is not None
    assert (half.state, half.waits_for, half.holds[0].note) == (State.HELD, (B,), "waits for b")
    assert half.sequence == 1, "what it still waits for is nothing to announce"
    free = told(half, "b", Outcome.SUCCEEDED)
    assert free is not None
    assert (free.state, free.reason, free.holds) == (State.QUEUED, Reason.RELEASED, ())
    assert free.history[-1].note == "what it waited for is over: b succeeded"


@pytest.mark.parametrize("outcome", BAD)
def test_a_failed_dependency_ends_it_with_the_reason(outcome: Outcome) -> None:
    over = told(new(A, B), "a", outcome)

    assert over is not None
    assert (over.state, over.outcome, over.reason) == (
        State.ENDED,
        Outcome.CANCELLED,
        Reason.DEPENDENCY_FAILED,
    )
    assert over.error is not None
    assert over.error.startswith("it was to start once a had succeeded, which ")
    assert outcome.value in over.error


def test_a_success_fails_who_waits_for_a_failure() -> None:
    over = told(new(Dependency(job_id="a", after=After.FAILURE)), "a", Outcome.SUCCEEDED)

    assert over is not None
    assert over.error == "it was to start once a had failed, which succeeded"


def test_a_failed_dependency_may_be_no_obstacle() -> None:
    half = told(new(A, B, on_failed_dependency=OnFailed.RELEASE), "a", Outcome.FAILED)

    assert half is not None
    assert half.waits_for == (B,), "it waits for the others all the same"
    free = told(half, "b", Outcome.SUCCEEDED)
    assert free is not None
    assert free.state is State.QUEUED


def test_who_somebody_holds_besides_stays_held() -> None:
    hold = Hold(reason=Reason.ON_HOLD, at=NOW, note="ada: look first")
    held = new(A, holds=(hold,))
    assert held.reason is Reason.ON_HOLD

    still = told(held, "a", Outcome.SUCCEEDED)

    assert still is not None
    assert (still.state, still.reason, still.holds) == (State.HELD, Reason.ON_HOLD, (hold,))


def test_who_somebody_released_still_waits() -> None:
    held = new(A, holds=(Hold(reason=Reason.ON_HOLD, at=NOW),))

    left = released(held, Reason.ON_HOLD, at=at(1), note="ada", told=Reason.RELEASED)

    assert (left.state, left.reason) == (State.HELD, Reason.WAITS_FOR_JOBS)


def test_what_is_over_when_it_is_asked_for_is_decided_at_once() -> None:
    assert new(A, ended={"a": Outcome.SUCCEEDED}).state is State.QUEUED
    assert new(A, B, ended={"a": Outcome.SUCCEEDED}).waits_for == (B,)
    over = new(A, B, ended={"a": Outcome.EXPIRED})
    assert (over.state, over.outcome, over.reason) == (
        State.ENDED,
        Outcome.CANCELLED,
        Reason.DEPENDENCY_FAILED,
    )
    released_one = new(A, ended={"a": Outcome.EXPIRED}, on_failed_dependency=OnFailed.RELEASE)
    assert released_one.state is State.QUEUED


def test_an_end_tells_nothing_to_who_does_not_wait_for_it() -> None:
    held = new(A)
    free = told(held, "a", Outcome.SUCCEEDED)

    assert told(held, "other", Outcome.FAILED) is None
    assert free is not None
    assert told(free, "a", Outcome.FAILED) is None, "what is decided stays so"
    assert (
        DependencyEnded(key="x.j", job_id="a", outcome=Outcome.FAILED).on(None, resource(), NOW).job is None
    )


def test_many_are_named_by_the_first() -> None:
    many = [Dependency(job_id=f"j{n}", after=After.END if n == 1 else After.SUCCESS) for n in range(6)]

    assert waits_for_told(many) == "waits for j0, j1 (to end), j2 and 3 more"


def test_the_resource_remembers_whose_dependants_are_to_be_told() -> None:
    due = apply(resource(), DependantsDue(key="research.a", at=NOW))
    ended = job("a", dependants=("j", "k"))

    effect = DependantsTold(key="research.a", job_ids={"j"}).on(ended, due, NOW)

    assert effect.job is not None
    assert effect.job.dependants == ("k",)
    (event,) = effect.events
    assert event == DependantsSettled(key="research.a")
    assert apply(due, event) == resource()


def test_a_resource_with_somebody_to_tell_is_not_forgotten() -> None:
    gone = resource(pools=(), state="MISSING")

    assert is_forgettable(gone)
    assert not is_forgettable(apply(gone, DependantsDue(key="research.a", at=NOW)))


DEPENDENCIES = st.lists(
    st.builds(Dependency, job_id=st.sampled_from("abcd"), after=st.sampled_from(After)),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each.job_id,
)


@given(
    DEPENDENCIES,
    st.sampled_from(OnFailed),
    st.fixed_dictionaries({name: st.sampled_from(Outcome) for name in "abcd"}),
    st.permutations("abcd"),
    st.integers(0, 4),
)
def test_in_whatever_order_they_end_the_same_becomes_of_it(
    dependencies, on_failed, outcomes, order, ended_before
) -> None:
    """It is decided at once or later; each end may be told twice."""
    before = {name: outcomes[name] for name in order[:ended_before]}
    made = new(*dependencies, ended=before, on_failed_dependency=on_failed)
    for name in order[ended_before:]:
        for _ in range(2):
            made = told(made, name, outcomes[name]) or made

    is_ended = on_failed is OnFailed.END and any(not is_met(d, outcomes[d.job_id]) for d in dependencies)
    assert made.state is (State.ENDED if is_ended else State.QUEUED)
    assert made.waits_for == ()
    assert made.holds == ()
