"""How the Firestore adapter settles what a commit came to, seen behind a wire that loses answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from poolqueue.adapters.firestore import FirestoreDocuments, create_client
from poolqueue.ports import Conflict, Create, Delete, Replace, StoreUnavailable
from tests.contract.lossy_wire import LossyWire, Lost

JOB = "jobs/blue.resnet"
CREATE = Create(path=JOB, fields={"n": 1})
ATTEMPTS = 4


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def documents(lossy_wire: LossyWire, demo_project: str, pauses: list[float]) -> Iterator[FirestoreDocuments]:
    client = create_client(demo_project, emulator=lossy_wire.address)
    yield FirestoreDocuments(client, attempts=ATTEMPTS, pause=pauses.append)
    client.close()


def fields(documents: FirestoreDocuments) -> Any:
    return documents.read([JOB])[0].fields


def test_a_commit_found_to_be_applied_is_not_sent_again(
    documents: FirestoreDocuments, lossy_wire: LossyWire
) -> None:
    lossy_wire.faults.plan(Lost())
    documents.commit([CREATE])
    assert lossy_wire.faults.commits == 1


def test_a_commit_that_was_not_applied_is_sent_again_after_a_pause(
    documents: FirestoreDocuments, lossy_wire: LossyWire, pauses: list[float]
) -> None:
    lossy_wire.faults.plan(Lost(applied=False), Lost(applied=False))
    documents.commit([CREATE])
    assert lossy_wire.faults.commits == 3
    assert len(pauses) == 2


def test_when_no_request_arrives_the_store_is_unavailable(
    documents: FirestoreDocuments, lossy_wire: LossyWire
) -> None:
    lossy_wire.faults.plan(*[Lost(applied=False)] * ATTEMPTS)
    with pytest.raises(StoreUnavailable):
        documents.commit([CREATE])
    assert fields(documents) is None


def test_a_refusal_whose_answer_was_lost_is_a_conflict(
    documents: FirestoreDocuments, lossy_wire: LossyWire
) -> None:
    documents.commit([CREATE])
    lossy_wire.faults.plan(Lost(applied=False))
    with pytest.raises(Conflict):
        documents.commit([CREATE])


def test_an_applied_commit_is_recognised_when_only_the_last_attempt_is_heard(
    documents: FirestoreDocuments, lossy_wire: LossyWire
) -> None:
    (version,) = documents.commit([CREATE])
    lossy_wire.faults.plan(*[Lost(applied=False)] * (ATTEMPTS - 1), Lost())
    (version,) = documents.commit([Replace(path=JOB, fields={"n": 2}, version=version)])
    documents.commit([Replace(path=JOB, fields={"n": 3}, version=version)])
    assert fields(documents) == {"n": 3}


def test_a_delete_whose_answer_was_lost_succeeds(
    documents: FirestoreDocuments, lossy_wire: LossyWire
) -> None:
    (version,) = documents.commit([CREATE])
    lossy_wire.faults.plan(Lost())
    assert documents.commit([Delete(path=JOB, version=version)]) == [None]
    assert fields(documents) is None


def test_a_delete_that_somebody_else_did_first_is_a_conflict(documents: FirestoreDocuments) -> None:
    (version,) = documents.commit([CREATE])
    documents.commit([Delete(path=JOB, version=version)])
    with pytest.raises(Conflict):
        documents.commit([Delete(path=JOB, version=version)])


def test_a_commit_with_deletes_is_recognised_by_what_it_wrote(
    documents: FirestoreDocuments, lossy_wire: LossyWire
) -> None:
    (version,) = documents.commit([CREATE])
    lossy_wire.faults.plan(Lost())
    move = [Delete(path=JOB, version=version), Create(path="jobs/blue.moved", fields={})]
    gone, moved = documents.commit(move)
    assert gone is None
    assert documents.read(["jobs/blue.moved"])[0].version == moved


def test_the_owners_tokens_are_never_shown_and_do_not_pile_up(documents: FirestoreDocuments) -> None:
    (version,) = documents.commit([CREATE])
    for n in range(40):
        (version,) = documents.commit([Replace(path=JOB, fields={"n": n}, version=version)])
    assert fields(documents) == {"n": 39}
    assert len(version.commits) == 16


def test_a_server_that_never_answers_is_unavailable_in_bounded_time(demo_project: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = create_client(demo_project, emulator=f"127.0.0.1:{silent.getsockname()[1]}")
        documents = FirestoreDocuments(client, timeout_seconds=0.1, attempts=2, pause=lambda _: None)
        for ask in (lambda: documents.read([JOB]), lambda: documents.commit([CREATE])):
            with pytest.raises(StoreUnavailable):
                ask()
        client.close()


@pytest.mark.parametrize(("project", "emulator"), [("prod", "127.0.0.1:1"), ("demo-a", None)])
def test_local_projects_and_real_ones_do_not_mix(project: str, emulator: str | None) -> None:
    with pytest.raises(ValueError, match="demo-"):
        create_client(project, emulator=emulator)
