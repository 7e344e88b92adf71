"""Jobs that depend on others or share a serial key, while functions are killed and come back in between."""

from __future__ import annotations

from itertools import pairwise

import pytest

from infra.local.stack import Stack
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State
from tests.end_to_end.stack_support import (
    ON_EMBEDDED,
    PATIENCE_SECONDS,
    announced,
    finish,
    lives,
    poolctl,
    record,
    recorded_resource,
    renew,
    until_finished,
    wait_for_end,
    wait_for_requeue,
    wait_until_running,
)
from tests.end_to_end.stand_in_support import wait_for

pytestmark = [ON_EMBEDDED, pytest.mark.timeout(300), pytest.mark.usefixtures("on_schedule")]


def wait_for_held(stack: Stack, job_id: str) -> Job:
    wait_for(lambda: announced(stack, job_id), f"{job_id} to be recorded", seconds=PATIENCE_SECONDS)
    job = record(stack, job_id)
    assert (job.state, job.reason) == (State.HELD, Reason.WAITS_FOR_JOBS)
    return job


def run_to_its_end(stack: Stack, job_id: str, *, restart: bool = False) -> None:
    wait_until_running(stack, job_id)
    if restart:
        renew(stack)
    finish(stack, job_id)
    wait_for(
        lambda: record(stack, job_id).state is State.ENDED, f"the end of {job_id}", seconds=PATIENCE_SECONDS
    )


def test_a_pipeline_runs_step_by_step_on_two_resources_with_restarts_between(stack: Stack) -> None:
    stack.publish("job-requests", until_finished("tied-extract", "tied"))
    wait_until_running(stack, "tied-extract")
    steps = {
        "tied-train": ("tied-beside", ["tied-extract"]),
        "tied-report": ("tied", [{"job_id": "tied-train", "after": "end"}]),
        "tied-repair": ("tied", [{"job_id": "tied-extract", "after": "failure"}]),
    }
    for job_id, (where, depends_on) in steps.items():
        stack.publish("job-requests", until_finished(job_id, where, depends_on=depends_on))
        wait_for_held(stack, job_id)
    renew(stack)
    told = poolctl(stack, "jobs", "--resource", "tied-beside")[1]

    finish(stack, "tied-extract")
    repair = wait_for_end(stack, "tied-repair")["tied-repair"]
    wait_until_running(stack, "tied-train")
    renew(stack)
    finish(stack, "tied-train", "FAILED")
    wait_until_running(stack, "tied-report")
    finish(stack, "tied-report")
    ends = wait_for_end(stack, "tied-extract", "tied-train", "tied-report")

    assert "waits_for_jobs: waits for tied-extract" in " ".join(told.split())
    assert (repair["outcome"], repair["reason"]) == ("cancelled", "dependency_failed")
    assert repair["error"] == "it was to start once tied-extract had failed, which succeeded"
    assert [each["outcome"] for each in ends.values()] == ["succeeded", "failed", "succeeded"]
    assert [body["state"] for body in announced(stack, "tied-train")][:3] == ["held", "queued", "reserved"]
    assert [len(lives(stack, job_id)) for job_id in steps] == [1, 1, 0]
    wait_for(
        lambda: not recorded_resource(stack, "tied").unsettled,
        "all to know of the ends",
        seconds=PATIENCE_SECONDS,
    )


def test_a_sweep_tells_dependants_of_an_end_that_nobody_lived_to_tell(stack: Stack) -> None:
    """The function that would tell them is dead; and another chain is retried from its beginning."""
    stack.publish("job-requests", until_finished("tied-first", "tied"))
    wait_until_running(stack, "tied-first")
    stack.publish("job-requests", until_finished("tied-second", "tied-beside", depends_on=["tied-first"]))
    wait_for_held(stack, "tied-second")
    stack.kill("swept")
    finish(stack, "tied-first", "FAILED")
    wait_for_end(stack, "tied-first")
    assert record(stack, "tied-second").state is State.HELD
    stack.restart("swept")
    wait_for(
        lambda: record(stack, "tied-second").state is State.ENDED,
        "the end of tied-second",
        seconds=PATIENCE_SECONDS,
    )
    failed = wait_for_end(stack, "tied-second")["tied-second"]

    for job_id in ("tied-first", "tied-second"):
        code, told = poolctl(stack, "retry", job_id, "--team", "research", "--reason", "again")
        assert code == 0, told
    wait_for(
        lambda: record(stack, "tied-second").state is State.HELD, "it to wait again", seconds=PATIENCE_SECONDS
    )
    renew(stack)
    wait_for(lambda: len(lives(stack, "tied-first")) == 2, "the second attempt", seconds=PATIENCE_SECONDS)
    stack.command_stand_in(
        "finish", custom_job=lives(stack, "tied-first")[-1].custom_job, state="JOB_STATE_SUCCEEDED"
    )
    finish(stack, "tied-second")
    wait_for(
        lambda: record(stack, "tied-second").outcome is Outcome.SUCCEEDED, "its end", seconds=PATIENCE_SECONDS
    )

    assert failed["reason"] == "dependency_failed"


def test_two_of_a_serial_key_never_run_at_a_time_with_restarts_between(stack: Stack) -> None:
    key = {"serial_key": "models/resnet"}
    stack.publish("job-requests", until_finished("keyed-1", "keyed", **key))
    wait_until_running(stack, "keyed-1")
    for job_id, where in (("keyed-2", "keyed-beside"), ("keyed-3", "keyed")):
        stack.publish("job-requests", until_finished(job_id, where, **key))
        wait_for_requeue(stack, job_id, reason="serial_key_taken")
    stack.publish("job-requests", until_finished("keyed-free", "keyed"))
    wait_until_running(stack, "keyed-free")
    explained = poolctl(stack, "explain", "keyed-2", "--team", "research")[1]
    stack.kill("swept")  # nobody tells the other resource, until it is back
    finish(stack, "keyed-1")
    wait_for_end(stack, "keyed-1")
    renew(stack)

    for job_id in ("keyed-2", "keyed-3"):
        run_to_its_end(stack, job_id, restart=True)
    run_to_its_end(stack, "keyed-free")

    assert "serial_key_taken: serial key models/resnet: 1 at a time; keyed-1 on keyed has it" in explained
    spans = [(life.created, life.ended) for n in (1, 2, 3) for life in lives(stack, f"keyed-{n}")]
    assert len(spans) == 3
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(spans))
