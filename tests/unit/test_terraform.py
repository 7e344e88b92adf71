"""What Terraform creates agrees with what the product asks for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from poolqueue.adapters.queries import INDEXES

INFRA = Path(__file__).parents[2] / "infra"
FIRESTORE = (INFRA / "firestore.tf").read_text()
INDEX = re.compile(r'collection = "(\w+)", field = "(\w+)", order = "(\w+)"')
SINK_PATTERN = re.compile(r'=~"([^"]+)"')


def test_terraform_makes_exactly_the_indexes_that_the_queries_need() -> None:
    assert {(collection, field) for collection, field, _ in INDEX.findall(FIRESTORE)} == INDEXES


def test_every_collection_that_is_written_is_exempt_from_automatic_indexes() -> None:
    listed = re.search(r"collections = toset\(\[(.*)\]\)", FIRESTORE)

    assert listed is not None
    assert set(re.findall(r'"(\w+)"', listed[1])) >= {collection for collection, _ in INDEXES}


@pytest.mark.parametrize("end", ["completed successfully.", "failed.", "cancelled.", "canceled", "failed"])
def test_the_log_sink_forwards_every_line_that_says_a_job_ended(end: str) -> None:
    patterns = SINK_PATTERN.findall((INFRA / "log_sink.tf").read_text())

    assert len(patterns) == 2, "one for textPayload, one for jsonPayload.message"
    assert all(re.search(pattern, f"Job {end}") for pattern in patterns)
    assert not any(re.search(pattern, "Job is running.") for pattern in patterns)


@pytest.mark.requires("terraform")
def test_the_configuration_is_formatted() -> None:
    subprocess.run(["terraform", "fmt", "-check", "-recursive", str(INFRA)], check=True)
