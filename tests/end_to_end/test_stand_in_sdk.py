"""The high-level SDK, unchanged, against the stand-in."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from google.auth.credentials import AnonymousCredentials

from tests.end_to_end.stand_in_support import (
    LOCATION,
    events,
    output,
    start,
    wait_for_state,
    worker_pool_spec,
)


@pytest.fixture
def aiplatform() -> ModuleType:
    """Slow to import: only where it is used, not wherever tests are collected."""
    return import_module("google.cloud.aiplatform")


def test_a_custom_job_is_submitted_and_seen(
    tmp_path: Path, demo_project: str, aiplatform: ModuleType
) -> None:
    with start(tmp_path, demo_project) as stand_in:
        aiplatform.init(
            project=demo_project,
            location=LOCATION,
            staging_bucket="gs://demo-bucket",
            api_endpoint=stand_in.endpoint,
            api_transport="rest",
            credentials=AnonymousCredentials(),
        )
        command = ["python3", "-c", "import os; print(os.environ['AIP_MODEL_DIR'])"]
        job = aiplatform.CustomJob(
            display_name="high-level",
            worker_pool_specs=[worker_pool_spec(command)],
            base_output_dir="gs://demo-bucket/run",
            labels={"a": "b"},
        )
        job.submit(persistent_resource_id="shared", timeout=3600)
        wait_for_state(stand_in, job.resource_name, "SUCCEEDED")

        assert job.state is aiplatform.gapic.JobState.JOB_STATE_SUCCEEDED
        assert output(stand_in, job.resource_name) == "gs://demo-bucket/run/model/\n"
        assert [each.name for each in aiplatform.CustomJob.list()] == [job.name]
        assert aiplatform.CustomJob.get(job.resource_name).labels == {"a": "b"}
        assert len(events(stand_in, "custom_job_created")) == 1
