"""Estimates through functions, emulators and the stand-in: forecast by a sweep, shown, kept and scored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.local.stack import Stack
from infra.local.stack.plan import LOCATION
from poolqueue.records import ResourceName, forecasts_path, read_scorecard
from poolqueue.scheduling.scorecard import Scorecard
from poolqueue.viewing.as_json import job_fields
from poolqueue.viewing.reading import Reader
from poolqueue.viewing.views import JobView
from tests.end_to_end.stack_support import (
    ON_EMBEDDED,
    finish,
    record,
    request,
    until_finished,
    wait_for_end,
    wait_for_requeue,
    wait_until_running,
    worker_pool_spec,
)
from tests.end_to_end.stand_in_support import wait_for

pytestmark = [ON_EMBEDDED, pytest.mark.timeout(240)]
RESOURCE = "foretold"
SHORT_RUN = ("sleep", "1")


def card(stack: Stack) -> Scorecard:
    name = ResourceName(project=stack.project, location=LOCATION, id=RESOURCE)
    return read_scorecard(stack.documents.read([forecasts_path(name)])[0].fields)


def shown(stack: Stack, job_id: str) -> dict[str, Any]:
    """As `poolctl jobs --json` tells it."""
    return job_fields(view(stack, job_id))


def view(stack: Stack, job_id: str) -> JobView:
    reader = Reader(documents=stack.documents, regions=[(stack.project, LOCATION)])
    (resource,) = reader.resources(now=datetime.now(UTC), only=RESOURCE, estimates=9)
    return next(job for job in resource.waiting if job.job_id == job_id)


def test_a_waiting_job_is_forecast_and_scored_when_it_starts(stack: Stack) -> None:
    similar = [f"similar-{number}" for number in range(6)]
    for job_id in similar:
        stack.publish("job-requests", request(job_id, RESOURCE, worker_pool_spec(*SHORT_RUN)))
    wait_for_end(stack, *similar)
    stack.publish("job-requests", until_finished("holder", RESOURCE))
    wait_until_running(stack, "holder")
    stack.publish("job-requests", request("waits", RESOURCE, worker_pool_spec(*SHORT_RUN)))
    wait_for_requeue(stack, "waits")
    stack.sweep()

    wait_for(lambda: "research.waits" in card(stack).open, "its forecast")
    told = card(stack).open["research.waits"]
    assert 0 < told.p50 <= told.p90
    expected = shown(stack, "waits")["expected"]
    assert expected["start_p50"] <= expected["start_p90"] <= expected["end_p90"]
    assert expected["similar_runs"] >= 5

    finish(stack, "holder")
    wait_for_end(stack, "holder", "waits")
    stack.sweep()
    wait_for(lambda: card(stack).totals.scored == 1, "its score")
    waited = (record(stack, "waits").history[-1].at - told.made).total_seconds()
    assert 0 <= card(stack).scores[-1].waited <= waited
