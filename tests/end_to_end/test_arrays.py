"""Arrays on the whole stack: one request, many jobs, with processes that die and come back in between."""

from __future__ import annotations

import pytest

from infra.local.stack import Stack
from poolqueue.scheduling.jobs import Outcome, State
from tests.end_to_end.stack_support import (
    ON_EMBEDDED,
    PATIENCE_SECONDS,
    announced,
    at_vertex,
    finish,
    lives,
    poolctl,
    record,
    recorded_resource,
    renew,
    until_finished,
    wait_for_end,
    wait_until_running,
)
from tests.end_to_end.stand_in_support import wait_for

pytestmark = [ON_EMBEDDED, pytest.mark.timeout(300), pytest.mark.usefixtures("on_schedule")]

WHERE = "swept-over"


def at_work(stack: Stack) -> list[str]:
    return sorted(each.job_id for each in recorded_resource(stack, WHERE).reservations.values())


def test_a_grid_runs_to_its_end_with_restarts_between(stack: Stack) -> None:
    """Two at a time of four; each restart finds what was stored."""
    grid = {"grid": {"lr": [0.1, 0.01], "seed": [1, 2]}, "max_parallel": 2}
    body = until_finished("grid", WHERE, array=grid)
    stack.publish("job-requests", body)
    for member in ("grid.0", "grid.1"):
        wait_until_running(stack, member)
    renew(stack)
    shown = poolctl(stack, "jobs", "--resource", WHERE)[1]
    stack.publish("job-requests", body)

    finish(stack, "grid.1", "FAILED")
    wait_for(lambda: "grid.2" in at_work(stack), "the next member to start", seconds=PATIENCE_SECONDS)
    wait_until_running(stack, "grid.2")
    renew(stack)
    explained = poolctl(stack, "explain", "grid", "--team", "research")[1]
    finish(stack, "grid.0")
    wait_for(lambda: "grid.3" in at_work(stack), "the last member to start", seconds=PATIENCE_SECONDS)
    wait_until_running(stack, "grid.3")
    renew(stack)
    for member in ("grid.2", "grid.3"):
        finish(stack, member)
    wait_for(
        lambda: record(stack, "grid").state is State.ENDED, "all members to end", seconds=PATIENCE_SECONDS
    )
    end = wait_for_end(stack, "grid")["grid"]

    assert (end["outcome"], end["note"]) == ("failed", "3 succeeded, 1 failed")
    assert [each["state"] for each in announced(stack, "grid")] == ["queued", "running", "ended"]
    assert [len(lives(stack, f"grid.{n}")) for n in range(4)] == [1, 1, 1, 1]
    assert "0/4 ended, 2 at work" in " ".join(shown.split())
    assert "failed 1 member: 1" in " ".join(explained.split())
    sent = at_vertex(stack, record(stack, "grid.2").custom_job or "")
    variables = sent["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["env"]
    assert {"name": "POOL_QUEUE_PARAMETER_LR", "value": "0.01"} in variables


def test_a_cancelled_array_ends_though_whoever_cancels_it_dies(stack: Stack) -> None:
    stack.publish("job-requests", until_finished("stopped-short", WHERE, array={"size": 100}))
    for n in range(3):
        wait_until_running(stack, f"stopped-short.{n}")
    stack.kill("job_commanded")
    named = ("--team", "research", "--reason", "wrong data")
    stack.restart("job_commanded")
    code, told = poolctl(stack, "cancel", "stopped-short", *named)
    renew(stack)

    wait_for(
        lambda: record(stack, "stopped-short").state is State.ENDED,
        "all members to end",
        seconds=PATIENCE_SECONDS,
    )
    ended = record(stack, "stopped-short")

    assert code == 0, told
    assert "97 waited and will not run, 3 are being cancelled" in told
    assert ended.outcome is Outcome.CANCELLED
    assert ended.array is not None
    assert ended.array.counts() == {"cancelled": 100}
    assert not [job_id for job_id in at_work(stack) if job_id.startswith("stopped-short")]


def test_one_member_is_cancelled_and_another_retried(stack: Stack) -> None:
    stack.publish("job-requests", until_finished("picked", WHERE, array={"size": 2}))
    for n in range(2):
        wait_until_running(stack, f"picked.{n}")
    finish(stack, "picked.0", "FAILED")
    wait_for(
        lambda: record(stack, "picked.0").state is State.ENDED,
        "the end of picked.0",
        seconds=PATIENCE_SECONDS,
    )
    named = ("--team", "research", "--reason", "again")
    assert poolctl(stack, "cancel", "picked.1", *named)[0] == 0
    wait_for(
        lambda: record(stack, "picked").state is State.ENDED, "the end of both", seconds=PATIENCE_SECONDS
    )
    renew(stack)

    code, told = poolctl(stack, "retry", "picked.0", *named)
    assert code == 0, told
    wait_for(lambda: len(lives(stack, "picked.0")) == 2, "the second attempt", seconds=PATIENCE_SECONDS)
    stack.command_stand_in(
        "finish", custom_job=lives(stack, "picked.0")[-1].custom_job, state="JOB_STATE_SUCCEEDED"
    )
    wait_for(lambda: record(stack, "picked").state is State.ENDED, "its end", seconds=PATIENCE_SECONDS)

    assert record(stack, "picked").history[-1].note == "1 succeeded, 1 cancelled"
