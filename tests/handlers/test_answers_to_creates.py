"""What Vertex AI can answer to a create call, and what becomes of the queue."""

from __future__ import annotations

import pytest

from handlers import job_requested
from poolqueue.ports import TOKEN_LABEL
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.support.installation import Installation, pool, request, worker_pool_spec
from tests.support.soundness import check

AFTER_QUIET_PERIOD = 9 * 60
TWO = (worker_pool_spec(), worker_pool_spec())


def creates(installation: Installation) -> int:
    return len([line for line in installation.events("request") if line["rpc"] == "CreateCustomJob"])


def spoil(installation: Installation, status: int, message: str = "told", **more) -> None:
    error = {"method": "CreateCustomJob", "status": status, "message": message, "count": 1, **more}
    installation.stand_in.behave(errors=[error])


def reasons(installation: Installation, job_id: str) -> list[Reason | None]:
    return [entry.reason for entry in installation.job(job_id).history]


def is_at_work(installation: Installation, job_id: str) -> bool:
    return installation.job(job_id).state in {State.SUBMITTED, State.RUNNING}


def occupy_unseen(installation: Installation) -> str:
    """Somebody else takes a replica after the queue has looked."""
    installation.ask(request("first"))
    return installation.submit_directly()


# --- no room after all -----------------------------------------------------------------------------------


def test_an_overfull_resource_that_lets_jobs_pend_leaves_the_queue_correct(
    installation: Installation,
) -> None:
    foreign = occupy_unseen(installation)
    installation.ask(request("j"))

    installation.sweep()
    assert is_at_work(installation, "j")
    installation.wait(lambda: installation.state_of(foreign) == "RUNNING", "the foreign job")
    installation.end(foreign)
    installation.wait_running("j")
    installation.sweep()

    assert installation.job("j").state is State.RUNNING
    check(installation, "first", "j")


def test_an_overfull_resource_that_refuses_leaves_the_queue_correct(installing) -> None:
    installation = installing(behaviour={"over_capacity": "reject"})
    foreign = occupy_unseen(installation)

    installation.ask(request("j"))

    assert installation.job("j").state is State.QUEUED
    assert Reason.CAPACITY_REFUSED in reasons(installation, "j")
    assert installation.job("j").attempt <= 3
    check(installation, "first", "j")

    installation.end(foreign)
    installation.clock.advance(seconds=120)
    installation.sweep()
    assert is_at_work(installation, "j")


def test_an_overfull_resource_where_jobs_fail_later_leaves_the_queue_correct(installing) -> None:
    installation = installing(behaviour={"over_capacity": "fail"})
    foreign = occupy_unseen(installation)
    installation.ask(request("j"))
    installation.wait(lambda: installation.log_lines, "the log line of the failure")
    installation.end(foreign)
    installation.wait(lambda: len(installation.log_lines) == 2, "the log line of the foreign job")

    installation.deliver_log_lines()

    assert Reason.CAPACITY_REFUSED in reasons(installation, "j")
    installation.clock.advance(seconds=60)
    installation.sweep()
    assert is_at_work(installation, "j")
    check(installation, "first", "j")


def test_a_refused_burst_is_one_refusal_of_the_pool(installing) -> None:
    installation = installing(pools=[pool(replicas=10)])
    installation.ask(request("first"))
    spoil(installation, 429, "not enough free replicas", count=None)

    for number in range(5):
        installation.ask(request(f"j{number}"))
        installation.clock.advance(seconds=1)

    assert creates(installation) <= 5
    check(installation, "first", *(f"j{number}" for number in range(5)))


def test_a_quota_that_is_used_up_makes_the_pool_wait_with_that_reason(installation: Installation) -> None:
    message = "The following quota metrics exceed quota limits: custom_model_training_cpus"
    spoil(installation, 429, message, count=None)

    installation.ask(request("j"))

    assert installation.job("j").state is State.QUEUED
    assert Reason.QUOTA in reasons(installation, "j")
    assert message[:40] in (installation.job("j").history[-1].note or "")


def test_too_many_requests_a_minute_block_the_pace_and_not_the_pool(installing) -> None:
    installation = installing(pools=[pool(replicas=5)])
    spoil(installation, 429, "Quota exceeded for quota metric 'requests' and limit 'requests per minute'")

    installation.ask(request("a"))
    installation.ask(request("b"))

    assert installation.job("a").history[-1].reason is Reason.PACED
    assert installation.job("b").history[-1].reason is Reason.PACED
    assert creates(installation) == 1
    installation.clock.advance(seconds=61)
    installation.sweep()
    assert is_at_work(installation, "a")
    assert is_at_work(installation, "b")
    check(installation, "a", "b")


# --- no answer that can be trusted -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 503, 504])
def test_a_create_that_took_effect_though_it_failed_is_adopted(installation: Installation, status) -> None:
    spoil(installation, status, after_effect=True)
    installation.ask(request("j"))
    assert installation.job("j").state is State.RESERVED

    installation.clock.advance(seconds=30)
    installation.sweep()

    assert installation.job("j").custom_job == installation.alive()[0].name
    assert creates(installation) == 1
    check(installation, "j")


def test_one_that_ended_before_it_was_found_is_recorded_with_its_end(installation: Installation) -> None:
    spoil(installation, 500, after_effect=True)
    installation.ask(request("j"))
    (custom_job,) = installation.alive()
    installation.wait(lambda: installation.state_of(custom_job.name) == "RUNNING", "it to run")
    installation.end(custom_job.name)
    installation.clock.advance(seconds=130)

    installation.sweep()

    assert installation.job("j").outcome is Outcome.SUCCEEDED
    assert creates(installation) == 1
    check(installation, "j")


def test_the_log_line_of_one_whose_answer_was_lost_ends_it(installation: Installation) -> None:
    spoil(installation, 500, after_effect=True)
    installation.ask(request("j"))
    (custom_job,) = installation.alive()
    installation.wait(lambda: installation.state_of(custom_job.name) == "RUNNING", "it to run")
    installation.end(custom_job.name)
    installation.wait(lambda: installation.log_lines, "its log line")

    installation.deliver_log_lines()

    assert installation.job("j").outcome is Outcome.SUCCEEDED
    assert installation.job("j").custom_job is not None
    check(installation, "j")


def test_a_create_that_was_lost_holds_its_replicas_until_that_is_settled(installation: Installation) -> None:
    spoil(installation, 503)
    installation.ask(request("j", *TWO))
    installation.ask(request("next"))
    token = installation.job("j").token

    installation.clock.advance(seconds=6 * 60)
    installation.sweep()
    assert (installation.job("j").state, installation.job("j").token) == (State.RESERVED, token)
    assert installation.job("next").state is State.QUEUED

    installation.clock.advance(seconds=2 * 60)
    installation.sweep()
    assert is_at_work(installation, "next"), "it was promised what the lost create held"

    installation.finish("next")
    assert is_at_work(installation, "j")
    assert installation.job("j").token != token
    assert Reason.NEVER_CREATED in reasons(installation, "j")
    check(installation, "j", "next")


def test_a_message_delivered_again_while_its_create_is_unresolved_sends_no_other(
    installation: Installation,
) -> None:
    spoil(installation, 503)
    delivery = installation.ask(request("j"))

    job_requested.handle(installation.system, delivery)
    installation.sweep()

    assert creates(installation) == 1


def test_a_create_that_is_never_answered_is_adopted(installing) -> None:
    installation = installing(settings={"timing": {"call_timeout": "1s"}})
    installation.stand_in.behave(never_answer={"CreateCustomJob": 1})

    installation.ask(request("j"))
    assert installation.job("j").state is State.RESERVED
    installation.sweep()

    assert installation.job("j").state in {State.SUBMITTED, State.RUNNING}
    check(installation, "j")


def test_a_late_copy_is_occupancy_and_is_cancelled(installation: Installation) -> None:
    spoil(installation, 503)
    installation.ask(request("j"))
    labels = {
        "pool_queue_installation": "testing",
        "pool_queue_token": installation.job("j").token,
        "pool_queue_team": "research",
        "pool_queue_job": "j",
    }
    installation.clock.advance(seconds=AFTER_QUIET_PERIOD)
    installation.sweep()
    installation.clock.advance(seconds=60)
    installation.sweep()
    assert is_at_work(installation, "j")  # the second attempt

    copy = installation.submit_directly(labels=labels)
    installation.sweep()

    installation.wait(lambda: installation.state_of(copy) == "CANCELLED", "the late copy to be cancelled")
    (alive,) = installation.alive()
    assert alive.labels[TOKEN_LABEL] == installation.job("j").token
    installation.wait(lambda: installation.log_lines, "its log line")
    installation.deliver_log_lines()
    assert is_at_work(installation, "j")
    assert len(installation.resource().reservations) == 1


def test_a_late_copy_of_a_job_that_has_ended_is_cancelled(installation: Installation) -> None:
    installation.ask(request("j"))
    token = installation.job("j").token
    installation.finish("j")
    labels = {
        "pool_queue_installation": "testing",
        "pool_queue_token": token,
        "pool_queue_team": "research",
        "pool_queue_job": "j",
    }
    copy = installation.submit_directly(labels=labels)

    installation.sweep()

    installation.wait(lambda: installation.state_of(copy) == "CANCELLED", "the late copy to be cancelled")
    assert installation.job("j").outcome is Outcome.SUCCEEDED


# --- refused for good ------------------------------------------------------------------------------------


def test_a_refusal_for_good_ends_the_job_and_keeps_the_message(installation: Installation) -> None:
    spoil(installation, 400, "The image demo/image is not allowed.")

    installation.ask(request("j"))

    job = installation.job("j")
    assert (job.outcome, job.reason) == (Outcome.REJECTED, Reason.REFUSED_BY_VERTEX_AI)
    assert "demo/image is not allowed" in (job.error or "")
    assert "demo/image is not allowed" in installation.outcomes("j")[-1]["error"]
    check(installation, "j")


def test_what_a_refused_job_leaves_free_goes_to_the_next_at_once(installation: Installation) -> None:
    installation.ask(request("first"))
    installation.ask(request("second"))
    installation.ask(request("third"))
    spoil(installation, 400, "not allowed")

    installation.finish("first")

    assert installation.job("third").outcome is Outcome.REJECTED
    installation.ask(request("fourth"))
    assert is_at_work(installation, "fourth")


# --- accepted and never running --------------------------------------------------------------------------


def test_what_never_runs_is_cancelled_and_once_that_is_confirmed_requeued(installing) -> None:
    installation = installing(
        settings={"resource_defaults": {"max_pending": "20m"}}, behaviour={"stay_pending": "stuck"}
    )
    installation.ask(request("stuck"))
    first = installation.job("stuck").custom_job
    assert first is not None
    installation.clock.advance(minutes=19)
    installation.sweep()
    assert is_at_work(installation, "stuck")

    installation.clock.advance(minutes=2)
    installation.sweep()
    assert installation.job("stuck").state is State.CANCELLING
    installation.wait(lambda: installation.state_of(first) == "CANCELLED", "the cancel to take effect")
    installation.stand_in.behave(stay_pending=None)
    installation.sweep()

    assert Reason.PENDING_TOO_LONG in reasons(installation, "stuck")
    installation.clock.advance(minutes=1)
    installation.sweep()
    installation.wait_running("stuck")
    assert installation.job("stuck").custom_job != first
    check(installation, "stuck")


def test_a_resource_has_a_max_pending_of_its_own(installing) -> None:
    installation = installing(
        settings={"resource_settings": {"shared": {"max_pending": "5m"}}}, behaviour={"stay_pending": "stuck"}
    )
    installation.ask(request("stuck"))
    installation.clock.advance(minutes=6)

    installation.sweep()

    assert installation.job("stuck").state is State.CANCELLING


def test_a_cancel_that_nobody_heard_is_repeated(installing) -> None:
    installation = installing(
        settings={"resource_defaults": {"max_pending": "5m"}}, behaviour={"stay_pending": "stuck"}
    )
    installation.ask(request("stuck"))
    installation.clock.advance(minutes=6)
    installation.stand_in.behave(errors=[{"method": "CancelCustomJob", "status": 503, "count": 1}])
    installation.sweep()
    assert installation.alive()

    installation.clock.advance(seconds=61)
    installation.sweep()

    installation.wait(lambda: not installation.alive(), "the repeated cancel to take effect")


def test_a_job_that_runs_is_never_cancelled_for_pending(installing) -> None:
    installation = installing(settings={"resource_defaults": {"max_pending": "5m"}})
    installation.ask(request("j"))
    installation.wait_running("j")
    installation.clock.advance(minutes=6)

    installation.sweep()

    assert installation.job("j").state is State.RUNNING
    assert not installation.events("cancel_requested")


def test_a_create_that_is_forbidden_holds_up_its_pools_not_each_job_in_turn(installing) -> None:
    """The resource is ready, and yet nothing may be created: a missing permission, say."""
    installation = installing(pools=[pool(replicas=30)])
    installation.ask(request("first"))
    spoil(installation, 403, "Permission 'aiplatform.customJobs.create' denied", count=None)

    for number in range(20):
        installation.ask(request(f"j{number}"))

    assert creates(installation) < 15
    assert installation.job("j19").history[-1].reason is Reason.RESOURCE_NOT_READY
    installation.stand_in.behave(errors=[])
    installation.clock.advance(minutes=11)
    installation.sweep()
    assert all(is_at_work(installation, f"j{number}") for number in range(20))
