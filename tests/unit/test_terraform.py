"""What Terraform creates agrees with what the product asks for."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from infra.local.topology import SWEEP_TERMS, TOPICS, Terms
from poolqueue.adapters.queries import INDEXES
from poolqueue.config import FUNCTION_TIMEOUT
from poolqueue.records import EXPIRES

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


def test_what_expires_is_deleted_by_a_policy_on_the_field_that_is_written() -> None:
    listed = re.search(r"expiring = toset\(\[(.*?)\]\)", FIRESTORE)

    assert listed is not None
    assert set(re.findall(r'"(\w+)"', listed[1])) == {"commands", "dead_letters", "jobs", "templates"}
    assert f'field      = "{EXPIRES}"' in FIRESTORE
    assert "ttl_config {}" in FIRESTORE


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


def test_the_page_may_read_its_database_and_nothing_else() -> None:
    """Its account has no other role, and is no member of the functions that admit jobs."""
    texts = {file.name: file.read_text() for file in INFRA.glob("*.tf")}
    granted = re.findall(
        r'role += "([\w./]+)"\n\s+member += "serviceAccount:\$\{google_service_account.page.email\}"',
        texts["page.tf"],
    )

    assert granted == ["roles/datastore.viewer"]
    assert {name for name, text in texts.items() if "service_account.page" in text} == {"page.tf"}
    assert '"page"' not in texts["identities.tf"]


def test_nobody_may_look_at_the_page_unless_named() -> None:
    page, variables = (INFRA / "page.tf").read_text(), (INFRA / "variables.tf").read_text()
    viewers = variables[variables.index('variable "page_viewers"') :]

    assert page.count("roles/run.invoker") == 1
    assert "for_each = var.page_viewers" in page
    assert re.search(r"default += \[\]", viewers[: viewers.index("\n}\n")])
    assert "allUsers" in viewers


def test_all_files_of_the_page_are_deployed() -> None:
    deployed = re.search(r"poolqueue/\*\*/\*\.\{([\w,]+)\}", (INFRA / "functions.tf").read_text())

    assert deployed is not None
    files = (INFRA.parent / "poolqueue" / "page" / "files").iterdir()
    assert {file.suffix[1:] for file in files} <= set(deployed[1].split(","))


@pytest.mark.requires("terraform")
def test_the_configuration_is_formatted() -> None:
    subprocess.run(["terraform", "fmt", "-check", "-recursive", str(INFRA)], check=True)
