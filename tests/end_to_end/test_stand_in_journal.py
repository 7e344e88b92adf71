"""The journal of a busy stand-in, held against the checker."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import ServiceUnavailable, TooManyRequests

from infra.local.checker import check_journal
from infra.local.vertex import StandIn
from tests.end_to_end.stand_in_support import (
    client,
    custom_job,
    events,
    parent,
    pool,
    start,
    wait_for,
    worker_pool_spec,
)

JOBS = 60
ENDED = {f"JOB_STATE_{state}" for state in ("SUCCEEDED", "FAILED", "CANCELLED")}
BIG = {"machine_type": "n1-highmem-8"}
ERRORS = [{"method": "CreateCustomJob", "status": 503, "after_effect": True, "probability": 0.1}]


def any_specs(chance: random.Random) -> list[dict[str, Any]]:
    env = [
        {"name": "STAND_IN_SECONDS", "value": str(chance.uniform(0, 0.1))},
        {"name": "STAND_IN_EXIT_CODE", "value": str(chance.choice([0, 0, 1]))},
    ]
    first = worker_pool_spec(env=env)
    if chance.random() < 0.5:
        first["machine_spec"] = BIG
    others = [worker_pool_spec(replicas=chance.randint(1, 3))]
    return [first, *others] if chance.random() < 0.5 else [first]


def create_and_sometimes_cancel(stand_in: StandIn, project: str, chance: random.Random) -> None:
    service = client(stand_in)
    for number in range(JOBS):
        request = custom_job(*any_specs(chance), name=f"job-{number}")
        with contextlib.suppress(TooManyRequests, ServiceUnavailable):
            created = service.create_custom_job(parent=parent(project), custom_job=request, timeout=10)
            if chance.random() < 0.2:
                service.cancel_custom_job(name=created.name, timeout=10)


@pytest.mark.parametrize(("over_capacity", "seed"), [("pend", 1), ("fail", 2), ("reject", 3)])
def test_no_pool_is_ever_over_capacity_and_every_job_ends_once(
    tmp_path: Path, demo_project: str, over_capacity: str, seed: int
) -> None:
    scaled = {"machine_spec": BIG, "autoscaling": {"min": 1, "max": 3}}
    behaviour = {"run_processes": False, "over_capacity": over_capacity, "errors": ERRORS, "seed": seed}
    with start(tmp_path, demo_project, pool(4), scaled, behaviour=behaviour) as stand_in:
        create_and_sometimes_cancel(stand_in, demo_project, random.Random(seed))
        accepted = [each["custom_job"] for each in events(stand_in, "custom_job_created")]

        def ended() -> list[str]:
            moves = events(stand_in, "custom_job_state")
            return [each["custom_job"] for each in moves if each["state"] in ENDED]

        wait_for(lambda: len(ended()) >= len(accepted), "the end of all jobs")

    # Now that it has stopped: an end is written before its last words and the release of its replicas.
    assert sorted(ended()) == sorted(accepted)
    assert not check_journal(stand_in.journal(), allow_over_capacity=True).findings
    lines = stand_in.journal_path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == stand_in.journal()
