"""What Terraform creates agrees with what the product asks for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from infra.local.topology import SWEEP_TERMS, TOPICS, Terms
from poolqueue.adapters.queries import INDEXES
from poolqueue.config import FUNCTION_TIMEOUT

INFRA = Path(__file__).parents[2] / "infra"
FIRESTORE = (INFRA / "firestore.tf").read_text()
INDEX = re.compile(r'collection = "(\w+)", field = "(\w+)", order = "(\w+)"')
TERMS = re.compile(
    r'(\w+) += { minimum_backoff = "(\d+)s", maximum_backoff = "(\d+)s", max_delivery_attempts = (\d+)'
)
SINK_PATTERN = re.compile(r'=~"([^"]+)"')


def test_terraform_makes_exactly_the_indexes_that_the_queries_need() -> None:
    assert {(collection, field) for collection, field, _ in INDEX.findall(FIRESTORE)} == INDEXES


def test_every_collection_that_is_written_is_exempt_from_automatic_indexes() -> None:
    listed = re.search(r"collections = toset\(\[(.*?)\]\)", FIRESTORE, re.DOTALL)

    assert listed is not None
    assert set(re.findall(r'"(\w+)"', listed[1])) >= {collection for collection, _ in INDEXES}


def test_subscriptions_deliver_as_they_do_on_one_machine() -> None:
    text = (INFRA / "subscriptions.tf").read_text()
    terms_by_name = {name: tuple(map(int, numbers)) for name, *numbers in TERMS.findall(text)}

    assert terms_by_name == {"fact": delivery(Terms()), "sweep": delivery(SWEEP_TERMS)}
    assert re.search(rf"ack_deadline_seconds += {Terms().ack_deadline_seconds}\n", text)


def delivery(terms: Terms) -> tuple[float, float, int]:
    return terms.minimum_backoff_seconds, terms.maximum_backoff_seconds, terms.max_delivery_attempts


def test_functions_may_run_for_as_long_as_the_settings_check_assumes() -> None:
    given = re.findall(r"timeout_seconds += (\d+)", (INFRA / "functions.tf").read_text())

    assert {int(seconds) for seconds in given} == {FUNCTION_TIMEOUT.total_seconds()}


def test_every_pushed_topic_reaches_the_same_function_as_on_one_machine() -> None:
    text = (INFRA / "subscriptions.tf").read_text()

    assert {topic.function for topic in TOPICS if topic.function} == set(
        re.findall(r'function = "(\w+)"', text)
    )


@pytest.mark.parametrize("end", ["completed successfully.", "failed.", "cancelled.", "canceled", "failed"])
def test_the_log_sink_forwards_every_line_that_says_a_job_ended(end: str) -> None:
    patterns = SINK_PATTERN.findall((INFRA / "log_sink.tf").read_text())

    assert len(patterns) == 2, "one for textPayload, one for jsonPayload.message"
    assert all(re.search(pattern, f"Job {end}") for pattern in patterns)
    assert not any(re.search(pattern, "Job is running.") for pattern in patterns)


@pytest.mark.requires("terraform")
def test_the_configuration_is_formatted() -> None:
    subprocess.run(["terraform", "fmt", "-check", "-recursive", str(INFRA)], check=True)
