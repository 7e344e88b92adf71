from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from poolqueue.scheduling.changes import (
    NOTHING,
    Change,
    CustomJobEnded,
    Effect,
    SubmissionFailed,
)
from poolqueue.scheduling.commands import CancelAsked, Commanded, Order
from poolqueue.scheduling.events import (
    DoubtedReadiness,
    Noted,
    Released,
    RunEnded,
    SubmissionRefused,
    apply,
)
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State, move
from poolqueue.scheduling.pools import Ran, Resource
from poolqueue.scheduling.sightings import (
    Adopted,
    CancelRepeated,
    CustomJobVanished,
    FoundAbsent,
    PendingTooLong,
    SeenRunning,
    never_created,
)
from poolqueue.scheduling.traits import NO_TRAITS
from tests.unit.scheduling.building import CPU, NOW, at, job, job_in, reservation, resource

KEY = "research.j"
NAME = "projects/1/customJobs/7"
LATER = at(30)
WITH_RESERVATION = [State.RESERVED, State.SUBMITTED, State.RUNNING, State.CANCELLING]


def ended(state: str = "SUCCEEDED", token: str = "t1", **changes) -> CustomJobEnded:
    fields = {
        "error_code": None,
        "error": None,
        "started": at(5),
        "ended": at(20),
        **changes,
    }
    return CustomJobEnded(key=KEY, token=token, custom_job=NAME, state=state, **fields)


def failed(**changes) -> SubmissionFailed:
    fields = {"token": "t1", "reason": Reason.CAPACITY_REFUSED, "message": "told", **changes}
    return SubmissionFailed(key=KEY, **fields)


def cancel(reason: str = "wrong") -> Commanded:
    order = Order(command=f"c-{reason}", author="ada", reason=reason)
    return Commanded(asked=CancelAsked(key=KEY, order=order))


def every_change(token: str) -> list[Change]:
    """Each change that concerns one attempt."""
    return [
        ended(token=token),
        ended("FAILED", token, error_code=8, error="resources are insufficient", started=None),
        failed(token=token),
        failed(token=token, is_final=True),
        Adopted(key=KEY, token=token, custom_job=NAME),
        SeenRunning(key=KEY, token=token, custom_job=NAME, started=at(5)),
        PendingTooLong(key=KEY, token=token, custom_job=NAME, waited=timedelta(hours=1)),
        CancelRepeated(key=KEY, token=token),
        FoundAbsent(key=KEY, token=token, at=at(9)),
        never_created(KEY, token),
        CustomJobVanished(key=KEY, token=token),
    ]


def done(change: Change, to: Job | None, on: Resource | None = None) -> Effect:
    return change.on(to, resource(reservation()) if on is None else on, LATER)


def job_after(change: Change, to: Job) -> Job:
    after = done(change, to).job
    assert after is not None
    return after


def cancelled_by_asking(start: State) -> Job:
    return job_after(cancel("enough"), job_in(start))


def kinds(effect: Effect) -> list[type]:
    return [type(event) for event in effect.events]


# --- the fence -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", every_change("old"), ids=lambda change: type(change).__name__)
@pytest.mark.parametrize("start", [State.QUEUED, *WITH_RESERVATION])
def test_what_concerns_an_earlier_attempt_never_moves_the_job(change: Change, start: State) -> None:
    effect = done(change, job_in(start, token="new"), resource(reservation("new")))

    assert effect == NOTHING


@pytest.mark.parametrize("change", every_change("t1"), ids=lambda change: type(change).__name__)
def test_nothing_moves_a_job_that_ended(change: Change) -> None:
    over = move(job_in(State.RUNNING), State.ENDED, at=NOW, outcome=Outcome.SUCCEEDED)

    assert done(change, over).job is None


@pytest.mark.parametrize("change", every_change("t1"), ids=lambda change: type(change).__name__)
def test_without_its_reservation_nothing_is_released_or_noted(change: Change) -> None:
    effect = done(change, job_in(State.RUNNING), resource())

    assert not {Released, Noted} & set(kinds(effect))


@pytest.mark.parametrize("change", every_change("t1"), ids=lambda change: type(change).__name__)
@pytest.mark.parametrize("start", WITH_RESERVATION)
def test_a_change_of_the_current_attempt_is_always_a_legal_move(change: Change, start: State) -> None:
    done(change, job_in(start))


@pytest.mark.parametrize("change", every_change("t1"), ids=lambda change: type(change).__name__)
def test_a_job_whose_document_is_gone_leaves_no_reservation_for_ever(change: Change) -> None:
    done(change, None)


@pytest.mark.parametrize("change", every_change("t1"), ids=lambda change: type(change).__name__)
@pytest.mark.parametrize("start", WITH_RESERVATION)
def test_made_twice_a_change_moves_the_job_once(change: Change, start: State) -> None:
    first = done(change, job_in(start))
    before = first.job or job_in(start)
    later = resource(reservation())
    for event in first.events:
        later = apply(later, event)

    second = change.on(before, later, LATER)

    assert second.job is None or second.job.sequence == before.sequence


def of_another_custom_job() -> list[Change]:
    other = "projects/p/customJobs/8"
    return [
        replace(ended(), custom_job=other),
        Adopted(key=KEY, token="t1", custom_job=other),
        SeenRunning(key=KEY, token="t1", custom_job=other, started=at(5)),
        PendingTooLong(key=KEY, token="t1", custom_job=other, waited=timedelta(hours=1)),
    ]


@pytest.mark.parametrize("change", of_another_custom_job(), ids=lambda change: type(change).__name__)
@pytest.mark.parametrize("start", [State.SUBMITTED, State.RUNNING])
def test_what_another_custom_job_with_its_token_does_moves_no_job_and_releases_nothing(change, start) -> None:
    effect = done(change, job_in(start))

    assert effect.job is None
    assert Released not in kinds(effect)


@pytest.mark.parametrize("change", of_another_custom_job()[1:3], ids=lambda change: type(change).__name__)
def test_another_custom_job_seen_with_its_token_makes_the_reservation_know_its_own(change) -> None:
    effect = done(change, job_in(State.SUBMITTED))

    assert effect.events == (Noted(reservation=reservation(number="7")),)


def test_a_custom_job_is_the_same_under_the_projects_id_and_number() -> None:
    change = replace(ended(), custom_job="projects/the-id/locations/l/customJobs/7")

    assert job_after(change, job_in(State.RUNNING)).state is State.ENDED


def test_the_end_of_another_custom_job_is_not_noted() -> None:
    change = replace(ended(), custom_job="projects/1/customJobs/8")

    assert change.noted(job_in(State.RUNNING)) is None


# --- ends ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "outcome", "reason"),
    [
        ("SUCCEEDED", Outcome.SUCCEEDED, None),
        ("PARTIALLY_SUCCEEDED", Outcome.SUCCEEDED, Reason.PARTLY),
        ("FAILED", Outcome.FAILED, None),
        ("EXPIRED", Outcome.EXPIRED, Reason.TIMED_OUT),
        ("CANCELLED", Outcome.CANCELLED, Reason.CANCELLED_ELSEWHERE),
    ],
)
@pytest.mark.parametrize("start", [State.RESERVED, State.SUBMITTED, State.RUNNING])
def test_an_end_is_recorded_with_its_outcome_and_gives_the_replicas_back(
    start, state, outcome, reason
) -> None:
    effect = done(ended(state, error="told"), job_in(start))

    assert effect.job is not None
    assert (effect.job.state, effect.job.outcome, effect.job.reason) == (State.ENDED, outcome, reason)
    assert (effect.job.error, effect.job.started, effect.job.ended) == ("told", at(5), at(20))
    assert effect.job.custom_job == NAME
    assert Released(token="t1", at=LATER) in effect.events


@pytest.mark.parametrize(
    ("state", "by_itself"),
    [
        ("SUCCEEDED", True),
        ("PARTIALLY_SUCCEEDED", True),
        ("FAILED", True),
        ("EXPIRED", False),
        ("CANCELLED", False),
    ],
)
@pytest.mark.parametrize("job", [job_in(State.RUNNING), job_in(State.RUNNING, token="later"), None])
def test_run_times_learn_from_an_end_how_long_it_ran_whatever_became_of_the_job(
    state: str, by_itself: bool, job: Job | None
) -> None:
    effect = done(ended(state), job)

    own = reservation()
    ran = Ran(
        traits=NO_TRAITS,
        since=at(5),
        seconds=15.0,
        by_itself=by_itself,
        team=own.team,
        replicas=own.replicas,
    )
    assert RunEnded(token="t1", ran=ran) in effect.events


def test_a_failure_of_vertex_ai_says_only_that_it_would_have_run_longer() -> None:
    effect = done(ended("FAILED", error_code=13), job_in(State.RUNNING))

    (taught,) = [event for event in effect.events if isinstance(event, RunEnded)]
    assert not taught.ran.by_itself


@pytest.mark.parametrize("state", ["CANCELLED", "FAILED"])
def test_what_never_ran_teaches_nothing(state: str) -> None:
    assert RunEnded not in kinds(done(ended(state, started=None), job_in(State.SUBMITTED)))


def test_when_it_was_seen_to_start_counts_if_its_end_does_not_say() -> None:
    seen = resource(reservation(started=at(10)))

    effect = done(ended(started=None), job_in(State.RUNNING), seen)

    (taught,) = [event for event in effect.events if isinstance(event, RunEnded)]
    assert (taught.ran.since, taught.ran.seconds) == (at(10), 10.0)


@pytest.mark.parametrize("state", ["RUNNING", "PENDING", "QUEUED", "CANCELLING", "PAUSED", "UPDATING"])
def test_what_has_not_ended_changes_nothing(state: str) -> None:
    assert done(ended(state), job_in(State.RUNNING)) == NOTHING


def test_a_lack_of_capacity_found_later_requeues_and_leaves_the_pool_alone() -> None:
    change = ended("FAILED", error_code=8, error="resources are insufficient", started=None)

    effect = done(change, job_in(State.SUBMITTED))

    assert effect.job is not None
    assert (effect.job.state, effect.job.reason) == (State.QUEUED, Reason.CAPACITY_REFUSED)
    assert effect.job.not_before is not None
    assert effect.events == (
        Released(token="t1", at=LATER, settles=False),
        SubmissionRefused(pools=(CPU,), reason=Reason.CAPACITY_REFUSED, at=LATER),
    )


def test_a_custom_job_cancelled_with_its_resource_is_requeued() -> None:
    requeued = job_after(ended("CANCELLED", resource_gone=True), job_in(State.RUNNING))

    assert (requeued.state, requeued.reason) == (State.QUEUED, Reason.RESOURCE_DELETED)


def test_one_that_its_owner_cancels_is_not_requeued_because_its_resource_is_gone() -> None:
    over = job_after(ended("CANCELLED", resource_gone=True), cancelled_by_asking(State.RUNNING))

    assert (over.outcome, over.reason) == (Outcome.CANCELLED, Reason.ASKED)


def test_one_that_its_owner_cancelled_ends_with_who_asked_and_why() -> None:
    over = job_after(ended("CANCELLED", error="CANCELED"), cancelled_by_asking(State.RUNNING))

    assert (over.history[-1].note, over.error) == ("ada: enough", "CANCELED")


def test_one_that_finished_before_its_cancel_took_effect_keeps_its_outcome() -> None:
    assert job_after(ended(), cancelled_by_asking(State.RUNNING)).outcome is Outcome.SUCCEEDED


def test_a_requeued_job_has_forgotten_its_attempt_but_not_its_tokens() -> None:
    requeued = job_after(failed(), job_in(State.RESERVED))

    assert (requeued.token, requeued.custom_job, requeued.submitted) == (None, None, None)
    assert requeued.tokens == ("t1",)
    assert requeued.attempt == 1


# --- submissions -----------------------------------------------------------------------------------------


def test_a_refused_submission_is_requeued_and_its_replicas_are_free() -> None:
    effect = done(failed(), job_in(State.RESERVED))

    assert effect.job is not None
    assert (effect.job.state, effect.job.reason, effect.job.history[-1].note) == (
        State.QUEUED,
        Reason.CAPACITY_REFUSED,
        "told",
    )
    assert effect.events == (Released(token="t1", at=LATER, settles=False),)


def test_a_final_refusal_ends_the_job_with_its_message() -> None:
    over = job_after(failed(is_final=True, reason=Reason.REFUSED_BY_VERTEX_AI), job_in(State.RESERVED))

    assert (over.outcome, over.reason, over.error) == (
        Outcome.REJECTED,
        Reason.REFUSED_BY_VERTEX_AI,
        "told",
    )


@pytest.mark.parametrize("reason", [Reason.CAPACITY_REFUSED, Reason.QUOTA, Reason.RESOURCE_NOT_READY])
def test_a_refusal_for_lack_of_room_backs_off_the_pools_and_not_the_job(reason) -> None:
    effect = done(failed(reason=reason, pools_refused=True, backs_off=False), job_in(State.RESERVED))

    assert SubmissionRefused(pools=(CPU,), reason=reason, at=LATER) in effect.events
    assert effect.job is not None
    assert effect.job.not_before is None


def test_refusals_in_a_row_leave_the_pool_alone_for_longer_and_longer() -> None:
    lengths, now, on = [], NOW, resource(reservation())
    for _ in range(4):
        on = replace(on, reservations={"t1": reservation()})
        change = failed(pools_refused=True, backs_off=False)
        for event in change.on(job_in(State.RESERVED), on, now).events:
            on = apply(on, event)
        lengths.append((on.backoffs[CPU].until - now).total_seconds())
        now = on.backoffs[CPU].until + timedelta(seconds=1)

    assert lengths == [15, 30, 60, 120]


def test_a_resource_that_is_not_ready_must_be_looked_at_again() -> None:
    effect = done(failed(not_ready=True), job_in(State.RESERVED))

    assert DoubtedReadiness() in effect.events


def test_setbacks_grow_and_are_bounded() -> None:
    waits, again = [], job_in(State.RESERVED)
    for _ in range(9):
        again = job_after(failed(), again)
        assert again.not_before is not None
        waits.append((again.not_before - LATER).total_seconds())
        again = move(again, State.RESERVED, at=NOW, token="t1")

    assert waits == [10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_a_submission_that_never_was_may_start_again_at_once() -> None:
    requeued = job_after(never_created(KEY, "t1"), job_in(State.RESERVED))

    assert (requeued.state, requeued.reason, requeued.not_before) == (
        State.QUEUED,
        Reason.NEVER_CREATED,
        None,
    )


def test_the_first_absence_is_the_one_that_is_remembered() -> None:
    first = done(FoundAbsent(key=KEY, token="t1", at=at(5)), job_in(State.RESERVED))
    noted = resource(reservation(absent_since=at(5)))

    assert first.events == (Noted(reservation=reservation(absent_since=at(5))),)
    assert done(FoundAbsent(key=KEY, token="t1", at=at(9)), job_in(State.RESERVED), noted) == NOTHING


def test_an_absence_is_forgotten_once_the_custom_job_is_found() -> None:
    adopted = Adopted(key=KEY, token="t1", custom_job=NAME)

    effect = done(adopted, job_in(State.RESERVED), resource(reservation(absent_since=at(5))))

    assert effect.events == (Noted(reservation=reservation(number="7")),)


def test_an_adopted_custom_job_is_submitted() -> None:
    effect = done(Adopted(key=KEY, token="t1", custom_job=NAME), job_in(State.RESERVED))

    assert effect.job is not None
    assert (effect.job.state, effect.job.custom_job, effect.job.submitted) == (State.SUBMITTED, NAME, LATER)
    assert effect.events == (Noted(reservation=reservation(number="7")),)


def test_one_that_is_being_cancelled_only_learns_which_custom_job_is_its() -> None:
    adopted = job_after(Adopted(key=KEY, token="t1", custom_job=NAME), cancelled_by_asking(State.RESERVED))

    assert (adopted.state, adopted.custom_job) == (State.CANCELLING, NAME)


@pytest.mark.parametrize("start", [State.RESERVED, State.SUBMITTED])
def test_a_custom_job_seen_running_makes_its_job_run(start: State) -> None:
    effect = done(SeenRunning(key=KEY, token="t1", custom_job=NAME, started=at(5)), job_in(start))

    assert effect.job is not None
    assert (effect.job.state, effect.job.started, effect.job.custom_job) == (State.RUNNING, at(5), NAME)
    assert effect.events == (Noted(reservation=reservation(number="7", running=True, started=at(5))),)


# --- pending too long ------------------------------------------------------------------------------------


def test_what_never_ran_is_cancelled_and_then_requeued() -> None:
    cancelling = job_after(
        PendingTooLong(key=KEY, token="t1", custom_job=NAME, waited=timedelta(minutes=31)),
        job_in(State.SUBMITTED),
    )
    assert (cancelling.state, cancelling.reason) == (State.CANCELLING, Reason.PENDING_TOO_LONG)

    requeued = job_after(ended("CANCELLED", started=None), cancelling)

    assert (requeued.state, requeued.reason) == (State.QUEUED, Reason.PENDING_TOO_LONG)
    assert requeued.cancel_reason is None


def test_one_that_is_cancelled_for_pending_and_then_by_its_owner_ends() -> None:
    pending = PendingTooLong(key=KEY, token="t1", custom_job=NAME, waited=timedelta(minutes=31))
    asked = job_after(cancel(), job_after(pending, job_in(State.SUBMITTED)))

    over = job_after(ended("CANCELLED"), asked)

    assert (over.outcome, over.reason) == (Outcome.CANCELLED, Reason.ASKED)


# --- cancels ---------------------------------------------------------------------------------------------


def test_a_waiting_job_is_cancelled_at_once() -> None:
    effect = done(cancel("enough"), job(), resource())

    assert effect.job is not None
    assert (effect.job.outcome, effect.job.reason) == (Outcome.CANCELLED, Reason.ASKED)
    assert effect.job.history[-1].note == "ada: enough"
    assert not effect.events


@pytest.mark.parametrize("start", [State.RESERVED, State.SUBMITTED, State.RUNNING])
def test_one_with_a_reservation_keeps_it_until_its_custom_job_has_ended(start: State) -> None:
    effect = done(cancel(), job_in(start))

    assert effect.job is not None
    assert (effect.job.state, effect.job.cancel_reason) == (State.CANCELLING, Reason.ASKED)
    assert effect.events == (Noted(reservation=reservation(cancelled_at=LATER)),)


def test_a_cancel_asked_twice_changes_nothing_more() -> None:
    assert done(cancel("again"), cancelled_by_asking(State.RUNNING)) == NOTHING


@pytest.mark.parametrize("change", [failed(), never_created(KEY, "t1")], ids=["refused", "never created"])
def test_a_job_cancelled_while_it_was_being_submitted_ends_when_there_is_no_custom_job(change) -> None:
    over = job_after(change, cancelled_by_asking(State.RESERVED))

    assert (over.outcome, over.reason) == (Outcome.CANCELLED, Reason.ASKED)


def test_a_repeated_cancel_is_noted_with_its_time() -> None:
    effect = done(CancelRepeated(key=KEY, token="t1"), job_in(State.CANCELLING))

    assert effect == Effect(events=(Noted(reservation=reservation(cancelled_at=LATER)),))


# --- custom jobs that are gone ---------------------------------------------------------------------------


def test_a_deleted_custom_job_is_lost() -> None:
    effect = done(CustomJobVanished(key=KEY, token="t1"), job_in(State.RUNNING))

    assert effect.job is not None
    assert (effect.job.outcome, effect.job.reason) == (Outcome.LOST, Reason.CUSTOM_JOB_DELETED)
    assert effect.events == (Released(token="t1", at=LATER),)


def test_one_deleted_while_its_owner_cancels_it_is_cancelled() -> None:
    over = job_after(CustomJobVanished(key=KEY, token="t1"), cancelled_by_asking(State.RUNNING))

    assert (over.outcome, over.reason) == (Outcome.CANCELLED, Reason.ASKED)


# --- ends that are only noted ----------------------------------------------------------------------------


def test_an_end_can_be_noted_on_its_job_and_read_back() -> None:
    noted = ended().noted(job_in(State.RUNNING))

    assert noted is not None
    assert noted.inbox
    assert noted.ending is not None
    assert CustomJobEnded(**noted.ending) == ended()


def test_an_end_of_another_attempt_is_not_noted() -> None:
    assert ended(token="old").noted(job_in(State.RUNNING, token="new")) is None


@pytest.mark.parametrize("change", every_change("t1"), ids=lambda change: type(change).__name__)
def test_a_job_that_ended_or_was_requeued_has_no_noted_end_left(change: Change) -> None:
    noted = ended().noted(job_in(State.SUBMITTED))
    assert noted is not None

    after = done(change, noted).job

    if after is not None and after.state in {State.ENDED, State.QUEUED}:
        assert (after.inbox, after.ending) == (False, None)
