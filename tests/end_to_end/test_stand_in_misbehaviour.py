"""Every way in which the stand-in misbehaves on request."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests
from google.api_core import exceptions
from google.cloud.aiplatform_v1.types import JobState

from infra.local.vertex import StandIn
from tests.end_to_end.stand_in_support import (
    LOCATION,
    call,
    client,
    custom_job,
    events,
    parent,
    pool,
    start,
    states,
    wait_for,
    wait_for_event,
    wait_for_state,
    worker_pool_spec,
)

SIMULATED = {"run_processes": False}


def create(stand_in: StandIn, project: str, *, name: str = "job", timeout: float = 10) -> str:
    job = client(stand_in).create_custom_job(
        parent=parent(project), custom_job=custom_job(name=name), timeout=timeout
    )
    return job.name


def test_a_job_may_end_with_any_error_once_it_runs_or_before(tmp_path: Path, demo_project: str) -> None:
    internal = {"code": 13, "message": "Internal error occurred for the current attempt"}
    full = {"code": 8, "message": "Resources are insufficient in region: us-central1."}
    endings = [
        {"display_name": "spoiled", **internal},
        {"display_name": "full", **full, "before_running": True},
    ]
    with start(tmp_path, demo_project, pool(3), behaviour={**SIMULATED, "endings": endings}) as stand_in:
        for name, error in (("spoiled", internal), ("full", full)):
            custom_job = create(stand_in, demo_project, name=name)
            wait_for_state(stand_in, custom_job, "FAILED")
            seen = client(stand_in).get_custom_job(name=custom_job)
            assert {"code": seen.error.code, "message": seen.error.message} == error
            assert (seen.start_time is not None) == (name == "spoiled")

        usual = create(stand_in, demo_project, name="usual")
        wait_for_state(stand_in, usual, "RUNNING")


def test_over_capacity_may_be_rejected(tmp_path: Path, demo_project: str) -> None:
    behaviour = {**SIMULATED, "over_capacity": "reject"}
    with start(tmp_path, demo_project, pool(1), behaviour=behaviour) as stand_in:
        create(stand_in, demo_project)

        with pytest.raises(exceptions.TooManyRequests):
            create(stand_in, demo_project)

        (seen,) = events(stand_in, "over_capacity")
        assert (seen["custom_job"], seen["behaviour"]) == (None, "reject")
        assert len(events(stand_in, "custom_job_created")) == 1


def test_over_capacity_may_fail_later(tmp_path: Path, demo_project: str) -> None:
    behaviour = {**SIMULATED, "over_capacity": "fail"}
    with start(tmp_path, demo_project, pool(1), behaviour=behaviour) as stand_in:
        create(stand_in, demo_project)

        name = create(stand_in, demo_project)

        assert wait_for_state(stand_in, name, "FAILED")["error"]["code"] == 8


@pytest.mark.parametrize("waiting_state", ["PENDING", "QUEUED"])
def test_over_capacity_may_pend(tmp_path: Path, demo_project: str, waiting_state: str) -> None:
    behaviour = {**SIMULATED, "waiting_state": f"JOB_STATE_{waiting_state}"}
    with start(tmp_path, demo_project, pool(1), behaviour=behaviour) as stand_in:
        first = create(stand_in, demo_project)
        second = create(stand_in, demo_project)
        assert states(stand_in, second)[-1] == waiting_state

        stand_in.finish(custom_job=first, state="JOB_STATE_SUCCEEDED")

        wait_for_state(stand_in, second, "RUNNING")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, exceptions.TooManyRequests),
        (500, exceptions.InternalServerError),
        (503, exceptions.ServiceUnavailable),
    ],
)
def test_calls_answer_errors(tmp_path: Path, demo_project: str, status: int, error: type) -> None:
    injected = {"method": "CreateCustomJob", "status": status, "count": 1}
    with start(tmp_path, demo_project, behaviour={**SIMULATED, "errors": [injected]}) as stand_in:
        with pytest.raises(error):
            create(stand_in, demo_project)

        assert not events(stand_in, "custom_job_created")
        create(stand_in, demo_project)


def test_a_create_may_succeed_and_answer_an_error(tmp_path: Path, demo_project: str) -> None:
    injected = {"method": "CreateCustomJob", "status": 503, "count": 1, "after_effect": True}
    with start(tmp_path, demo_project, behaviour={**SIMULATED, "errors": [injected]}) as stand_in:
        with pytest.raises(exceptions.ServiceUnavailable):
            create(stand_in, demo_project)

        assert len(events(stand_in, "custom_job_created")) == 1


def test_a_create_may_succeed_and_never_answer(tmp_path: Path, demo_project: str) -> None:
    behaviour = {**SIMULATED, "never_answer": {"CreateCustomJob": 1}}
    with start(tmp_path, demo_project, behaviour=behaviour) as stand_in:
        with pytest.raises((exceptions.GatewayTimeout, exceptions.RetryError, requests.exceptions.Timeout)):
            create(stand_in, demo_project, timeout=0.3)

        assert len(events(stand_in, "custom_job_created")) == 1
        assert events(stand_in, "request", rpc="CreateCustomJob")[0]["status"] is None


@pytest.mark.parametrize("key", ["latency_seconds", "late_effect_seconds"])
def test_answers_take_their_time(tmp_path: Path, demo_project: str, key: str) -> None:
    with start(tmp_path, demo_project, behaviour={**SIMULATED, key: {"*": 0.2}}) as stand_in:
        before = time.monotonic()
        create(stand_in, demo_project)

        assert time.monotonic() - before >= 0.2


def test_request_quotas_answer_429(tmp_path: Path, demo_project: str) -> None:
    behaviour = {**SIMULATED, "quota": {"submissions_per_minute": 1}}
    with start(tmp_path, demo_project, behaviour=behaviour) as stand_in:
        create(stand_in, demo_project)

        with pytest.raises(exceptions.TooManyRequests, match="job_or_lro_submission_requests"):
            create(stand_in, demo_project)


@pytest.mark.parametrize(("log_lines", "copies"), [({"lose": 1}, 0), ({}, 1), ({"double": "all"}, 2)])
def test_log_lines_are_lost_or_doubled(
    tmp_path: Path, demo_project: str, log_lines: dict, copies: int
) -> None:
    published: list[bytes] = []
    behaviour = {**SIMULATED, "log_lines": log_lines}
    with start(
        tmp_path, demo_project, behaviour=behaviour, publish=lambda payload, _: published.append(payload)
    ) as stand_in:
        name = create(stand_in, demo_project)
        stand_in.finish(custom_job=name, state="JOB_STATE_SUCCEEDED")

        def told() -> list[dict]:
            return events(stand_in, "log_line", text="Job completed successfully.")

        wait_for(lambda: len(told()) == max(copies, 1), "the last line")
        assert len(published) == copies
        assert [each["published"] for each in told()] == [bool(copies)] * max(copies, 1)


def test_log_lines_come_late_and_forged(tmp_path: Path, demo_project: str) -> None:
    published: list[bytes] = []
    behaviour = {**SIMULATED, "log_lines": {"delay_seconds": 0.3}}
    with start(
        tmp_path, demo_project, behaviour=behaviour, publish=lambda payload, _: published.append(payload)
    ) as stand_in:
        name = create(stand_in, demo_project)
        stand_in.finish(custom_job=name, state="JOB_STATE_SUCCEEDED")
        forged = {"resource": {"type": "ml_job", "labels": {"job_id": "1"}}, "textPayload": "Job failed."}

        answer = call(stand_in, "POST", "stand-in/log-line", json=forged)

        assert answer.status_code == 200
        assert [b"forged" if b"Job failed." in each else b"real" for each in published] == [b"forged"]
        wait_for(lambda: len(published) == 2, "the late line")


def test_listings_and_gets_lag_behind(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, behaviour=SIMULATED) as stand_in:
        service = client(stand_in)

        def listed() -> list[JobState]:
            return [job.state for job in service.list_custom_jobs(parent=parent(demo_project), timeout=10)]

        name = create(stand_in, demo_project)
        wait_for_state(stand_in, name, "RUNNING")
        stand_in.behave(listing_lag_seconds=600, get_lag_seconds=600)
        assert listed() == []
        assert service.get_custom_job(name=name, timeout=10).state is JobState.JOB_STATE_QUEUED

        stand_in.behave(listing_lag_seconds=0.3, get_lag_seconds=0.3)
        wait_for(lambda: listed() == [JobState.JOB_STATE_RUNNING], "the job in the listing")
        stand_in.finish(custom_job=name, state="JOB_STATE_SUCCEEDED")
        assert listed() == [JobState.JOB_STATE_RUNNING]
        assert service.get_custom_job(name=name, timeout=10).state is JobState.JOB_STATE_RUNNING
        wait_for(lambda: listed() == [JobState.JOB_STATE_SUCCEEDED], "the end in the listing")


def test_used_replicas_lag_behind(tmp_path: Path, demo_project: str) -> None:
    path = f"v1/{parent(demo_project)}/persistentResources/shared"
    with start(tmp_path, demo_project, behaviour=SIMULATED) as stand_in:

        def used() -> str | None:
            return call(stand_in, "GET", path).json()["resourcePools"][0].get("usedReplicaCount")

        stand_in.behave(used_replica_lag_seconds=600)
        create(stand_in, demo_project)
        assert used() is None

        stand_in.behave(used_replica_lag_seconds=0)
        assert used() == "1"


def test_jobs_hang(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, behaviour={"hang": {"display_name": "slow*"}}) as stand_in:
        slow, fast = (create(stand_in, demo_project, name=name) for name in ("slow-1", "fast-1"))
        wait_for_event(stand_in, "replica_ended", custom_job=slow.rsplit("/", 1)[-1])
        wait_for_state(stand_in, fast, "SUCCEEDED")
        assert states(stand_in, slow)[-1] == "RUNNING"

        client(stand_in).cancel_custom_job(name=slow, timeout=10)

        wait_for_state(stand_in, slow, "CANCELLED")


def test_jobs_never_leave_pending(tmp_path: Path, demo_project: str) -> None:
    behaviour = {**SIMULATED, "stay_pending": "stuck*"}
    with start(tmp_path, demo_project, behaviour=behaviour) as stand_in:
        stuck, other = (create(stand_in, demo_project, name=name) for name in ("stuck-1", "other-1"))
        wait_for_state(stand_in, other, "RUNNING")
        assert states(stand_in, stuck) == ["QUEUED", "PENDING"]
        assert events(stand_in, "replicas_taken", custom_job=stuck.rsplit("/", 1)[-1])

        client(stand_in).cancel_custom_job(name=stuck, timeout=10)

        wait_for_state(stand_in, stuck, "CANCELLED")


def test_a_cancel_may_be_ignored(tmp_path: Path, demo_project: str) -> None:
    behaviour = {**SIMULATED, "ignore_cancel": "deaf*"}
    with start(tmp_path, demo_project, behaviour=behaviour) as stand_in:
        name = create(stand_in, demo_project, name="deaf-1")

        client(stand_in).cancel_custom_job(name=name, timeout=10)

        assert states(stand_in, name)[-1] == "CANCELLING"
        stand_in.finish(custom_job=name, state="JOB_STATE_SUCCEEDED")
        assert states(stand_in, name)[-1] == "SUCCEEDED"


def test_behaviour_is_read_and_changed_over_http(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project) as stand_in:
        refused = call(stand_in, "POST", "stand-in/behaviour", json={"over_capcity": "fail"})
        changed = call(stand_in, "POST", "stand-in/behaviour", json={"over_capacity": "fail"})
        read = call(stand_in, "GET", "stand-in/behaviour")

        assert refused.status_code == 400
        assert "over_capcity" in refused.json()["error"]["message"]
        assert changed.json() == read.json()
        assert read.json()["over_capacity"] == "fail"


def test_a_job_on_a_resource_that_is_not_ready_is_refused(tmp_path: Path, demo_project: str) -> None:
    command = {"resource": "shared", "project": demo_project, "location": LOCATION, "state": "ERROR"}
    with start(tmp_path, demo_project, behaviour=SIMULATED) as stand_in:
        assert call(stand_in, "POST", "stand-in/state", json=command).status_code == 200

        with pytest.raises(exceptions.BadRequest, match="is in state ERROR"):
            create(stand_in, demo_project)


def test_a_worker_pool_spec_needs_the_command_it_runs(tmp_path: Path, demo_project: str) -> None:
    behaviour = {"unknown_image": "pend"}
    with start(tmp_path, demo_project, behaviour=behaviour, timings={"pending_seconds": 0}) as stand_in:
        request = custom_job(worker_pool_spec([]))
        job = client(stand_in).create_custom_job(parent=parent(demo_project), custom_job=request, timeout=10)
        done = create(stand_in, demo_project)
        wait_for_state(stand_in, done, "SUCCEEDED")

        assert states(stand_in, job.name) == ["QUEUED", "PENDING"]
