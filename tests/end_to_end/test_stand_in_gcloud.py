"""Unchanged gcloud against the stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.vertex import StandIn
from tests.end_to_end.stand_in_support import (
    LOCATION,
    client,
    custom_job,
    events,
    parent,
    pool,
    python,
    start,
    states,
    wait_for,
    wait_for_event,
    wait_for_state,
    worker_pool_spec,
)
from tests.support.gcloud import Gcloud, Ran

pytestmark = pytest.mark.requires("gcloud")


@contextmanager
def gcloud_on(stand_in: StandIn, directory: Path, project: str) -> Iterator[Callable[..., Ran]]:
    with Gcloud(directory / "gcloud", project=project, vertex=stand_in.endpoint) as started:
        yield lambda *words: started.run("ai", *words, f"--region={LOCATION}")


def test_custom_jobs_are_created_listed_described_and_cancelled(tmp_path: Path, demo_project: str) -> None:
    # gcloud has no flag for the disk, so the worker pool spec matches on the machine.
    spec = "machine-type=n1-standard-4,replica-count=1,container-image-uri=demo/image"
    with (
        start(tmp_path, demo_project) as stand_in,
        gcloud_on(stand_in, tmp_path, demo_project) as gcloud,
    ):

        def run(*words: str) -> str:
            done = gcloud("custom-jobs", *words)
            assert done.code == 0, done.err
            return done.out

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
    with (
        start(tmp_path, demo_project, pool()) as stand_in,
        gcloud_on(stand_in, tmp_path, demo_project) as gcloud,
    ):

        def create(name: str) -> Ran:
            words = ("custom-jobs", "create", f"--display-name={name}", f"--config={config}")
            return gcloud(*words)

        accepted, refused = create("good"), create("d" * 129)

        assert accepted.code == 0, accepted.err
        wait_for_event(stand_in, "custom_job_state", state="JOB_STATE_SUCCEEDED")
        assert refused.code == 1
        assert "custom_job.display_name" in refused.err


def test_persistent_resources_live_their_life(tmp_path: Path, demo_project: str) -> None:
    with (
        start(tmp_path, demo_project) as stand_in,
        gcloud_on(stand_in, tmp_path, demo_project) as gcloud,
    ):

        def run(*words: str) -> str:
            done = gcloud("persistent-resources", *words)
            assert done.code == 0, done.err
            return done.out

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


def test_the_log_of_a_job_is_read(tmp_path: Path, demo_project: str) -> None:
    with (
        start(tmp_path, demo_project) as stand_in,
        Gcloud(tmp_path / "gcloud", project=demo_project, vertex=stand_in.endpoint) as gcloud,
    ):
        asked = custom_job(worker_pool_spec(python("print('hello')")))
        name = client(stand_in).create_custom_job(parent=parent(demo_project), custom_job=asked).name
        wait_for_state(stand_in, name, "SUCCEEDED")
        number = name.rsplit("/", 1)[-1]
        wanted = f'resource.type="ml_job" AND resource.labels.job_id="{number}"'
        read = gcloud.run("logging", "read", wanted, "--order=asc", "--format=json")

    assert read.code == 0, read.err
    entries = json.loads(read.out)
    assert [each["jsonPayload"]["message"] for each in entries if "jsonPayload" in each] == ["hello"]
    assert entries[-1]["textPayload"] == "Job completed successfully."
