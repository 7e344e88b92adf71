"""Each command through poolctl, Pub/Sub and the functions, which are killed and come back in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

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

ASKED_BY = ("--author", "ann", "--reason")


def asked(stack: Stack, *arguments: str) -> str:
    code, told = poolctl(stack, *arguments, "--wait", str(PATIENCE_SECONDS))
    assert code == 0, told
    return told


def wait_for_state(stack: Stack, job_id: str, state: State, **attempt: Any) -> Job:
    def there() -> Job | None:
        job = record(stack, job_id)
        return job if job.state is state and all(getattr(job, k) == v for k, v in attempt.items()) else None

    found: Job = wait_for(there, f"{job_id} to be {state}", seconds=PATIENCE_SECONDS)
    return found


def wait_for_attempt(stack: Stack, job_id: str, number: int, *, team: str = "research") -> None:
    def runs() -> bool:
        found = lives(stack, job_id, team=team)
        return len(found) == number and found[-1].state == "RUNNING"

    wait_for(runs, f"attempt {number} of {job_id} to run", seconds=PATIENCE_SECONDS)


def finish_latest(stack: Stack, job_id: str, state: str = "SUCCEEDED", *, team: str = "research") -> None:
    life = lives(stack, job_id, team=team)[-1]
    stack.command_stand_in("finish", custom_job=life.custom_job, state=f"JOB_STATE_{state}")


def log_of(stack: Stack, job_id: str, *attempt: str) -> str:
    code, told = poolctl(stack, "logs", job_id, "--team", "research", *attempt)
    assert code == 0, told
    return told


def test_held_changed_released_and_cancelled_with_restarts_between(stack: Stack) -> None:
    stack.publish("job-requests", until_finished("commanded-first", "commanded"))
    wait_until_running(stack, "commanded-first")
    for job_id in ("commanded-held", "commanded-low", "commanded-high"):
        stack.publish("job-requests", until_finished(job_id, "commanded"))
        wait_for_requeue(stack, job_id)
    stack.publish("job-requests", until_finished("commanded-asked", "commanded", hold=True))

    asked(stack, "hold", "commanded-held", "--team", "research", *ASKED_BY, "the data is late")
    renew(stack)
    asked(stack, "priority", "commanded-high", "90", "--team", "research", *ASKED_BY, "urgent")
    asked(stack, "cancel", "commanded-low", "--team", "research", *ASKED_BY, "wrong data")
    wait_for_state(stack, "commanded-asked", State.HELD)
    told = poolctl(stack, "jobs", "--resource", "commanded")[1]
    finish(stack, "commanded-first")
    wait_until_running(stack, "commanded-high")
    renew(stack)
    assert record(stack, "commanded-held").state is State.HELD
    for job_id in ("commanded-held", "commanded-asked"):  # together, either may come first
        asked(stack, "release", job_id, "--team", "research")
    finish(stack, "commanded-high")
    wait_until_running(stack, "commanded-held")
    finish(stack, "commanded-held")
    wait_until_running(stack, "commanded-asked")
    finish(stack, "commanded-asked")
    names = ("first", "high", "held", "asked", "low")
    ends = wait_for_end(stack, *(f"commanded-{name}" for name in names))

    assert "on_hold: ann: the data is late" in told
    assert [each["outcome"] for each in ends.values()] == ["succeeded"] * 4 + ["cancelled"]
    changed = next(each for each in announced(stack, "commanded-high") if each.get("reason") == "changed")
    assert changed["note"] == "priority 50 -> 90; ann: urgent"
    stack.report().assert_started_in_order(
        *(("research", f"commanded-{name}") for name in ("first", "high", "held", "asked"))
    )


def test_requeued_and_retried_with_a_restart_between(stack: Stack) -> None:
    stack.publish("job-requests", until_finished("requeued", "requeued"))
    wait_until_running(stack, "requeued")

    stack.kill("job_ended")  # the end of the cancelled attempt is heard of after the restart
    asked(stack, "requeue", "requeued", "--team", "research", *ASKED_BY, "bad machine")
    renew(stack)
    wait_for_attempt(stack, "requeued", 2)
    finish_latest(stack, "requeued", "FAILED")
    wait_for_end(stack, "requeued")
    renew(stack)
    asked(
        stack, "retry", "requeued", "--team", "research", *ASKED_BY, "the data is there", "--priority", "80"
    )
    wait_for_attempt(stack, "requeued", 3)
    finish_latest(stack, "requeued")
    job = wait_for_state(stack, "requeued", State.ENDED, outcome=Outcome.SUCCEEDED)

    assert [life.state for life in lives(stack, "requeued")] == ["CANCELLED", "FAILED", "SUCCEEDED"]
    assert (job.attempt, job.priority) == (3, 80)
    by_command = [entry for entry in job.history if entry.command is not None]
    assert [entry.reason for entry in by_command] == [Reason.REQUEUE_ASKED, Reason.RETRY_ASKED]
    assert by_command[1].note == "priority 50 -> 80; ann: the data is there"

    def told() -> bool:
        return len(announced(stack, "requeued")) == job.sequence

    wait_for(told, "the last outcome", seconds=PATIENCE_SECONDS)
    said = [each["outcome"] for each in announced(stack, "requeued") if "outcome" in each]
    assert said == ["failed", "succeeded"]
    assert "Job completed successfully." in log_of(stack, "requeued")
    assert "Job cancelled." in log_of(stack, "requeued", "--attempt", "1")


def test_a_stopped_pool_is_emptied_and_resumed_with_a_restart_between(stack: Stack) -> None:
    stack.publish("job-requests", until_finished("stopped", "stopped"))
    wait_until_running(stack, "stopped")

    asked(stack, "stop", "stopped", "--pool", "cpu", "--yes", *ASKED_BY, "new driver")
    wait_for_state(stack, "stopped", State.QUEUED, reason=Reason.REQUEUE_ASKED)
    renew(stack)
    told = poolctl(stack, "jobs", "--resource", "stopped")[1]
    assert not recorded_resource(stack, "stopped").reservations
    asked(stack, "resume", "stopped", "--pool", "cpu")
    wait_for_attempt(stack, "stopped", 2)
    finish_latest(stack, "stopped")
    wait_for_end(stack, "stopped")

    assert "drained: pool cpu, by ann: new driver" in told


def test_a_drained_resource_admits_nothing_and_a_change_lets_a_job_go_elsewhere_with_restarts_between(
    stack: Stack,
) -> None:
    stack.publish("job-requests", until_finished("drained-first", "drained"))
    wait_until_running(stack, "drained-first")
    asked(stack, "drain", "drained", *ASKED_BY, "new driver")
    finish(stack, "drained-first")
    wait_for_end(stack, "drained-first")
    renew(stack)
    for job_id in ("drained-moves", "drained-stays"):
        stack.publish("job-requests", until_finished(job_id, "drained"))
        waits = wait_for_requeue(stack, job_id, reason="drained")
    deadline = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    wishes = ("--alternative", "drained-beside", "--deadline", deadline, "--max-wait", "8h")
    asked(stack, "change", "drained-moves", *wishes, "--team", "research", *ASKED_BY, "it is urgent")
    renew(stack)
    wait_until_running(stack, "drained-moves")
    assert not recorded_resource(stack, "drained").reservations
    asked(stack, "resume", "drained")
    wait_until_running(stack, "drained-stays")
    for job_id in ("drained-moves", "drained-stays"):
        finish(stack, job_id)
    wait_for_end(stack, "drained-moves", "drained-stays")

    assert waits["note"] == "all of it, by ann: new driver"
    moved = record(stack, "drained-moves")
    assert moved.resource.endswith("drained-beside")
    assert moved.deadline == datetime.fromisoformat(deadline)
    (by_command,) = [entry for entry in moved.history if entry.command is not None]
    assert "it is urgent" in (by_command.note or "")


def test_a_paused_team_waits_until_it_is_unpaused_with_a_restart_between(stack: Stack) -> None:
    asked(stack, "pause", "speech", *ASKED_BY, "budget is spent")
    try:
        renew(stack)
        stack.publish("job-requests.speech", until_finished("paused", "paused"))
        waits = wait_for_requeue(stack, "paused", team="speech", reason="team_paused")
        stack.publish("job-requests", until_finished("not-paused", "paused"))
        wait_until_running(stack, "not-paused")
        finish(stack, "not-paused")
        wait_for_end(stack, "not-paused")
        assert not lives(stack, "paused", team="speech")
        renew(stack)
    finally:
        asked(stack, "unpause", "speech")
    wait_until_running(stack, "paused", team="speech")
    finish(stack, "paused", team="speech")
    wait_for_end(stack, "paused", team="speech")

    assert waits["note"] == "team speech, by ann: budget is spent"
