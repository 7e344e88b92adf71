"""Reads, queries, values and what they cost, seen on every store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from poolqueue.adapters.counts import Counts
from poolqueue.ports import Create, Delete, Document, Query, Replace
from tests.contract.conftest import Store
from tests.contract.steps import JOB, create, fields, read

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_documents_are_read_in_the_order_asked_with_absent_ones_in_place(store: Store) -> None:
    for name in "abc":
        create(store.documents, f"queues/{name}", name=name)
    found = store.documents.read(["queues/c", "queues/missing", "queues/a", "queues/c"])
    assert [each.path for each in found] == ["queues/c", "queues/missing", "queues/a", "queues/c"]
    assert [each.fields and each.fields["name"] for each in found] == ["c", None, "a", "c"]
    assert found[1].version is None


def test_reading_nothing_asks_nothing(store: Store) -> None:
    assert store.documents.read([]) == []
    assert store.documents.counts == Counts()


def test_arrivals_are_the_jobs_whose_inbox_is_the_resource(store: Store) -> None:
    for number, inbox in enumerate(["r1", "r2", "r1"]):
        create(store.documents, f"jobs/blue.{number}", inbox=inbox)
    found = store.documents.find(Query(collection="jobs", where={"inbox": "r1"}))
    assert [each.path for each in found] == ["jobs/blue.0", "jobs/blue.2"]


def test_a_document_without_the_indexed_field_is_not_found(store: Store) -> None:
    version = create(store.documents, inbox="r1")
    create(store.documents, "jobs/blue.other", state="running")
    store.documents.commit([Replace(path=JOB, fields={"state": "queued"}, version=version)])
    assert store.documents.find(Query(collection="jobs", where={"inbox": "r1"})) == []
    assert store.documents.find(Query(collection="jobs", newest_first="ended_at")) == []


def test_a_deleted_document_is_not_found(store: Store) -> None:
    version = create(store.documents, inbox="r1")
    store.documents.commit([Delete(path=JOB, version=version)])
    assert store.documents.find(Query(collection="jobs", where={"inbox": "r1"})) == []


def test_a_query_finds_what_was_committed_just_before(store: Store) -> None:
    create(store.documents, inbox="r1")
    (found,) = store.open().find(Query(collection="jobs", where={"inbox": "r1"}))
    assert found == read(store.documents)


def test_the_resources_of_a_region_are_found(store: Store) -> None:
    create(store.documents, "resources/p.eu.gpu", region="p.eu")
    create(store.documents, "resources/p.us.gpu", region="p.us")
    (found,) = store.documents.find(Query(collection="resources", where={"region": "p.eu"}))
    assert found.path == "resources/p.eu.gpu"


@pytest.mark.parametrize(("collection", "field"), [("jobs", "ended_at"), ("dead_letters", "at")])
def test_the_newest_come_first(store: Store, collection: str, field: str) -> None:
    for hours in (2, 5, 1):
        create(store.documents, f"{collection}/{hours}", **{field: NOON + timedelta(hours=hours)})
    found = store.documents.find(Query(collection=collection, newest_first=field, limit=2))
    assert [each.path for each in found] == [f"{collection}/5", f"{collection}/2"]


def test_the_newest_until_a_moment_include_those_of_that_moment(store: Store) -> None:
    for hours in (1, 2, 3, 4):
        create(store.documents, f"jobs/{hours}", ended_at=NOON + timedelta(hours=hours))
    create(store.documents, "jobs/also-3", ended_at=NOON + timedelta(hours=3))
    create(store.documents, "jobs/odd", ended_at=7)
    until = NOON + timedelta(hours=3)
    found = store.documents.find(Query(collection="jobs", newest_first="ended_at", until=until, limit=9))
    assert [each.path for each in found] == ["jobs/also-3", "jobs/3", "jobs/2", "jobs/1"]
    (first,) = store.documents.find(Query(collection="jobs", newest_first="ended_at", until=until, limit=1))
    assert first.path == "jobs/also-3"


def test_those_of_one_moment_come_in_the_order_of_their_ids_downwards(store: Store) -> None:
    for name in "acb":
        create(store.documents, f"jobs/{name}", ended_at=NOON)
    found = store.documents.find(Query(collection="jobs", newest_first="ended_at"))
    assert [each.path for each in found] == ["jobs/c", "jobs/b", "jobs/a"]


def test_a_query_gives_no_more_than_its_limit(store: Store) -> None:
    store.documents.commit([Create(path=f"jobs/{n}", fields={"inbox": "r1"}) for n in range(5)])
    found = store.documents.find(Query(collection="jobs", where={"inbox": "r1"}, limit=3))
    assert [each.path for each in found] == ["jobs/0", "jobs/1", "jobs/2"]


def test_a_query_gives_only_the_fields_selected(store: Store) -> None:
    odd = "a.b `c\\d"
    create(store.documents, **{"inbox": "r1", "custom_job": "long", "priority": 5, odd: 1})
    query = Query(collection="jobs", where={"inbox": "r1"}, select=("priority", odd, "absent"))
    (found,) = store.documents.find(query)
    assert found == Document(path=JOB, fields={"priority": 5, odd: 1}, version=read(store.documents).version)


@pytest.mark.parametrize(
    "query",
    [
        Query(collection="jobs"),
        Query(collection="jobs", where={"state": "queued"}),
        Query(collection="jobs", where={"inbox": "r1", "state": "queued"}),
        Query(collection="jobs", where={"inbox": "r1"}, newest_first="ended_at"),
        Query(collection="queues", newest_first="ended_at"),
        Query(collection="jobs", where={"inbox": "r1"}, until=NOON),
        Query(collection="jobs", where={"inbox": "r1"}, limit=0),
    ],
)
def test_a_query_of_no_listed_shape_is_refused(store: Store, query: Query) -> None:
    with pytest.raises(ValueError, match=r"listed shape|limit of at least 1"):
        store.documents.find(query)


def test_projects_and_databases_share_nothing(store: Store) -> None:
    create(store.documents, inbox="r1")
    for elsewhere in (store.open(project=f"{store.project}-b"), store.open(database="second")):
        assert not read(elsewhere).exists
        assert elsewhere.find(Query(collection="jobs", where={"inbox": "r1"})) == []
        create(elsewhere, inbox="r1")


# --- values ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        2**63 - 1,
        -(2**63),
        0.1,
        -1e308,
        float("inf"),
        "",
        "Grüße, 世界 🚀 \x00",
        b"",
        bytes(range(256)),
        [],
        {},
        [1, "a", {"deep": [None, {"er": b"\x00"}]}],
        {"a": {"b.c": {"`": []}}},
        datetime(2026, 11, 23, 12, 34, 56, 789012, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    ids=repr,
)
def test_a_value_comes_back_equal_and_of_its_type(store: Store, value: Any) -> None:
    create(store.documents, value=value)
    found = fields(store.documents)["value"]
    assert found == value
    assert type(found) is type(value)


def test_a_moment_comes_back_in_utc(store: Store) -> None:
    create(store.documents, at=datetime(2026, 11, 23, 14, tzinfo=timezone(timedelta(hours=2))))
    at = fields(store.documents)["at"]
    assert (at, at.tzinfo) == (NOON, UTC)


def test_nobody_changes_what_is_stored_by_changing_what_they_hold(store: Store) -> None:
    mine = {"inbox": "r1", "lines": [{"job": "a"}]}
    create(store.documents, **mine)
    mine["lines"][0]["job"] = "changed"
    (found,) = store.documents.find(Query(collection="jobs", where={"inbox": "r1"}))
    for theirs in (fields(store.documents), found.fields):
        theirs["lines"][0]["job"] = "changed"
        theirs["lines"].append({})
    assert fields(store.documents) == {"inbox": "r1", "lines": [{"job": "a"}]}


# --- what it costs ---------------------------------------------------------------------------------------


def test_a_read_costs_one_per_document_and_one_round_trip(store: Store) -> None:
    create(store.documents)
    before = store.documents.counts
    store.documents.read([JOB, "jobs/blue.missing"])
    assert store.documents.counts - before == Counts(reads=2, round_trips=1)


def test_a_query_costs_what_it_finds_and_at_least_one(store: Store) -> None:
    store.documents.commit([Create(path=f"jobs/{n}", fields={"inbox": "r1"}) for n in range(3)])
    before = store.documents.counts
    store.documents.find(Query(collection="jobs", where={"inbox": "r1"}))
    store.documents.find(Query(collection="jobs", where={"inbox": "r2"}))
    assert store.documents.counts - before == Counts(reads=4, round_trips=2)


def test_a_commit_costs_its_writes_and_one_round_trip(store: Store) -> None:
    version = create(store.documents)
    before = store.documents.counts
    store.documents.commit([Delete(path=JOB, version=version), Create(path="jobs/b", fields={})])
    assert store.documents.counts - before == Counts(writes=1, deletes=1, round_trips=1)
