"""The main path: recorded, admitted or requeued, run, ended, announced."""

from __future__ import annotations

from pathlib import Path

import pytest

from poolqueue.scheduling.jobs import Outcome, State
from tests.support.installation import Installation, request, worker_pool_spec


@pytest.fixture
def installation(tmp_path: Path, demo_project: str):
    with Installation(tmp_path, demo_project) as installation:
        yield installation


def test_a_job_that_fits_is_submitted_at_once(installation: Installation) -> None:
    installation.ask(request("first"))

    assert installation.states("first") == ["queued", "reserved", "submitted"]
    assert len(installation.events("custom_job_created")) == 1


def test_a_job_that_ended_is_recorded_released_and_announced(installation: Installation) -> None:
    installation.ask(request("first"))
    installation.finish("first")

    job = installation.job("first")
    assert (job.state, job.outcome) == (State.ENDED, Outcome.SUCCEEDED)
    assert not installation.resource().reservations
    assert [o["state"] for o in installation.outcomes("first")] == [
        "queued",
        "reserved",
        "submitted",
        "ended",
    ]
    assert not installation.resource().unannounced


def test_a_job_that_does_not_fit_is_requeued_and_starts_on_release(installation: Installation) -> None:
    installation.ask(request("large", worker_pool_spec(), worker_pool_spec()))
    installation.ask(request("next"))

    assert installation.states("next") == ["queued", "queued"]
    assert installation.outcomes("next")[-1]["reason"] == "needs_replicas"

    installation.finish("large")

    assert installation.states("next") == ["queued", "queued", "reserved", "submitted"]
    assert not installation.events("over_capacity")
