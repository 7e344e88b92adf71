"""Compare and set as the cycle and the sweep rely on it, seen on every store."""

from __future__ import annotations

from typing import Any

import pytest

from poolqueue.adapters.counts import Counts
from poolqueue.ports import Conflict, Create, Delete, Document, Replace
from tests.contract.conftest import Store
from tests.contract.lossy_wire import Lost
from tests.contract.steps import JOB, compare_and_set, create, fields, read, together


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
