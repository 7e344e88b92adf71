"""`poolctl apply` on a whole stack: rules change at run time, in functions that go on running."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.local.stack import Stack
from tests.end_to_end.stack_support import (
    ON_EMBEDDED,
    finish,
    lives,
    poolctl,
    request,
    until_finished,
    wait_for_end,
    wait_for_requeue,
    wait_until_running,
    worker_pool_spec,
)

pytestmark = [ON_EMBEDDED, pytest.mark.timeout(180)]


def changed_settings(stack: Stack, directory: Path, **changes: Any) -> str:
    fields = yaml.safe_load(stack.settings_file.read_text())
    file = directory / "changed.yaml"
    file.write_text(yaml.safe_dump({**fields, **changes}))
    return str(file)


def test_an_applied_ordering_takes_effect_without_a_restart(stack: Stack, tmp_path: Path) -> None:
    """Strictly in order, nobody passes the wide job; with backfill, a short job does."""
    stack.publish("job-requests", until_finished("settings-occupant", "reordered"))
    wait_until_running(stack, "settings-occupant")
    two_replicas = [worker_pool_spec(), worker_pool_spec()]
    stack.publish("job-requests", request("settings-wide", "reordered", *two_replicas))
    wait_for_requeue(stack, "settings-wide")
    short = request("settings-short", "reordered")
    short["custom_job"]["jobSpec"]["scheduling"] = {"timeout": "60s"}
    stack.publish("job-requests", short)
    wait_for_requeue(stack, "settings-short")
    others = stack.plan.settings["resource_settings"]
    changed = {**others, "reordered": {"ordering": "priority"}}
    file = changed_settings(stack, tmp_path, resource_settings=changed)

    code, told = poolctl(stack, "apply", file, "--reason", "let short jobs pass", "--yes")

    assert code == 0, told
    assert "done: version 1 is in force: resource reordered: ordering fifo -> priority" in told
    wait_for_end(stack, "settings-short")
    assert not lives(stack, "settings-wide")
    assert poolctl(stack, "diff", file)[0] == 0
    finish(stack, "settings-occupant")
    wait_for_end(stack, "settings-occupant", "settings-wide")
