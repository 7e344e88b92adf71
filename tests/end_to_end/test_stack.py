"""The local stack: several side by side, a function killed and started again, and a start that fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.local.processes import NotReady
from infra.local.stack import Plan, Stack, start_stack

SECONDS = 60.0

pytestmark = pytest.mark.timeout(240)


def request(job_id: str) -> dict[str, Any]:
    spec = {
        "machineSpec": {"machineType": "n1-standard-4"},
        "replicaCount": 1,
        "containerSpec": {"imageUri": "demo/image", "command": ["true"]},
    }
    job_spec = {"persistentResourceId": "shared", "workerPoolSpecs": [spec]}
    return {"job_id": job_id, "custom_job": {"displayName": job_id, "jobSpec": job_spec}}


def wait(ask: Callable[[], object], what: str) -> None:
    until = time.monotonic() + SECONDS
    while not ask():
        assert time.monotonic() < until, f"waited {SECONDS} s for {what}"
        time.sleep(0.05)


def succeeded(stack: Stack) -> set[str]:
    announced = [each.attributes for each in stack.outcomes()]
    return {each["job_id"] for each in announced if each.get("outcome") == "succeeded"}


def test_two_systems_side_by_side_know_nothing_of_each_other(tmp_path: Path) -> None:
    with start_stack(tmp_path / "one") as one, start_stack(tmp_path / "two") as two:
        one.publish("job-requests", request("a"))
        two.publish("job-requests", request("b"))
        wait(lambda: succeeded(one) and succeeded(two), "both jobs")
        assert (succeeded(one), succeeded(two)) == ({"a"}, {"b"})
        one.report().assert_nothing_found()


def test_a_killed_function_takes_what_was_published_meanwhile_once_it_is_back(tmp_path: Path) -> None:
    plan = Plan(functions={"job_requested": 3}, sweep_seconds=None)
    with start_stack(tmp_path, plan) as stack:
        assert len(stack.functions["job_requested"].workers()) == 3
        assert len(stack.functions["swept"].workers()) == 1
        stack.kill("job_requested")
        assert stack.functions["job_requested"].workers() == []
        stack.publish("job-requests", request("a"))
        stack.restart("job_requested")
        wait(lambda: succeeded(stack) == {"a"}, "the job")


def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    with start_stack(tmp_path) as stack:
        [worker] = stack.functions["job_requested"].workers()
        stack.kill_worker("job_requested", worker)
        wait(lambda: worker not in (new := stack.functions["job_requested"].workers()) and new, "another")
        stack.publish("job-requests", request("a"))
        wait(lambda: succeeded(stack) == {"a"}, "the job")


def test_a_function_that_does_not_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    source = tmp_path / "main.py"
    source.write_text("raise RuntimeError('no luck today')\n")
    with pytest.raises(NotReady, match=r"(?s)job_requested ended with 1:.*no luck today"):
        start_stack(tmp_path / "stack", Plan(source=source))
