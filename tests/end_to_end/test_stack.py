"""The local stack: several side by side, a function killed and started again, and a start that fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.processes import NotReady
from infra.local.stack import Plan, Stack, start_stack
from infra.local.stack.plan import FUNCTIONS

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


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    plan = Plan(functions={"job_requested": 2}, sweep_seconds=None)
    with start_stack(tmp_path_factory.mktemp("stack"), plan) as started:
        yield started
        started.report().assert_nothing_found()


def test_every_function_has_as_many_workers_as_planned(stack: Stack) -> None:
    workers = {name: len(each.workers()) for name, each in stack.functions.items()}

    assert workers == {**dict.fromkeys(FUNCTIONS, 1), "job_requested": 2}


def test_two_systems_side_by_side_know_nothing_of_each_other(stack: Stack, tmp_path: Path) -> None:
    with start_stack(tmp_path) as other:
        stack.publish("job-requests", request("here"))
        other.publish("job-requests", request("there"))
        wait(lambda: "here" in succeeded(stack) and succeeded(other), "both jobs")
        assert succeeded(other) == {"there"}
        assert "there" not in succeeded(stack)


def test_a_worker_that_dies_is_replaced(stack: Stack) -> None:
    function = stack.functions["job_requested"]
    before = set(function.workers())
    stack.kill_worker("job_requested", min(before))
    wait(lambda: len(new := set(function.workers())) == 2 and new != before, "another")
    stack.publish("job-requests", request("a"))
    wait(lambda: "a" in succeeded(stack), "the job")


def test_a_killed_function_takes_what_was_published_meanwhile_once_it_is_back(stack: Stack) -> None:
    stack.kill("job_requested")
    assert stack.functions["job_requested"].workers() == []
    stack.publish("job-requests", request("b"))
    stack.restart("job_requested")
    wait(lambda: "b" in succeeded(stack), "the job")


def test_a_function_that_does_not_start_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    source = tmp_path / "main.py"
    source.write_text("raise RuntimeError('no luck today')\n")
    with pytest.raises(NotReady, match=r"(?s)job_requested ended with 1:.*no luck today"):
        start_stack(tmp_path / "stack", Plan(source=source))
