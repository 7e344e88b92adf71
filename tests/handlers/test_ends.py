"""How a custom job can end, and the log lines that tell of it, or do not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from handlers import job_ended, swept
from infra.local.vertex.custom_jobs import State as CustomJobState
from poolqueue.ports import VertexUnavailable
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.support.installation import Installation, pool, request, worker_pool_spec
from tests.support.soundness import check

TWO = (worker_pool_spec(), worker_pool_spec())


def is_at_work(installation: Installation, job_id: str) -> bool:
    return installation.job(job_id).state in {State.SUBMITTED, State.RUNNING}


def end_unheard(installation: Installation, job_id: str, state: str = "SUCCEEDED", **error) -> None:
    """End it at Vertex AI; its log line is lost."""
    installation.finish_quietly(job_id, state, **error)
    installation.log_lines = []


def line(installation: Installation, number: str, **changes) -> bytes:
    labels = {"job_id": number, "project_id": installation.project, "task_name": "service"}
    entry = {
        "logName": f"projects/{installation.project}/logs/ml.googleapis.com%2F{number}",
        "resource": {"type": "ml_job", "labels": labels},
        "textPayload": "Job completed successfully.",
        **changes,
    }
    return json.dumps(entry).encode()


def deliver(installation: Installation, data: bytes) -> None:
    job_ended.handle(installation.system, installation.delivery("job-ended", data))


def number_of(installation: Installation, job_id: str) -> str:
    name = installation.job(job_id).custom_job
    assert name is not None
    return name.rsplit("/", 1)[-1]


def force_state(installation: Installation, state: CustomJobState) -> None:
    """Of all custom jobs: no call pauses one, though Vertex AI has the state, and says little about it."""
    world = installation.stand_in._world
    with world.timeline.lock:
        for job in world.jobs.values():
            job.move(state)


# --- outcomes --------------------------------------------------------------------------------------------


def test_a_failure_is_recorded_with_its_error_and_its_times(installation: Installation) -> None:
    installation.ask(request("j"))
    error = {"code": 3, "message": "The replica workerpool0-0 exited with a non-zero status of 1."}

    installation.finish("j", "FAILED", error=error)

    job = installation.job("j")
    assert (job.state, job.outcome) == (State.ENDED, Outcome.FAILED)
    assert job.error == error["message"]
    assert job.submitted is not None
    assert job.started is not None
    assert job.ended is not None
    assert job.started <= job.ended
    told = installation.outcomes("j")[-1]
    assert told["error"] == error["message"]
    assert {"queued", "submitted", "started", "ended"} <= told.keys()


@pytest.mark.parametrize(
    ("state", "outcome", "reason"),
    [
        ("CANCELLED", Outcome.CANCELLED, Reason.CANCELLED_ELSEWHERE),
        ("EXPIRED", Outcome.EXPIRED, Reason.TIMED_OUT),
        ("PARTIALLY_SUCCEEDED", Outcome.SUCCEEDED, Reason.PARTLY),
    ],
)
def test_every_end_has_its_outcome_though_not_all_have_a_log_line(
    installation: Installation, state, outcome, reason
) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")
    custom_job = installation.job("j").custom_job
    assert custom_job is not None
    installation.end(custom_job, state)

    installation.sweep()

    job = installation.job("j")
    assert (job.outcome, job.reason) == (outcome, reason)
    check(installation, "j")


def test_a_job_that_ran_out_of_its_time_expired(installation: Installation) -> None:
    installation.ask(request("j", job_spec={"scheduling": {"timeout": "1s"}}))

    installation.wait(lambda: installation.log_lines, "the timeout's log line")
    installation.deliver_log_lines()

    assert (installation.job("j").outcome, installation.job("j").reason) == (
        Outcome.EXPIRED,
        Reason.TIMED_OUT,
    )


def test_a_paused_custom_job_is_cancelled_and_requeued(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")
    force_state(installation, CustomJobState.PAUSED)
    installation.sweep()
    assert installation.job("j").state is State.CANCELLING
    assert installation.events("cancel_requested")

    force_state(installation, CustomJobState.CANCELLED)
    installation.sweep()

    assert Reason.PENDING_TOO_LONG in [entry.reason for entry in installation.job("j").history]
    check(installation, "j")


def test_a_custom_job_that_somebody_deleted_is_lost(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.ask(request("next", *TWO))
    end_unheard(installation, "j")
    installation.call("DELETE", f"{installation.name.parent}/customJobs/{number_of(installation, 'j')}")

    installation.sweep()

    assert (installation.job("j").outcome, installation.job("j").reason) == (
        Outcome.LOST,
        Reason.CUSTOM_JOB_DELETED,
    )
    assert is_at_work(installation, "next")
    check(installation, "j", "next")


# --- log lines -------------------------------------------------------------------------------------------


def test_an_end_whose_line_was_lost_is_found_by_the_sweep(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.ask(request("next", *TWO))
    end_unheard(installation, "j")

    installation.sweep()

    assert installation.job("j").outcome is Outcome.SUCCEEDED
    assert is_at_work(installation, "next")


def test_a_line_delivered_twice_changes_nothing_the_second_time(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish_quietly("j")
    (data,) = installation.log_lines
    deliver(installation, data)
    before = (installation.job("j"), len(installation.outcome_messages()), installation.resource().epoch)

    deliver(installation, data)

    after = (installation.job("j"), len(installation.outcome_messages()), installation.resource().epoch)
    assert after == before


def test_a_line_that_comes_after_the_sweep_found_the_end_changes_nothing(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish_quietly("j")
    installation.sweep()
    before = installation.job("j")

    installation.deliver_log_lines()

    assert installation.job("j") == before


def test_the_line_of_an_earlier_attempt_changes_nothing(installing) -> None:
    installation = installing(
        settings={"resource_defaults": {"max_pending": "5m"}}, behaviour={"stay_pending": "j"}
    )
    installation.ask(request("j"))
    installation.clock.advance(minutes=6)
    installation.sweep()
    installation.wait(lambda: installation.log_lines, "the line of the cancelled attempt")
    installation.stand_in.behave(stay_pending=None)
    installation.sweep()
    installation.clock.advance(minutes=1)
    installation.sweep()
    assert installation.job("j").attempt == 2

    installation.deliver_log_lines()

    assert installation.job("j").attempt == 2
    assert installation.job("j").outcome is None
    check(installation, "j")


def test_a_forged_line_about_a_job_that_runs_ends_nothing(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")

    deliver(installation, line(installation, number_of(installation, "j")))

    assert installation.job("j").outcome is None
    assert installation.resource().reservations


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"null", b"\xff", b"[" * 5000, b'{"resource": []}', b'{"resource": {"type": "ml_job"}}'],
)
def test_what_is_no_line_is_ignored(installation: Installation, data: bytes) -> None:
    deliver(installation, data)


def test_a_line_of_an_unknown_number_is_ignored(installation: Installation) -> None:
    deliver(installation, line(installation, "1234567890123456789"))


def test_a_line_of_another_project_is_ignored(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish_quietly("j")
    number = number_of(installation, "j")
    other = {"job_id": number, "project_id": "demo-elsewhere", "task_name": "service"}

    deliver(
        installation,
        line(
            installation,
            number,
            logName=f"projects/demo-elsewhere/logs/ml.googleapis.com%2F{number}",
            resource={"type": "ml_job", "labels": other},
        ),
    )

    assert installation.job("j").outcome is None


def test_a_line_that_names_another_region_is_ignored(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish_quietly("j")
    number = number_of(installation, "j")
    labels = {"job_id": number, "task_name": "service", "location": "europe-west4"}

    deliver(installation, line(installation, number, resource={"type": "ml_job", "labels": labels}))

    assert installation.job("j").outcome is None


def test_a_line_of_a_custom_job_on_no_persistent_resource_is_ignored(installation: Installation) -> None:
    body = request("f")["custom_job"]
    del body["jobSpec"]["persistentResourceId"]
    answer = installation.system.submitter.create(installation.name.parent, body, timeout_seconds=20)
    installation.end(answer.custom_job.name)

    deliver(installation, line(installation, answer.custom_job.number))


def test_vertex_ai_may_lag_behind_its_own_log(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")
    installation.stand_in.behave(get_lag_seconds=0.5)
    installation.finish_quietly("j")

    installation.deliver_log_lines()

    assert installation.job("j").outcome is Outcome.SUCCEEDED


def test_an_end_that_cannot_be_confirmed_is_left_to_the_sweep(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish_quietly("j")
    installation.stand_in.behave(errors=[{"method": "GetCustomJob", "status": 503, "count": 1}])

    installation.deliver_log_lines()
    assert installation.job("j").outcome is None
    installation.sweep()

    assert installation.job("j").outcome is Outcome.SUCCEEDED


def test_a_sweep_that_vertex_ai_does_not_answer_changes_nothing(installation: Installation) -> None:
    installation.ask(request("j"))
    end_unheard(installation, "j")
    installation.stand_in.behave(errors=[{"method": "ListCustomJobs", "status": 503}])
    before = installation.resource()

    installation.sweep()

    assert installation.resource() == before


def test_a_sweep_on_which_nothing_is_wrong_costs_two_calls_and_one_write(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")
    installation.sweep()
    calls, writes = len(installation.events("request")), installation.documents.counts.writes

    installation.sweep()

    assert len(installation.events("request")) - calls == 2
    assert installation.documents.counts.writes - writes == 1


def test_a_sweep_of_nothing_costs_no_call(installation: Installation) -> None:
    installation.sweep()

    assert not installation.events("request")


def test_50_lost_ends_of_the_largest_jobs_are_repaired_by_one_sweep(installing) -> None:
    installation = installing(pools=[pool(replicas=50)])
    job_ids = [f"j{number}" for number in range(50)]
    environment = [{"name": f"V{number}", "value": "x" * 2_500} for number in range(90)]
    container = {"imageUri": "demo/image", "env": environment}
    for each in job_ids:
        installation.ask(request(each, worker_pool_spec(containerSpec=container)))
    for each in job_ids:
        installation.finish_quietly(each)
    installation.log_lines = []

    installation.sweep()

    assert {installation.job(each).outcome for each in job_ids} == {Outcome.SUCCEEDED}
    check(installation, *job_ids)


def test_a_sweep_that_vertex_ai_hardly_answers_ends_in_time(installing) -> None:
    installation = installing(
        pools=[pool(replicas=12)], settings={"timing": {"invocation": "100s", "announce_grace": "1h"}}
    )
    job_ids = [f"j{number}" for number in range(12)]
    for each in job_ids:
        installation.ask(request(each))
    for each in job_ids:
        installation.finish_quietly(each)
    installation.log_lines = []
    slow = SlowObserver(installation.system.observer, installation.clock)
    system = replace(installation.system, observer=slow)

    swept.handle(system, installation.delivery("sweeps", b"{}"))

    assert slow.lookups <= 6
    installation.sweep()
    assert {installation.job(each).outcome for each in job_ids} == {Outcome.SUCCEEDED}


class SlowObserver:
    """Every look at one custom job takes 20 s and then fails."""

    def __init__(self, observer, clock) -> None:
        self._observer = observer
        self._clock = clock
        self.lookups = 0

    def __getattr__(self, name):
        return getattr(self._observer, name)

    def custom_job(self, name):
        self.lookups += 1
        self._clock.advance(seconds=20)
        raise VertexUnavailable(name)
