"""Attempts that end badly, through functions that die in between: what is tried again, and where."""

from __future__ import annotations

import pytest

from infra.local.stack import Stack
from poolqueue.scheduling.retries import charged
from tests.end_to_end.stack_support import (
    ON_EMBEDDED,
    PATIENCE_SECONDS,
    announced,
    at_vertex,
    finish,
    lives,
    poolctl,
    record,
    renew,
    request,
    until_finished,
    wait_for_end,
    wait_for_requeue,
    wait_until_running,
    worker_pool_spec,
)
from tests.end_to_end.stand_in_support import wait_for

pytestmark = [ON_EMBEDDED, pytest.mark.timeout(300), pytest.mark.usefixtures("on_schedule")]

# A replica knows its own custom job, these words too: this program needs the memory of the larger machine.
NEEDS_MEMORY = ("sh", "-c", 'case "$CLUSTER_SPEC" in *highmem-"16"*) exit 0;; *) exit 137;; esac')
LARGER_ONCE = {"exit_code": 137, "retry": "once", "pool": "large", "backoff": "5s"}
NEVER = {"error": "INVALID_ARGUMENT", "retry": "never"}
NO_IMAGE = "The image demo/image could not be pulled."
INTERNAL = "Internal error occurred for the current attempt"
STOCKOUT = "Resources are insufficient in region: us-central1. Try a different region."


def machines(stack: Stack, job_id: str) -> list[str]:
    """Those of the job's attempts, as Vertex AI has them."""
    prefix = f"projects/{stack.project}/locations/us-central1/customJobs"
    bodies = [at_vertex(stack, f"{prefix}/{life.custom_job}") for life in lives(stack, job_id)]
    return [body["jobSpec"]["workerPoolSpecs"][0]["machineSpec"]["machineType"] for body in bodies]


def runs_again(stack: Stack, job_id: str, *, failures: int) -> bool:
    job = record(stack, job_id)
    latest = lives(stack, job_id)[-1]
    return len(job.failures) == failures and job.state.value == "running" and latest.state == "RUNNING"


def fail(stack: Stack, job_id: str, message: str) -> None:
    error = {"code": 3, "message": message}
    life = lives(stack, job_id)[-1]
    stack.command_stand_in("finish", custom_job=life.custom_job, state="JOB_STATE_FAILED", error=error)


def test_exit_code_137_is_tried_once_more_on_the_larger_pool_with_a_restart_between(stack: Stack) -> None:
    retries = {"rules": [LARGER_ONCE, NEVER]}
    for job_id, command in (("grows", NEEDS_MEMORY), ("in-vain", ("sh", "-c", "exit 137"))):
        spec = worker_pool_spec(*command)
        stack.publish("job-requests", request(job_id, "enlarged", spec, retries=retries))
    told = wait_for_requeue(stack, "grows", reason="retried")
    wait_for_requeue(stack, "in-vain", reason="retried")
    renew(stack)
    wait_for(lambda: len(lives(stack, "in-vain")) == 2, "the second attempt", seconds=PATIENCE_SECONDS)
    wait_for(lambda: len(lives(stack, "grows")) == 2, "the second attempt", seconds=PATIENCE_SECONDS)
    ends = wait_for_end(stack, "grows", "in-vain")

    assert told["failure"] == {
        "charged": 1,
        "attempts": 3,
        "is_charged": True,
        "rule": 1,
        "exit_codes": [137],
    }
    assert told["note"].startswith(
        "rule 1 (exit code 137): retry on pool large; 1 of 3 attempts charged; after 5 s"
    )
    assert ends["grows"]["outcome"] == "succeeded"
    assert ends["in-vain"]["outcome"] == "failed"
    assert ends["in-vain"]["note"].startswith("rule 1 (exit code 137): tried again 1 time already")
    assert machines(stack, "grows") == machines(stack, "in-vain") == ["n1-standard-4", "n1-highmem-16"]
    code, explained = poolctl(stack, "explain", "in-vain", "--team", "research")
    assert code == 0, explained
    assert "2 of 3 charged" in explained
    assert "retry on pool large" in explained


def test_invalid_argument_is_never_tried_again(stack: Stack) -> None:
    stack.command_stand_in(
        "behaviour", endings=[{"display_name": "mistaken", "code": 3, "message": NO_IMAGE}]
    )
    rules = [NEVER, {"outcome": "failed"}]
    stack.publish("job-requests", request("mistaken", "never", retries={"rules": rules}))
    end = wait_for_end(stack, "mistaken")["mistaken"]

    assert (end["outcome"], end["attempt"]) == ("failed", 1)
    assert end["note"] == f"rule 1 (error INVALID_ARGUMENT): never. {NO_IMAGE}"
    assert end["failure"]["error_class"] == "INVALID_ARGUMENT"
    assert len(lives(stack, "mistaken")) == 1


def test_capacity_internal_errors_and_preemption_charge_nothing(stack: Stack) -> None:
    ends = [
        {"display_name": "spared", "code": 8, "message": STOCKOUT, "before_running": True, "count": 1},
        {"display_name": "spared", "code": 13, "message": INTERNAL, "count": 1},
    ]
    stack.command_stand_in("behaviour", endings=ends)
    retries = {"attempts": 2, "backoff": "1s", "longest_backoff": "1s"}
    stack.publish("job-requests", until_finished("spared", "spared", retries=retries))
    wait_for_requeue(stack, "spared", reason="capacity_refused")
    renew(stack)
    wait_for(
        lambda: runs_again(stack, "spared", failures=1), "the job to run at last", seconds=PATIENCE_SECONDS
    )
    stack.publish("job-requests.vision", until_finished("spared-owner", "spared"))
    wait_for_requeue(stack, "spared", reason="preempted")
    wait_until_running(stack, "spared-owner", team="vision")
    finish(stack, "spared-owner", team="vision")
    wait_for(
        lambda: runs_again(stack, "spared", failures=1), "the job to run again", seconds=PATIENCE_SECONDS
    )
    before = record(stack, "spared")
    fail(stack, "spared", "The replica workerpool0-0 exited with a non-zero status of 1.")
    wait_for(
        lambda: runs_again(stack, "spared", failures=2),
        "the second charged attempt",
        seconds=PATIENCE_SECONDS,
    )
    finish_last(stack, "spared")
    end = wait_for_end(stack, "spared")["spared"]

    assert (before.attempt, charged(before.failures)) == (4, 0)
    assert end["outcome"] == "succeeded"
    reasons = [each["reason"] for each in announced(stack, "spared") if each.get("reason")]
    assert {"capacity_refused", "retried", "preempted"} <= set(reasons)
    assert charged(record(stack, "spared").failures) == 1


def finish_last(stack: Stack, job_id: str) -> None:
    life = lives(stack, job_id)[-1]
    stack.command_stand_in("finish", custom_job=life.custom_job, state="JOB_STATE_SUCCEEDED")
