"""Unchanged gcloud against the stand-in."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from infra.local.vertex import StandIn
from tests.end_to_end.stand_in_support import (
    LOCATION,
    events,
    pool,
    start,
    states,
    wait_for,
    wait_for_event,
    wait_for_state,
)

pytestmark = pytest.mark.requires("gcloud")


def environment(stand_in: StandIn, project: str, configuration: Path) -> dict[str, str]:
    return {
        **os.environ,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{stand_in.endpoint}/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CONFIG": str(configuration),
        "CLOUDSDK_CORE_PROJECT": project,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
    }


def gcloud(
    stand_in: StandIn, project: str, *words: str, configuration: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["gcloud", "ai", *words, f"--region={LOCATION}"],
        env=environment(stand_in, project, configuration),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_custom_jobs_are_created_listed_described_and_cancelled(tmp_path: Path, demo_project: str) -> None:
    # gcloud has no flag for the disk, so the worker pool spec matches on the machine.
    spec = "machine-type=n1-standard-4,replica-count=1,container-image-uri=demo/image"
    with start(tmp_path, demo_project) as stand_in:

        def run(*words: str) -> str:
            done = gcloud(stand_in, demo_project, "custom-jobs", *words, configuration=tmp_path / "gcloud")
            assert done.returncode == 0, done.stderr
            return done.stdout

        run(
            "create",
            "--display-name=sleeper",
            "--persistent-resource-id=shared",
            "--labels=team=vision",
            f"--worker-pool-spec={spec}",
            "--command=sleep",
            "--args=600",
        )
        (created,) = events(stand_in, "custom_job_created")
        wait_for_state(stand_in, created["name"], "RUNNING")

        (listed,) = json.loads(run("list", "--format=json", "--filter=state=JOB_STATE_RUNNING"))
        described = json.loads(run("describe", created["custom_job"], "--format=json"))
        run("cancel", created["custom_job"])
        wait_for_state(stand_in, created["name"], "CANCELLED")

        assert created["labels"] == {"team": "vision"}
        assert listed["name"] == created["name"]
        assert described["jobSpec"]["persistentResourceId"] == "shared"
        assert states(stand_in, created["name"])[-2:] == ["CANCELLING", "CANCELLED"]


def test_a_config_file_and_a_refusal(tmp_path: Path, demo_project: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        """
persistentResourceId: shared
scheduling: {timeout: 3600s, disableRetries: true, strategy: SPOT}
baseOutputDirectory: {outputUriPrefix: gs://b/out}
workerPoolSpecs:
- machineSpec: {machineType: n1-standard-4}
  diskSpec: {bootDiskType: pd-ssd, bootDiskSizeGb: 100}
  replicaCount: 1
  containerSpec: {imageUri: demo/image, command: ["true"]}
""",
        encoding="utf-8",
    )
    with start(tmp_path, demo_project, pool()) as stand_in:

        def create(name: str) -> subprocess.CompletedProcess[str]:
            words = ("custom-jobs", "create", f"--display-name={name}", f"--config={config}")
            return gcloud(stand_in, demo_project, *words, configuration=tmp_path / "gcloud")

        accepted, refused = create("good"), create("d" * 129)

        assert accepted.returncode == 0, accepted.stderr
        wait_for_event(stand_in, "custom_job_state", state="JOB_STATE_SUCCEEDED")
        assert refused.returncode == 1
        assert "custom_job.display_name" in refused.stderr


def test_persistent_resources_live_their_life(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project) as stand_in:

        def run(*words: str) -> str:
            done = gcloud(
                stand_in, demo_project, "persistent-resources", *words, configuration=tmp_path / "gcloud"
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        run(
            "create",
            "--persistent-resource-id=made",
            "--resource-pool-spec=replica-count=4,machine-type=n1-standard-4,disk-type=pd-ssd,disk-size=100",
        )
        wait_for_event(stand_in, "resource_state", resource="made", state="RUNNING")
        names = {each["name"].rsplit("/", 1)[-1] for each in json.loads(run("list", "--format=json"))}
        described = json.loads(run("describe", "made", "--format=json"))
        run("reboot", "made")
        wait_for(lambda: len(events(stand_in, "resource_state", resource="made")) == 3, "the reboot's end")
        run("delete", "made", "--quiet")

        assert names == {"shared", "made"}
        assert described["state"] == "RUNNING"
        assert described["resourcePools"][0]["replicaCount"] == "4"
        assert "usedReplicaCount" not in described["resourcePools"][0]
        wait_for_event(stand_in, "resource_deleted", resource="made")
