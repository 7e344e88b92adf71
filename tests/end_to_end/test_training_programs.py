"""Each training program as a custom job of the stand-in: it really learns, or really fails, and says so."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.checker import Report, check_journal, read_journal
from infra.local.training.program import FAILED_TRAINING, UNUSABLE_INPUT, InputError
from infra.local.training.wine_table import read_table, wine_csv
from infra.local.vertex import StandIn

REPOSITORY = Path(__file__).parents[2]
PARENT = "projects/demo-training/locations/us-central1"
POOL = {
    "id": "cpu",
    "machine_spec": {"machine_type": "n1-standard-4"},
    "disk_spec": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 100},
    "replica_count": 4,
}
IMAGE = "us-docker.pkg.dev/demo-training/images/training"
POLL_SECONDS = 0.05
LONGEST_TRAINING_SECONDS = 60.0
ENDED = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED"}

PROGRAMS = ("digits", "breast_cancer", "diabetes", "forest", "clusters", "language_model")


def worker_pool_spec(command: list[str], *, replicas: int = 1) -> dict[str, Any]:
    return {
        "machineSpec": {"machineType": "n1-standard-4"},
        "diskSpec": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100},
        "replicaCount": str(replicas),
        "containerSpec": {"imageUri": IMAGE, "command": command},
    }


class Service:
    """A stand-in with one pool of four machines, spoken to by plain HTTP, and its buckets."""

    def __init__(self, stand_in: StandIn, directory: Path) -> None:
        self._stand_in = stand_in
        self.directory = directory
        self.buckets = directory / "buckets"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self._stand_in.endpoint}/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def train(self, program: str, *flags: str, workers: int = 0) -> dict[str, Any]:
        """A custom job that runs `program` in every replica, when it has ended."""
        command = ["python", "-m", f"infra.local.training.{program}", *flags]
        specs = [worker_pool_spec(command)]
        if workers:
            specs.append(worker_pool_spec(command, replicas=workers))
        return self.ended(program, specs)

    def ended(self, name: str, worker_pool_specs: list[dict[str, Any]]) -> dict[str, Any]:
        """Create a custom job and return it when it has ended."""
        job_spec = {
            "persistentResourceId": "cpu-a",
            "workerPoolSpecs": worker_pool_specs,
            "baseOutputDirectory": {"outputUriPrefix": f"gs://models/{name}"},
        }
        created = self.call("POST", f"{PARENT}/customJobs", {"displayName": name, "jobSpec": job_spec})
        deadline = time.monotonic() + LONGEST_TRAINING_SECONDS
        while time.monotonic() < deadline:
            found = self.call("GET", created["name"])
            if found["state"] in ENDED:
                return found
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"{name} did not end; its output: {self.output()}")

    def put(self, name: str, text: str) -> None:
        """An object `bucket/name`."""
        path = self.buckets / name
        path.parent.mkdir(parents=True)
        path.write_text(text)

    def result(self, program: str) -> dict[str, Any]:
        return json.loads((self.buckets / "models" / program / "model" / "result.json").read_text())

    def output(self) -> str:
        """What all replicas wrote to their standard output and error."""
        files = sorted((self.directory / "stand-in" / "output").rglob("*"))
        return "\n".join(path.read_text() for path in files if path.is_file())

    def report(self) -> Report:
        return check_journal(read_journal(self._stand_in.journal_path))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    resource = {"project": "demo-training", "location": "us-central1", "id": "cpu-a", "pools": [POOL]}
    stand_in = StandIn(
        tmp_path / "stand-in", [resource], working_directory=REPOSITORY, buckets=tmp_path / "buckets"
    )
    with stand_in:
        yield Service(stand_in, tmp_path)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_learns_more_than_its_baseline(service: Service, program: str) -> None:
    assert service.train(program)["state"] == "JOB_STATE_SUCCEEDED", service.output()
    result = service.result(program)
    gain = result["score"] - result["baseline"]
    assert (gain if result["higher_is_better"] else -gain) >= result["margin"] > 0
    assert result["beats_baseline"]
    assert result["held_out"] > 0
    assert "on held-out data beats" in service.output()
    service.report().assert_nothing_found()


def test_a_seed_gives_the_same_score_again(service: Service) -> None:
    scores = []
    for _ in range(2):
        service.train("digits", "--seed=11")
        scores.append(service.result("digits")["score"])
    assert scores[0] == scores[1]


def test_a_slow_training_does_more_epochs(service: Service) -> None:
    service.train("breast_cancer", "--slow-seconds=1.5")
    result = service.result("breast_cancer")
    assert result["seconds"] >= 1.5
    assert result["epochs"] > 60
    assert result["beats_baseline"]


def test_replicas_find_each_other_and_agree_on_what_one_alone_learns_too(service: Service) -> None:
    service.train("distributed")
    alone = service.result("distributed")
    assert service.train("distributed", workers=2)["state"] == "JOB_STATE_SUCCEEDED", service.output()
    result = service.result("distributed")
    assert (alone["world_size"], result["world_size"]) == (1, 3)
    assert result["score"] == pytest.approx(alone["score"], abs=0.01)
    assert min(result["gradients_by_replica"]) > 0
    assert sum(result["gradients_by_replica"]) == result["epochs"] * result["trained_on"]
    assert result["parameters_agree"]
    assert service.output().count(f"parameters {result['checksum'][:12]}") == 3
    report = service.report()
    assert report.peak_occupancy("cpu-a", "cpu") == 3
    report.assert_nothing_found()


def test_a_chief_whose_workers_do_not_come_says_which(service: Service) -> None:
    chief = worker_pool_spec(["python", "-m", "infra.local.training.distributed", "--wait-seconds=1"])
    crashed_worker = worker_pool_spec(["python", "-c", "pass"])
    assert service.ended("half", [chief, crashed_worker])["state"] == "JOB_STATE_FAILED"
    assert "not all replicas came within 1 s; missing: 1 (127.0.0.1:" in service.output()


def test_a_chief_that_loses_a_worker_says_so(service: Service) -> None:
    """The worker joins and leaves at once."""
    leaving = """
import os
from infra.local.training.cluster import Cluster
from infra.local.training.exchange import joined

with joined(Cluster.from_environment(os.environ), wait_seconds=30):
    pass
"""
    chief = worker_pool_spec(["python", "-m", "infra.local.training.distributed"])
    found = service.ended("lost", [chief, worker_pool_spec(["python", "-c", leaving])])
    assert found["state"] == "JOB_STATE_FAILED"
    assert f"non-zero status of {FAILED_TRAINING}" in found["error"]["message"]
    assert "distributed: " in service.output()
    assert "another replica closed its connection" in service.output() or "broke" in service.output()


def test_the_failing_program_trains_and_then_fails_with_a_reason(service: Service) -> None:
    found = service.train("failing")
    assert found["state"] == "JOB_STATE_FAILED"
    assert f"non-zero status of {FAILED_TRAINING}" in found["error"]["message"]
    assert "epoch 200" in service.output()
    assert "failing: the training loss grew to" in service.output()
    service.report().assert_nothing_found()


def test_a_table_that_arrived_is_learnt_from(service: Service) -> None:
    service.put("wine/monday.csv", wine_csv())
    found = service.train("arrived", "--object=gs://wine/monday.csv")
    assert found["state"] == "JOB_STATE_SUCCEEDED", service.output()
    assert service.result("arrived")["beats_baseline"]


def test_a_table_with_wrong_columns_fails_the_custom_job_with_the_reason(service: Service) -> None:
    service.put("wine/bad.csv", wine_csv().replace("alcohol", "spirit", 1))
    found = service.train("arrived", "--object=gs://wine/bad.csv")
    assert found["state"] == "JOB_STATE_FAILED"
    assert f"non-zero status of {UNUSABLE_INPUT}" in found["error"]["message"]
    assert "it lacks alcohol; has unknown 'spirit'" in service.output()


@pytest.mark.parametrize(
    ("spoilt", "problem"),
    [
        (lambda _wine: "", "is empty; its first line must name the columns alcohol"),
        (lambda wine: wine.replace("malic_acid,ash", "ash", 1), "lacks malic_acid"),
        (lambda wine: wine.replace("malic_acid,ash", "ash,ash", 1), "names a column twice"),
        (lambda wine: wine.replace("14.23", "strong", 1), "line 2: alcohol is not a number: 'strong'"),
        (lambda wine: wine.replace("14.23", "nan", 1), "line 2: alcohol is not a finite number: 'nan'"),
        (lambda wine: wine.replace("14.23,", "", 1), "line 2: 13 values instead of 14"),
        (lambda wine: "\n".join(wine.splitlines()[:20]), "has 19 rows; at least 40 are needed"),
        (lambda wine: "\n".join(wine.splitlines()[:50]), "holds one cultivar only"),
    ],
)
def test_a_table_that_cannot_be_learnt_from_is_refused_with_the_reason(
    tmp_path: Path, spoilt: Callable[[str], str], problem: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(spoilt(wine_csv()))
    with pytest.raises(InputError) as refused:
        read_table(path)
    assert problem in str(refused.value)
