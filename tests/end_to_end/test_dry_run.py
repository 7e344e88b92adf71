"""`poolctl submit --dry-run` on a whole stack: what it tells, and that nothing comes of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import Stack
from poolqueue.records import job_path
from poolqueue.scheduling.jobs import job_key
from tests.end_to_end.stack_support import (
    ON_EMBEDDED,
    finish,
    poolctl,
    request,
    until_finished,
    wait_for_end,
    wait_until_running,
    workers,
)

pytestmark = [ON_EMBEDDED, pytest.mark.timeout(180)]


def tried(stack: Stack, file: Path, *arguments: str) -> list[dict[str, Any]]:
    code, told = poolctl(stack, "submit", str(file), "--team", "research", "--dry-run", "--json", *arguments)
    assert code == 0, told
    trials: list[dict[str, Any]] = json.loads(told)["trials"]
    return trials


def test_a_dry_run_tells_when_a_job_would_start_and_what_would_start_it_now(
    stack: Stack, tmp_path: Path
) -> None:
    stack.publish("job-requests", until_finished("tried-occupant", "tried", timeout="600s"))
    wait_until_running(stack, "tried-occupant")
    file = tmp_path / "wide.json"
    file.write_text(json.dumps(request("tried-wide", "tried", *workers(2))))

    asked, narrower = tried(stack, file, "--replicas", "1")

    assert (asked["accepted"], asked["starts_now"], asked["reason"]) == (True, False, "needs_replicas")
    assert asked["delays"] == []
    until_start = datetime.fromisoformat(asked["starts"]) - datetime.now(UTC)
    assert 500 < until_start.total_seconds() <= 600
    assert (narrower["accepted"], narrower["starts_now"]) == (True, True)
    path = job_path(job_key("research", "tried-wide"))
    assert not stack.documents.read([path])[0].exists

    stack.publish("job-requests", file.read_bytes())
    finish(stack, "tried-occupant")
    wait_for_end(stack, "tried-occupant", "tried-wide")
