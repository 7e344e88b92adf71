"""What the cycle and the sweep rely on, seen on every store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from poolqueue.adapters.counts import Counts
from poolqueue.ports import Conflict, Create, Delete, Document, Documents, Query, Replace
from tests.contract.conftest import Store
from tests.contract.lossy_wire import Lost

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
JOB = "jobs/blue.resnet"


def create(documents: Documents, path: str = JOB, **fields: Any) -> object:
    (version,) = documents.commit([Create(path=path, fields=fields)])
    return version


def read(documents: Documents, path: str = JOB) -> Document:
    (document,) = documents.read([path])
    return document


def fields(documents: Documents, path: str = JOB) -> Any:
    return read(documents, path).fields


def compare_and_set(documents: Documents, decide: Callable[[Any], dict[str, Any]], path: str = JOB) -> int:
    """Read, decide, commit until there is no conflict; how often it was decided."""
    for decisions in range(1, 1000):
        seen = read(documents, path)
        try:
            documents.commit([Replace(path=path, fields=decide(seen.fields), version=seen.version)])
        except Conflict:
            continue
        return decisions
    raise AssertionError("a thousand conflicts in a row")


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Run `act(0)`, `act(1)`, ... in threads that start at once."""
    barrier = threading.Barrier(count)

    def started(number: int) -> Any:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(started, range(count)))


# --- compare and set -------------------------------------------------------------------------------------


def test_a_created_document_is_read_back_with_its_version(store: Store) -> None:
    version = create(store.documents, n=1)
    assert read(store.documents) == Document(path=JOB, fields={"n": 1}, version=version)


def test_a_document_is_created_only_if_it_is_absent(store: Store) -> None:
    create(store.documents, n=1)
    with pytest.raises(Conflict):
        create(store.documents, n=2)
    assert fields(store.documents) == {"n": 1}


def test_a_replacement_leaves_no_field_of_the_document_before(store: Store) -> None:
    version = create(store.documents, a=1, b=2)
    store.documents.commit([Replace(path=JOB, fields={"c": 3}, version=version)])
    assert fields(store.documents) == {"c": 3}


def test_the_version_that_a_commit_gives_is_good_for_the_next_commit(store: Store) -> None:
    version = create(store.documents, n=0)
    for n in range(1, 12):
        (version,) = store.documents.commit([Replace(path=JOB, fields={"n": n}, version=version)])
    assert read(store.documents).version == version


def test_a_stale_version_conflicts(store: Store) -> None:
    stale = create(store.documents, n=1)
    store.documents.commit([Replace(path=JOB, fields={"n": 2}, version=stale)])
    for write in (Replace(path=JOB, fields={"n": 3}, version=stale), Delete(path=JOB, version=stale)):
        with pytest.raises(Conflict):
            store.documents.commit([write])
    assert fields(store.documents) == {"n": 2}


def test_a_document_that_is_gone_conflicts(store: Store) -> None:
    version = create(store.documents)
    store.documents.commit([Delete(path=JOB, version=version)])
    for write in (Replace(path=JOB, fields={}, version=version), Delete(path=JOB, version=version)):
        with pytest.raises(Conflict):
            store.documents.commit([write])
    assert not read(store.documents).exists


def test_a_version_never_comes_back_with_the_same_content(store: Store) -> None:
    zombie_saw = create(store.documents, state="queued")
    (version,) = store.documents.commit([Replace(path=JOB, fields={"state": "held"}, version=zombie_saw)])
    store.documents.commit([Replace(path=JOB, fields={"state": "queued"}, version=version)])
    with pytest.raises(Conflict):
        store.documents.commit([Replace(path=JOB, fields={"state": "reserved"}, version=zombie_saw)])


def test_a_version_never_comes_back_with_a_new_document(store: Store) -> None:
    zombie_saw = create(store.documents, state="queued")
    store.documents.commit([Delete(path=JOB, version=zombie_saw)])
    create(store.documents, state="queued")
    with pytest.raises(Conflict):
        store.documents.commit([Replace(path=JOB, fields={"state": "reserved"}, version=zombie_saw)])


def test_a_zombie_writes_nothing_after_its_successor(store: Store) -> None:
    create(store.documents, holder="zombie")
    zombie, successor = store.open(), store.open()
    seen = read(zombie)
    compare_and_set(successor, lambda _: {"holder": "successor"})
    with pytest.raises(Conflict):
        zombie.commit(
            [
                Create(path="jobs/blue.next", fields={}),
                Replace(path=JOB, fields={"holder": "zombie"}, version=seen.version),
            ]
        )
    assert fields(store.documents) == {"holder": "successor"}
    assert not read(store.documents, "jobs/blue.next").exists


def test_a_decision_that_meets_a_conflict_runs_again_on_what_is_there_now(store: Store) -> None:
    create(store.documents, names=[])
    others = iter([["other"]])

    def decide(now: Any) -> dict[str, Any]:
        for names in others:
            compare_and_set(store.open(), lambda _, names=names: {"names": names})
        return {"names": [*now["names"], "mine"]}

    assert compare_and_set(store.documents, decide) == 2
    assert fields(store.documents) == {"names": ["other", "mine"]}


def test_the_same_decision_committed_twice_counts_once(store: Store) -> None:
    version = create(store.documents, n=1)
    decision = [Replace(path=JOB, fields={"n": 2}, version=version), Create(path="jobs/blue.b", fields={})]
    store.documents.commit(decision)
    with pytest.raises(Conflict):
        store.documents.commit(decision)


def test_a_commit_of_several_documents_is_all_or_nothing(store: Store) -> None:
    stale = create(store.documents, n=1)
    store.documents.commit([Replace(path=JOB, fields={"n": 2}, version=stale)])
    kept = create(store.documents, "jobs/blue.kept", n=1)
    with pytest.raises(Conflict):
        store.documents.commit(
            [
                Create(path="jobs/blue.new", fields={}),
                Delete(path="jobs/blue.kept", version=kept),
                Replace(path=JOB, fields={"n": 3}, version=stale),
            ]
        )
    new, old = store.documents.read(["jobs/blue.new", "jobs/blue.kept"])
    assert not new.exists
    assert old.version == kept


def test_a_commit_gives_versions_in_the_order_of_its_writes_and_none_for_a_delete(store: Store) -> None:
    gone = create(store.documents)
    versions = store.documents.commit(
        [
            Create(path="queues/b", fields={}),
            Delete(path=JOB, version=gone),
            Create(path="queues/a", fields={}),
        ]
    )
    b, job, a = store.documents.read(["queues/b", JOB, "queues/a"])
    assert versions == [b.version, None, a.version]
    assert not job.exists


def test_a_commit_of_nothing_asks_nothing(store: Store) -> None:
    assert store.documents.commit([]) == []
    assert store.documents.counts == Counts()


# --- many at once ----------------------------------------------------------------------------------------


def test_of_many_threads_that_create_one_document_one_succeeds(store: Store) -> None:
    def attempt(number: int) -> bool:
        try:
            create(store.documents, by=number)
        except Conflict:
            return False
        return True

    created = together(16, attempt)
    assert created.count(True) == 1
    assert fields(store.documents) == {"by": created.index(True)}


def test_no_update_of_many_threads_is_lost(store: Store) -> None:
    create(store.documents, n=0)

    def count_up(_number: int) -> None:
        for _ in range(5):
            compare_and_set(store.documents, lambda now: {"n": now["n"] + 1})

    together(6, count_up)
    assert fields(store.documents) == {"n": 30}


def test_of_two_commits_over_crossing_documents_one_succeeds(store: Store) -> None:
    versions = store.documents.commit([Create(path=f"bells/{name}", fields={}) for name in "ab"])
    writes = [
        Replace(path=f"bells/{name}", fields={}, version=version)
        for name, version in zip("ab", versions, strict=True)
    ]

    def attempt(number: int) -> bool:
        try:
            store.documents.commit(writes if number % 2 else writes[::-1])
        except Conflict:
            return False
        return True

    assert together(4, attempt).count(True) == 1


# --- lost answers ----------------------------------------------------------------------------------------


def test_a_commit_whose_answer_was_lost_succeeds(store: Store) -> None:
    store.faults.plan(Lost())
    version = create(store.unreliable, n=1)
    assert read(store.documents).version == version


def test_a_commit_whose_request_was_lost_succeeds_once(store: Store) -> None:
    version = create(store.documents, n=1)
    store.faults.plan(Lost(applied=False))
    (after,) = store.unreliable.commit([Replace(path=JOB, fields={"n": 2}, version=version)])
    assert read(store.documents) == Document(path=JOB, fields={"n": 2}, version=after)


def test_a_commit_that_another_one_overtook_before_it_arrived_conflicts(store: Store) -> None:
    version = create(store.documents, n=1)
    other = Replace(path=JOB, fields={"n": "other"}, version=version)
    store.faults.plan(Lost(applied=False, meanwhile=lambda: store.documents.commit([other])))
    with pytest.raises(Conflict):
        store.unreliable.commit([Replace(path=JOB, fields={"n": 2}, version=version)])
    assert fields(store.documents) == {"n": "other"}


def test_a_commit_is_known_to_have_succeeded_after_others_wrote_all_its_documents(store: Store) -> None:
    def others() -> None:
        for _ in range(3):
            compare_and_set(store.documents, lambda now: {"n": now["n"] + 1})

    store.faults.plan(Lost(meanwhile=others))
    version = create(store.unreliable, n=1)
    assert fields(store.documents) == {"n": 4}
    with pytest.raises(Conflict):
        store.unreliable.commit([Replace(path=JOB, fields={"n": 0}, version=version)])


def test_after_a_lost_answer_versions_are_given_for_what_others_left_alone(store: Store) -> None:
    store.faults.plan(Lost(meanwhile=lambda: compare_and_set(store.documents, lambda _: {}) and None))
    touched, untouched = store.unreliable.commit(
        [Create(path=JOB, fields={}), Create(path="jobs/blue.b", fields={})]
    )
    with pytest.raises(Conflict):
        store.documents.commit([Replace(path=JOB, fields={}, version=touched)])
    store.documents.commit([Replace(path="jobs/blue.b", fields={}, version=untouched)])


def test_no_update_is_lost_or_doubled_when_answers_are_lost(store: Store) -> None:
    create(store.documents, n=0)
    store.faults.plan(*[Lost(), None, Lost(applied=False), None, None] * 6)

    def count_up(_number: int) -> None:
        for _ in range(4):
            compare_and_set(store.unreliable, lambda now: {"n": now["n"] + 1})

    together(4, count_up)
    assert fields(store.documents) == {"n": 16}


# --- reads and queries -----------------------------------------------------------------------------------


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
