"""What a browser may ask for, and what is told to everything else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from poolqueue.page.asks import (
    BadAsk,
    Detail,
    Estimates,
    File,
    OneJob,
    Outcomes,
    Overview,
    QueuePage,
    Shell,
    parse_ask,
)
from tests.unit.cli.building import NAME

NAMED = {"name": NAME.full}


@pytest.mark.parametrize(
    ("path", "query", "ask"),
    [
        ("", {}, Shell()),
        ("/", {"anything": "else"}, Shell()),
        ("/files/0123abcd/page.js", {}, File(name="page.js")),
        ("/api/overview", {}, Overview()),
        ("/api/resource", NAMED, Detail(name=NAME)),
        ("/api/queue", NAMED, QueuePage(name=NAME)),
        (
            "/api/queue",
            {**NAMED, "page": "7", "team": "t", "reason": "paced", "text": " x "},
            QueuePage(name=NAME, page=7, team="t", reason="paced", text="x"),
        ),
        ("/api/estimates", NAMED, Estimates(name=NAME)),
        ("/api/outcomes", {}, Outcomes()),
        (
            "/api/outcomes",
            {"until": "2026-11-23T19:00:00+01:00"},
            Outcomes(until=datetime(2026, 11, 23, 18, tzinfo=UTC)),
        ),
        (
            "/api/job",
            {"team": "research", "job_id": "a.variant"},
            OneJob(team="research", job_id="a.variant"),
        ),
    ],
)
def test_paths_and_queries_become_values(path: str, query: dict[str, str], ask: object) -> None:
    assert parse_ask("GET", path, query) == ask
    assert parse_ask("HEAD", path, query) == ask


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/api/resource", {}, "name"),
        ("/api/resource", {"name": "gpu-a"}, "name"),
        ("/api/resource", {"name": "projects/p/locations/l/persistentResources/../x"}, "name"),
        ("/api/queue", {**NAMED, "page": "0"}, "page"),
        ("/api/queue", {**NAMED, "page": "-1"}, "page"),
        ("/api/queue", {**NAMED, "page": "\u0663"}, "page"),
        ("/api/queue", {**NAMED, "page": "9" * 400}, "page"),
        ("/api/queue", {**NAMED, "reason": "<script>"}, "reason"),
        ("/api/outcomes", {"until": "yesterday"}, "until"),
        ("/api/outcomes", {"until": "2026-11-23T18:00:00"}, "until"),
        ("/api/job", {"team": "a/b", "job_id": "c"}, "team"),
        ("/api/job", {"team": "a"}, "job_id"),
        ("/api/job", {"team": "a", "job_id": "x" * 301}, "job_id"),
        ("/api/job", {"team": "a", "job_id": "x\n"}, "job_id"),
    ],
)
def test_what_cannot_be_answered_is_told_with_field_value_and_remedy(
    path: str, query: dict[str, str], field: str
) -> None:
    bad = parse_ask("GET", path, query)

    assert isinstance(bad, BadAsk)
    assert (bad.status, bad.field) == (400, field)
    assert bad.remedy
    assert bad.value == query.get(field, "")[:300]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/api", "/api/jobs", "/files/x/../../page.py", "/files/x/a/b.js"]
)
def test_there_is_nothing_at_other_paths(path: str) -> None:
    bad = parse_ask("GET", path, {})

    assert isinstance(bad, BadAsk)
    assert bad.status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_nothing_can_be_changed(method: str) -> None:
    bad = parse_ask(method, "/api/overview", {})

    assert isinstance(bad, BadAsk)
    assert bad.status == 405
