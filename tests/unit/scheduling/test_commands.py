"""What each command makes of a job, and what speaks against it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.arrays import Array, maximum_key
from poolqueue.scheduling.changes import CustomJobEnded
from poolqueue.scheduling.commands import (
    Already,
    ChangeAsked,
    Commanded,
    JobCommand,
    Order,
    Refusal,
    RequeueAsked,
    RetryAsked,
)
from poolqueue.scheduling.events import Noted
from poolqueue.scheduling.jobs import Hold, Job, Outcome, Reason, State, move
from poolqueue.scheduling.sightings import CustomJobVanished
from tests.unit.scheduling.building import KEY as HERE
from tests.unit.scheduling.building import NOW, at, job, job_in, reservation, resource

KEY = "research.j"
LATER = at(30)
ORDER = Order(command="c", author="ada", reason="why")


def made(asked: JobCommand, to: Job) -> Job:
    after = Commanded(asked=asked).on(to, resource(reservation()), LATER).job
    assert after is not None, asked.objection(to, LATER)
    return after


def change(**terms: Any) -> ChangeAsked:
    return ChangeAsked(key=KEY, order=ORDER, terms=terms)


def retry(**terms: Any) -> RetryAsked:
    return RetryAsked(key=KEY, order=ORDER, terms=terms)


def requeue(*, is_held: bool = False) -> RequeueAsked:
    return RequeueAsked(key=KEY, order=ORDER, is_held=is_held)


def over(**more: Any) -> Job:
    running = job_in(State.RUNNING, preemptions=2, setbacks=3, **more)
    return move(running, State.ENDED, at=at(20), outcome=Outcome.FAILED, error="exit code 1")


def as_ended(waiting: Job) -> Job:
    return move(waiting, State.ENDED, at=at(20), outcome=Outcome.FAILED)


def cancelled_at_vertex(to: Job) -> Job:
    ended = CustomJobEnded(
        key=KEY,
        token="t1",
        custom_job="projects/1/customJobs/7",
        state="CANCELLED",
        error_code=None,
        error="it was cancelled",
        started=at(5),
        ended=at(20),
    )
    after = ended.on(to, resource(reservation()), LATER).job
    assert after is not None
    return after


# --- change


def test_a_change_is_told_with_what_was_and_what_is() -> None:
    after = made(change(priority=80, max_wait=None), job(priority=50, max_wait=3600))

    assert (after.priority, after.max_wait, after.state) == (80, None, State.QUEUED)
    assert after.history[-1].note == "priority 50 -> 80, max_wait 3600 -> none; ada: why"


def test_a_held_job_is_changed_and_stays_held() -> None:
    hold = Hold(reason=Reason.ON_HOLD, at=NOW)

    after = made(change(priority=80), job(holds=(hold,)))

    assert (after.state, after.holds, after.reason) == (State.HELD, (hold,), Reason.CHANGED)


def test_where_a_job_waits_is_no_alternative_to_itself() -> None:
    here, there = Alternative(resource=HERE), Alternative(resource="demo-p.us-central1.other")

    assert made(change(alternatives=(here, there)), job()).alternatives == (there,)
    assert isinstance(change(alternatives=(here,)).objection(job(), NOW), Already)


@pytest.mark.parametrize("asked", [change, retry])
def test_what_may_not_run_elsewhere_for_its_maximum_does_not_get_there_by_command(asked) -> None:
    """An array whose request had alternatives keeps its maximum everywhere."""
    elsewhere = {"alternatives": (Alternative(resource="demo-p.us-central1.spare"),)}
    limited = Array(size=3, max_parallel=2)

    for kept in (job(array=limited), job(job_id="sweep.0", max_parallel=2)):
        there = kept if asked is change else as_ended(kept)
        objection = asked(**elsewhere).objection(there, NOW)
        assert isinstance(objection, Refusal)
        assert objection.told.startswith("max_parallel, 2, is kept on one persistent resource")
    free = job(array=limited, serial=maximum_key("sweep", 2))
    assert asked(**elsewhere).objection(free if asked is change else as_ended(free), NOW) is None


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"deadline": at(-1)}, "has passed"),
        ({"max_wait": 10}, "has waited for longer"),
        ({"deadline": at(3600)}, "may not start before"),
    ],
)
def test_what_would_end_the_job_at_once_is_refused(terms: dict[str, Any], told: str) -> None:
    objection = change(**terms).objection(job(not_before=at(7200)), at(60))

    assert isinstance(objection, Refusal)
    assert told in objection.told


# --- retry


def test_a_retried_job_keeps_what_it_was_and_forgets_its_last_attempt() -> None:
    before = over(max_wait=10)

    after = made(retry(), before)

    assert (after.state, after.outcome, after.ended, after.error) == (State.QUEUED, None, None, None)
    assert (after.token, after.custom_job, after.started, after.submitted) == (None, None, None, None)
    assert (after.preemptions, after.setbacks, after.inbox) == (0, 0, False)
    assert (after.attempt, after.tokens, after.digest) == (1, ("t1",), before.digest)
    assert after.sequence == before.sequence + 1
    assert after.history[:-1] == before.history


def test_a_retried_job_arrives_anew_and_waits_from_then() -> None:
    after = made(retry(), over(max_wait=10))

    assert (after.created, after.arrived) == (NOW, LATER)
    assert after.expires == LATER + timedelta(seconds=10)


def test_a_late_end_of_the_attempt_before_leaves_a_retried_job_alone() -> None:
    ended = CustomJobVanished(key=KEY, token="t1")

    assert ended.on(made(retry(), over()), resource(), LATER).job is None


def test_a_passed_deadline_needs_a_later_one() -> None:
    late = over(deadline=at(25))

    assert isinstance(retry().objection(late, LATER), Refusal)
    assert made(retry(deadline=at(3600)), late).deadline == at(3600)


# --- requeue


@pytest.mark.parametrize("start", [State.RESERVED, State.SUBMITTED, State.RUNNING])
def test_a_requeued_job_keeps_its_reservation_until_its_custom_job_has_ended(start: State) -> None:
    effect = Commanded(asked=requeue()).on(job_in(start), resource(reservation()), LATER)

    assert effect.job is not None
    assert (effect.job.state, effect.job.cancel_reason) == (State.CANCELLING, Reason.REQUEUE_ASKED)
    assert effect.events == (Noted(reservation=reservation(cancelled_at=LATER)),)


def test_then_it_is_back_at_its_place_at_once_and_uncharged() -> None:
    after = cancelled_at_vertex(made(requeue(), job_in(State.RUNNING)))

    assert (after.state, after.reason) == (State.QUEUED, Reason.REQUEUE_ASKED)
    assert after.history[-1].note == "ada: why"
    assert (after.not_before, after.setbacks, after.arrived) == (None, 0, NOW)


def test_or_it_is_held() -> None:
    after = cancelled_at_vertex(made(requeue(is_held=True), job_in(State.RUNNING)))

    assert after.state is State.HELD
    assert [hold.reason for hold in after.holds] == [Reason.ON_HOLD]


def test_a_requeued_job_whose_custom_job_vanished_waits_again() -> None:
    cancelling = made(requeue(), job_in(State.RUNNING))

    after = CustomJobVanished(key=KEY, token="t1").on(cancelling, resource(reservation()), LATER).job

    assert after is not None
    assert (after.state, after.reason) == (State.QUEUED, Reason.REQUEUE_ASKED)
