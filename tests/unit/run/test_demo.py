"""The demo's files are what they claim to be: requests that parse or are refused, triggers, settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from infra.local.emulators import Kind
from infra.local.run.demo import DEMO, Entry, demo_plan, load_demo
from infra.local.run.next_steps import HELLO
from infra.local.stack.plan import write_settings
from infra.local.vertex.settings import ResourceSettings
from poolqueue.config import parse_settings
from poolqueue.messages import BadRequest, JobRequest, parse_request
from poolqueue.scheduling.jobs import Outcome
from poolqueue.triggers import load_triggers

PUBLISHED = [entry for entry in load_demo().entries if entry.file is not None]


def parsed(path: Path, attributes: dict[str, str]) -> JobRequest | BadRequest:
    return parse_request(
        path.read_bytes(), attributes, default_job_id="none", project="demo-x", location="us-central1"
    )


@pytest.mark.parametrize("entry", PUBLISHED, ids=lambda entry: entry.job)
def test_a_request_is_well_formed_unless_it_is_to_be_refused(entry: Entry) -> None:
    request = parsed(DEMO / "requests" / str(entry.file), dict(entry.attributes))
    assert isinstance(request, BadRequest) == (entry.outcome is Outcome.REJECTED), request
    assert request.job_id == entry.job
    assert request.persistent_resource == "gpu-demo"


def test_what_a_user_is_told_to_publish_is_well_formed() -> None:
    assert isinstance(parsed(DEMO.parents[2] / HELLO, {}), JobRequest)


def test_an_urgent_job_names_older_jobs_that_exist() -> None:
    waves = load_demo().waves
    for index, wave in enumerate(waves):
        older = {entry.job for earlier in waves[:index] for entry in earlier}
        for entry in wave:
            assert set(entry.before) <= older


def test_the_first_wave_fills_every_pool_so_that_all_later_ones_wait() -> None:
    pools = [pool for each in demo_plan(Kind.EMBEDDED).persistent_resources for pool in each["pools"]]
    asked = dict.fromkeys((json.dumps(pool["machine_spec"], sort_keys=True) for pool in pools), 0)
    for entry in load_demo().waves[0]:
        request = parsed(DEMO / "requests" / str(entry.file), dict(entry.attributes))
        for worker_pool in request.worker_pools:
            asked[json.dumps(json.loads(worker_pool.machine), sort_keys=True)] += worker_pool.replicas
    assert list(asked.values()) == [pool["replica_count"] for pool in pools]


def test_settings_triggers_and_resources_are_valid(tmp_path: Path) -> None:
    plan = demo_plan(Kind.EMBEDDED)
    settings = parse_settings(write_settings(plan, tmp_path).read_text())
    assert settings.triggers == "triggers.yaml"
    triggers = load_triggers((tmp_path / "triggers.yaml").read_text()).triggers
    arriving = [entry.job for entry in load_demo().entries if entry.object is not None]
    assert [trigger.name for trigger in triggers] == arriving
    for each in yaml.safe_load((DEMO / "resources.yaml").read_text()):
        ResourceSettings.model_validate({"project": plan.project, "location": "us-central1", **each})
