"""What a request says of its time, on the way to the job and to Vertex AI."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from handlers import job_requested
from poolqueue.scheduling.jobs import Job, Outcome, State
from tests.support.installation import Installation, request

TEAM = {"name": "research", "topics": ["job-requests"]}


def taken(installation: Installation, **settings: Any) -> Job:
    job_spec = settings.pop("job_spec", {})
    installation.ask(request("j", **settings, job_spec=job_spec))
    return installation.job("j")


def test_a_job_keeps_its_wishes(installation: Installation) -> None:
    deadline = installation.clock() + timedelta(days=2)
    job = taken(
        installation,
        expected_run="2h",
        min_run="20m",
        max_preemptions=2,
        deadline=deadline.isoformat(),
        max_wait="8h",
    )

    assert (job.expected_run, job.min_run, job.max_preemptions, job.max_wait) == (7200, 1200, 2, 28_800)
    assert job.deadline == deadline
    assert job.expires == job.created + timedelta(hours=8)


def test_a_job_is_learned_by_its_traits(installation: Installation) -> None:
    job = taken(installation, expected_run="2h", min_run="20m", job_spec={"scheduling": {"timeout": "3600s"}})

    assert (job.traits.timeout, job.traits.claimed, job.traits.min_run) == (3600, 7200, 1200)
    assert len(job.traits.keys) == 7


def test_the_same_job_again_has_the_same_traits(installation: Installation) -> None:
    for job_id in ("train-1", "train-2"):
        installation.ask(request(job_id))

    assert installation.job("train-1").traits == installation.job("train-2").traits


def test_not_before_is_when_the_first_attempt_may_start(installation: Installation) -> None:
    at = installation.clock() + timedelta(hours=1)

    assert taken(installation, not_before=at.isoformat()).not_before == at
    assert not installation.events("custom_job_created")


def test_who_stays_for_a_job_that_is_due_soon_takes_up_what_arrives_meanwhile(
    installation: Installation,
) -> None:
    """Whoever brings another job finds the bell held, and leaves."""
    due = installation.clock() + timedelta(seconds=20)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        if not pauses:
            installation.ask(request("awake"))
        pauses.append(seconds)
        installation.clock.sleep(seconds)

    body = json.dumps(request("sleeper", not_before=due.isoformat())).encode()
    delivery = installation.delivery("job-requests", body)
    job_requested.handle(replace(installation.system, sleep=sleep), delivery)

    started = {
        job_id: next(move.at for move in installation.job(job_id).history if move.state is State.RESERVED)
        for job_id in ("awake", "sleeper")
    }
    assert started["awake"] - installation.job("awake").created < timedelta(seconds=3)
    assert started["sleeper"] >= due


def test_min_run_is_at_most_the_timeout(installation: Installation) -> None:
    job = taken(installation, min_run="25h")

    assert (job.outcome, job.reason) == (Outcome.REJECTED, "not_allowed")
    assert [problem["path"] for problem in job.problems] == ["min_run"]


def test_a_team_may_set_a_priority_and_a_longest_wait_for_who_says_nothing(installing) -> None:
    installation = installing(settings={"teams": [{**TEAM, "default_priority": 0, "max_wait": "8h"}]})
    installation.ask(request("silent"))
    installation.ask(request("says", priority=50, max_wait="1h"))

    silent, says = installation.job("silent"), installation.job("says")
    assert (silent.priority, silent.max_wait) == (0, 28_800)
    assert (says.priority, says.max_wait) == (50, 3600)
