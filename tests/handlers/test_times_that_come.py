"""What time alone does to a waiting job: it may start from then on, or it ends without having started."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from handlers import job_requested
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State
from tests.support.installation import Installation, pool, request
from tests.support.soundness import check


@pytest.fixture
def full(installing: Callable[..., Installation]) -> Installation:
    """One replica, on which a job runs."""
    installation = installing(pools=[pool(replicas=1)])
    installation.ask(request("first"))
    installation.wait_running("first")
    installation.sweep()
    return installation


def in_(installation: Installation, **time: float) -> str:
    return (installation.clock() + timedelta(**time)).isoformat()


def end_of(job: Job) -> tuple[State, Outcome | None, Reason | None]:
    return job.state, job.outcome, job.reason


def custom_jobs(installation: Installation) -> int:
    return sum(line.get("rpc") == "CreateCustomJob" for line in installation.events("request"))


def test_a_sweep_ends_who_waited_for_too_long(full: Installation) -> None:
    full.ask(request("patient"))
    full.ask(request("impatient", max_wait="10m"))
    full.clock.advance(minutes=9)
    full.sweep()
    assert full.job("impatient").state is State.QUEUED

    full.clock.advance(minutes=1, seconds=1)
    full.sweep()

    assert end_of(full.job("impatient")) == (State.ENDED, Outcome.EXPIRED, Reason.WAITED_TOO_LONG)
    assert full.outcomes("impatient")[-1]["outcome"] == "expired"
    assert full.resource().waiting == 1
    check(full, "first", "patient", "impatient")


def test_a_sweep_ends_who_waits_still_at_its_deadline(full: Installation) -> None:
    full.ask(request("late", deadline=in_(full, minutes=10)))
    full.clock.advance(minutes=10, seconds=1)
    full.sweep()

    assert end_of(full.job("late")) == (State.ENDED, Outcome.EXPIRED, Reason.DEADLINE_PASSED)
    assert "was to have ended by" in (full.job("late").history[-1].note or "")


@pytest.mark.parametrize("state", ["REBOOTING", "ERROR"])
def test_times_come_where_nothing_can_start_too(full: Installation, state: str) -> None:
    full.ask(request("impatient", max_wait="10m"))
    full.stand_in.set_state(resource="shared", state=state)
    full.clock.advance(minutes=11)
    full.sweep()

    assert full.job("impatient").outcome is Outcome.EXPIRED


@pytest.mark.parametrize(
    "wish", [{"deadline": "2026-01-01T00:00:00Z"}, {"max_wait": 1}], ids=["deadline", "max_wait"]
)
def test_a_job_that_is_over_when_it_arrives_is_never_submitted(
    installation: Installation, wish: dict[str, object]
) -> None:
    delivery = installation.delivery("job-requests", json.dumps(request("over", **wish)).encode())
    installation.clock.advance(seconds=2)
    job_requested.handle(installation.system, delivery)

    assert installation.job("over").outcome is Outcome.EXPIRED
    assert custom_jobs(installation) == 0
    assert installation.resource().waiting == 0


def test_the_end_of_what_runs_finds_who_is_over_and_starts_who_is_not(full: Installation) -> None:
    full.ask(request("impatient", max_wait="10m"))
    full.ask(request("patient"))
    full.clock.advance(minutes=11)
    full.finish("first")

    assert full.job("impatient").outcome is Outcome.EXPIRED
    assert full.job("patient").state in {State.SUBMITTED, State.RUNNING}


def test_whoever_may_not_start_yet_lets_others_go_ahead_and_starts_when_a_sweep_sees_its_time(
    installing: Callable[..., Installation],
) -> None:
    installation = installing(pools=[pool(replicas=2)])
    installation.ask(request("sleeper", not_before=in_(installation, hours=2), priority=90))
    installation.ask(request("other"))
    assert end_of(installation.job("sleeper")) == (State.QUEUED, None, Reason.NOT_YET)
    assert installation.job("other").state in {State.SUBMITTED, State.RUNNING}

    installation.clock.advance(hours=2, seconds=1)
    installation.sweep()

    assert installation.job("sleeper").state in {State.SUBMITTED, State.RUNNING}


def test_what_runs_is_not_ended_by_how_long_it_might_have_waited(installation: Installation) -> None:
    installation.ask(request("j", max_wait="10m"))
    installation.wait_running("j")
    installation.clock.advance(minutes=11)
    installation.sweep()

    assert installation.job("j").state is State.RUNNING
