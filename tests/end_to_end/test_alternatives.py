"""A job that may run elsewhere, through functions and emulators; nothing sweeps here."""

from __future__ import annotations

import pytest

from infra.local.stack import Stack
from poolqueue.records import ResourceName
from poolqueue.scheduling.jobs import Reason
from tests.end_to_end.stack_support import (
    announced,
    at_vertex,
    finish,
    lives,
    record,
    request,
    until_finished,
    wait_for_end,
    wait_for_requeue,
    wait_until_running,
)

pytestmark = pytest.mark.timeout(180)


def test_a_waiting_job_starts_where_replicas_come_free_first(stack: Stack) -> None:
    for name in ("near", "far"):
        stack.publish("job-requests", until_finished(f"holds-{name}", name))
    for name in ("near", "far"):
        wait_until_running(stack, f"holds-{name}")
    stack.publish("job-requests", request("wanders", "near", alternatives=["far"]))
    told = wait_for_requeue(stack, "wanders")

    finish(stack, "holds-far")
    wait_for_end(stack, "wanders")
    finish(stack, "holds-near")
    wait_for_end(stack, "holds-near")

    assert (told["state"], told["reason"]) == ("queued", "needs_replicas")
    job = record(stack, "wanders")
    assert ResourceName.from_key(job.resource).id == "far"
    assert [entry.reason for entry in job.history][:4] == [None, Reason.NEEDS_REPLICAS, Reason.MOVED, None]
    assert at_vertex(stack, str(job.custom_job))["jobSpec"]["persistentResourceId"] == "far"
    assert len(lives(stack, "wanders")) == 1
    places = [body["persistent_resource"].rsplit("/", 1)[-1] for body in announced(stack, "wanders")]
    assert (places[0], places[-1]) == ("near", "far")
