"""Arrays on the whole stack: one request, many jobs, with processes that die and come back in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.local.emulators import Kind
from infra.local.stack import Stack
from poolqueue.scheduling.jobs import Outcome, State
from tests.end_to_end.stack_support import (
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

pytestmark = pytest.mark.timeout(300)

WHERE = "swept-over"


@pytest.fixture(autouse=True)
def _on_embedded_emulators(stack: Stack) -> None:
    """Google's hand out what killed functions held so late that these tests outlast their patience."""
    if stack.emulators.kind is not Kind.EMBEDDED:
        pytest.skip("arrays are run on the embedded emulators only")


def at_work(stack: Stack) -> list[str]:
    return sorted(each.job_id for each in recorded_resource(stack, WHERE).reservations.values())


def swept_until(stack: Stack, is_so: Callable[[], bool], what: str) -> None:
    """Who died may have held a bell, or a log line that comes again late: sweeps make up for both."""

    def swept() -> bool:
        if is_so():
            return True
        stack.sweep()
        return is_so()

    wait_for(swept, what, seconds=PATIENCE_SECONDS)


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
    swept_until(stack, lambda: "grid.2" in at_work(stack), "the next member to start")
    wait_until_running(stack, "grid.2")
    renew(stack)
    explained = poolctl(stack, "explain", "grid", "--team", "research")[1]
    finish(stack, "grid.0")
    swept_until(stack, lambda: "grid.3" in at_work(stack), "the last member to start")
    wait_until_running(stack, "grid.3")
    renew(stack)
    for member in ("grid.2", "grid.3"):
        finish(stack, member)
    swept_until(stack, lambda: record(stack, "grid").state is State.ENDED, "all members to end")
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

    swept_until(stack, lambda: record(stack, "stopped-short").state is State.ENDED, "all members to end")
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
    swept_until(stack, lambda: record(stack, "picked.0").state is State.ENDED, "the end of picked.0")
    named = ("--team", "research", "--reason", "again")
    assert poolctl(stack, "cancel", "picked.1", *named)[0] == 0
    swept_until(stack, lambda: record(stack, "picked").state is State.ENDED, "the end of both")
    renew(stack)

    code, told = poolctl(stack, "retry", "picked.0", *named)
    assert code == 0, told
    swept_until(stack, lambda: len(lives(stack, "picked.0")) == 2, "the second attempt")
    stack.command_stand_in(
        "finish", custom_job=lives(stack, "picked.0")[-1].custom_job, state="JOB_STATE_SUCCEEDED"
    )
    swept_until(stack, lambda: record(stack, "picked").state is State.ENDED, "its end")

    assert record(stack, "picked").history[-1].note == "1 succeeded, 1 cancelled"
