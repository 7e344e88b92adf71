"""What the scheduler promises, through functions, emulators and the stand-in; a test sweeps where it must."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.checker import CustomJobLife
from infra.local.stack import Stack
from poolqueue.scheduling.jobs import Outcome, State
from tests.end_to_end.stack_support import (
    PATIENCE_SECONDS,
    announced,
    at_vertex,
    finish,
    lives,
    record,
    recorded_resource,
    request,
    until_finished,
    wait_for_end,
    wait_for_requeue,
    wait_until_running,
    workers,
)
from tests.end_to_end.stand_in_support import wait_for

pytestmark = pytest.mark.timeout(180)


def told(stack: Stack, job_id: str, state: State, *, team: str = "research") -> str:
    """What a job's history says of its latest move to a state."""
    found = [entry.note for entry in record(stack, job_id, team=team).history if entry.state is state]
    return found[-1] or ""


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def see_that_it_works(stack: Stack, persistent_resource: str) -> None:
    """Before something is to happen within seconds: the first request of all takes several."""
    stack.publish("job-requests", request(f"first-on-{persistent_resource}", persistent_resource))
    wait_for_end(stack, f"first-on-{persistent_resource}")


# --- backfill


def test_a_later_job_goes_ahead_of_a_wide_one_only_if_it_ends_before_its_planned_start(stack: Stack) -> None:
    stack.publish("job-requests", until_finished("long", "backfilled", timeout="600s"))
    wait_until_running(stack, "long")
    stack.publish("job-requests", request("wide", "backfilled", *workers(3)))
    assert wait_for_requeue(stack, "wide")["reason"] == "needs_replicas"
    planned = recorded_resource(stack, "backfilled").promises["research.wide"].start

    stack.publish("job-requests", request("delaying", "backfilled", timeout="3600s"))
    waits = wait_for_requeue(stack, "delaying")
    stack.publish("job-requests", request("short", "backfilled", timeout="60s"))
    wait_for_end(stack, "short")
    finish(stack, "long")
    wait_for_end(stack, "long", "wide", "delaying")

    until_planned = planned - record(stack, "long").created
    assert timedelta(seconds=590) < until_planned < timedelta(seconds=660)
    assert waits["reason"] == "behind_planned_start"
    assert (
        f"it would delay the start of research.wide, planned for {planned:%Y-%m-%d %H:%M:%S}Z"
        in waits["note"]
    )
    assert f"goes ahead of research.wide, planned for {planned:%H:%M:%S}Z" in told(
        stack, "short", State.RESERVED
    )
    assert "expected to delay it by 0 s" in told(stack, "short", State.RESERVED)
    kept = told(stack, "wide", State.RESERVED)
    assert "earlier than first planned" in kept
    assert "1 went ahead, the last research.short" in kept
    order = ("long", "short", "wide", "delaying")
    stack.report().assert_started_in_order(*(("research", job_id) for job_id in order))


# --- teams


def test_two_teams_of_weight_one_and_three_get_replicas_one_to_three(stack: Stack) -> None:
    """Exactly so what is handed out at once; then one more or less, for whoever was promised a start."""
    stack.publish("job-requests", until_finished("occupant-of-all", "weighed", replicas=8))
    wait_until_running(stack, "occupant-of-all")
    backlog = {"vision": 6, "speech": 12}
    for numbers in (slice(1), slice(1, None)):  # who is first of a team has a planned start, and keeps it
        jobs = [(team, f"weighed-{n}") for team, count in backlog.items() for n in range(count)[numbers]]
        for team, job_id in jobs:
            stack.publish(f"job-requests.{team}", until_finished(job_id, "weighed"))
        for team, job_id in jobs:
            wait_for_requeue(stack, job_id, team=team)

    finish(stack, "occupant-of-all")
    at_once = wait_for_running(stack, "weighed", 8)
    end_all(stack, at_once)
    later = wait_for_running(stack, "weighed", 8)
    end_all(stack, later)
    end_all(stack, wait_for_running(stack, "weighed", 2))

    assert teams_of(at_once) == {"vision": 2, "speech": 6}
    assert 1 <= teams_of(later)["vision"] <= 3
    for team, count in backlog.items():
        wait_for_end(stack, *(f"weighed-{number}" for number in range(count)), team=team)


def teams_of(running: list[CustomJobLife]) -> Counter[str]:
    return Counter(life.labels["pool_queue_team"] for life in running)


def wait_for_running(stack: Stack, persistent_resource: str, count: int) -> list[CustomJobLife]:
    def running() -> list[CustomJobLife] | None:
        every = [life for life in stack.report().lives if life.state == "RUNNING"]
        found = [life for life in every if str(life.resource).endswith(f".{persistent_resource}")]
        return found if len(found) == count else None

    found: list[CustomJobLife] = wait_for(running, f"{count} jobs to run", seconds=PATIENCE_SECONDS)
    return found


def end_all(stack: Stack, running: list[CustomJobLife]) -> None:
    numbers = {life.custom_job for life in running}
    for number in numbers:
        stack.command_stand_in("finish", custom_job=number, state="JOB_STATE_SUCCEEDED")
    wait_for(
        lambda: all(life.ended for life in stack.report().lives if life.custom_job in numbers),
        "them to end",
    )


def test_a_team_borrows_what_is_idle_and_gives_it_back_by_preemption(stack: Stack) -> None:
    """The younger of the borrower's jobs would lose less, but its `min_run` keeps it."""
    stack.publish("job-requests", until_finished("borrower", "lent"))
    wait_until_running(stack, "borrower")
    stack.publish("job-requests", until_finished("kept", "lent", min_run="1h"))
    wait_until_running(stack, "kept")
    stack.sweep()
    wait_until_seen_running(stack, "borrower", "kept")

    stack.publish("job-requests.vision", until_finished("owner", "lent"))
    requeued = wait_for_requeue(stack, "borrower", reason="preempted")
    wait_until_running(stack, "owner", team="vision")

    note = "vision.owner gets back replicas that team vision is guaranteed and had lent"
    assert (requeued["state"], requeued["note"]) == ("queued", note)
    cancelling = next(body for body in announced(stack, "borrower") if body["state"] == "cancelling")
    assert (cancelling["reason"], cancelling["note"]) == ("preempted", note)
    (preempted,), (kept,) = lives(stack, "borrower"), lives(stack, "kept")
    assert (preempted.state, kept.state) == ("CANCELLED", "RUNNING")
    waiting = record(stack, "borrower")
    assert (waiting.state, waiting.preemptions, waiting.setbacks) == (State.QUEUED, 1, 0)

    finish(stack, "owner", team="vision")
    finish(stack, "borrower")
    finish(stack, "kept")
    assert wait_for_end(stack, "borrower", "kept")["borrower"]["outcome"] == "succeeded"
    wait_for_end(stack, "owner", team="vision")
    assert [life.state for life in lives(stack, "borrower")] == ["CANCELLED", "SUCCEEDED"]
    assert len(lives(stack, "kept")) == 1


def wait_until_seen_running(stack: Stack, *job_ids: str) -> None:
    """A sweep has recorded that they run."""
    wait_for(
        lambda: all(record(stack, job_id).state is State.RUNNING for job_id in job_ids),
        f"the sweep to see {', '.join(job_ids)}",
        seconds=PATIENCE_SECONDS,
    )


# --- time


def test_a_job_that_waits_too_long_and_one_past_its_deadline_end_expired(stack: Stack) -> None:
    stack.publish("job-requests", until_finished("in-the-way", "timely"))
    wait_until_running(stack, "in-the-way")
    stack.publish("job-requests", request("impatient", "timely", max_wait=1))
    stack.publish("job-requests", request("too-late", "timely", deadline=in_seconds(1)))

    said = wait_for_end(stack, "impatient", "too-late")
    finish(stack, "in-the-way")
    wait_for_end(stack, "in-the-way")

    impatient, late = said["impatient"], said["too-late"]
    assert (impatient["outcome"], impatient["reason"]) == ("expired", "waited_too_long")
    assert impatient["note"].startswith("it was to wait no longer than until ")
    assert (late["outcome"], late["reason"]) == ("expired", "deadline_passed")
    assert late["note"].startswith("it was to have ended by ")
    for job_id in ("impatient", "too-late"):
        job = record(stack, job_id)
        assert job.outcome is Outcome.EXPIRED
        assert job.ended >= job.expires
        assert not lives(stack, job_id)


def test_a_running_job_is_ended_by_its_deadline(stack: Stack) -> None:
    see_that_it_works(stack, "bounded")
    deadline = in_seconds(5)
    stack.publish("job-requests", until_finished("bounded", "bounded", deadline=deadline))
    running = wait_until_running(stack, "bounded")
    timeout = at_vertex(stack, record_custom_job(stack, "bounded"))["jobSpec"]["scheduling"]["timeout"]

    said = wait_for_end(stack, "bounded")["bounded"]

    assert (said["outcome"], said["reason"]) == ("expired", "timed_out")
    assert 1 <= int(timeout.removesuffix("s")) <= 5
    assert running.created + timedelta(seconds=int(timeout.removesuffix("s"))) <= datetime.fromisoformat(
        deadline
    )


def record_custom_job(stack: Stack, job_id: str) -> str:
    name: str = wait_for(lambda: record(stack, job_id).custom_job, f"the custom job of {job_id}")
    return name


def test_a_job_starts_no_earlier_than_it_asks_to(stack: Stack) -> None:
    see_that_it_works(stack, "early")
    earliest = in_seconds(2)
    stack.publish("job-requests", request("sleeper", "early", not_before=earliest))
    waits = wait_for_requeue(stack, "sleeper")
    wait_for_end(stack, "sleeper")

    assert (waits["reason"], waits["note"]) == ("not_yet", "its request asks to start no earlier")
    (life,) = lives(stack, "sleeper")
    assert life.created >= datetime.fromisoformat(earliest)
