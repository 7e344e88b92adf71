"""The embedded Firestore as a server: statuses, refusals with a remedy, and its own process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core import exceptions as errors
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import FieldFilter

from infra.local.firestore_wire import EmbeddedFirestore
from infra.local.processes import start_module
from poolqueue.adapters.firestore import FirestoreDocuments, create_client
from poolqueue.ports import Create


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = EmbeddedFirestore().start()
    yield server.address
    server.stop()


@pytest.fixture
def google_client(
    address: str, demo_project: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[firestore.Client]:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", address)
    client = firestore.Client(project=demo_project, credentials=AnonymousCredentials())
    yield client
    client.close()


def test_the_official_client_writes_reads_lists_and_counts(google_client: firestore.Client) -> None:
    jobs = google_client.collection("jobs")
    jobs.document("a").create({"n": 1, "inbox": "r1"})
    jobs.document("b").set({"n": 2, "inbox": "r2"})
    jobs.document("c").set({})
    jobs.document("c").delete()
    assert jobs.document("a").get(["n"]).to_dict() == {"n": 1}
    assert not jobs.document("c").get().exists
    assert [found.id for found in jobs.stream()] == ["a", "b"]
    assert jobs.count().get()[0][0].value == 2
    assert [found.id for found in jobs.where(filter=FieldFilter("inbox", "==", "r2")).stream()] == ["b"]


def test_a_document_keeps_its_creation_time_and_gets_a_new_update_time(
    google_client: firestore.Client,
) -> None:
    job = google_client.document("jobs/a")
    job.create({})
    first = job.get()
    job.set({"n": 1})
    second = job.get()
    assert first.create_time == first.update_time == second.create_time
    assert second.update_time > first.update_time


_OTHERS_TIME = {"update_time": {"seconds": 1, "nanos": 1}}


@pytest.mark.parametrize(
    ("name", "precondition", "status"),
    [
        ("present", {"exists": False}, errors.AlreadyExists),
        ("absent", {"exists": True}, errors.NotFound),
        ("present", _OTHERS_TIME, errors.FailedPrecondition),
        ("absent", _OTHERS_TIME, errors.FailedPrecondition),
    ],
)
def test_a_failed_precondition_has_firestores_status(
    address: str, demo_project: str, name: str, precondition: dict[str, Any], status: type[Exception]
) -> None:
    client = create_client(demo_project, emulator=address)
    FirestoreDocuments(client).commit([Create(path="jobs/present", fields={})])
    write = {
        "update": {"name": f"{client.database}/documents/jobs/{name}"},
        "current_document": precondition,
    }
    with pytest.raises(status):
        client.api.commit({"database": client.database, "writes": [write]}, retry=None)
    client.close()


REFUSED: dict[str, tuple[Callable[[firestore.Client], Any], type[Exception], str]] = {
    "a transaction": (
        lambda client: client.transaction()._begin(),
        errors.MethodNotImplemented,
        "preconditions",
    ),
    "a list of documents": (
        lambda client: list(client.collection("jobs").list_documents()),
        errors.MethodNotImplemented,
        "RunQuery",
    ),
    "a merge": (
        lambda client: client.document("jobs/a").set({"a": 1}, merge=True),
        errors.MethodNotImplemented,
        "whole documents",
    ),
    "a range": (
        lambda client: list(client.collection("jobs").where(filter=FieldFilter("inbox", ">", "r")).stream()),
        errors.MethodNotImplemented,
        "one equality",
    ),
    "a subcollection": (
        lambda client: client.document("jobs/a/moves/1").set({}),
        errors.MethodNotImplemented,
        "at the top",
    ),
    "a query without an index": (
        lambda client: list(client.collection("jobs").where(filter=FieldFilter("team", "==", "a")).stream()),
        errors.FailedPrecondition,
        "index on jobs.team",
    ),
    "a document too large": (
        lambda client: client.document("jobs/a").set({"a": "x" * 1_048_488}),
        errors.InvalidArgument,
        "bytes",
    ),
    "a reserved id": (
        lambda client: client.document("jobs/__a__").set({}),
        errors.InvalidArgument,
        "reserved",
    ),
}


@pytest.mark.parametrize(("ask", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_what_it_does_not_serve_is_refused_with_a_remedy(
    google_client: firestore.Client, ask: Callable[[Any], Any], status: type[Exception], message: str
) -> None:
    with pytest.raises(status, match=message):
        ask(google_client)


def test_only_projects_that_begin_with_demo_are_served(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary("/google.firestore.v1.Firestore/Commit")
        database = b"projects/prod/databases/(default)"
        with pytest.raises(grpc.RpcError) as refusal:
            ask(b"\x0a" + bytes([len(database)]) + database)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "demo-" in refusal.value.details()


def test_as_a_process_it_announces_its_port_and_ends_when_told(tmp_path: Path, demo_project: str) -> None:
    child = start_module("firestore", ["infra.local.firestore_wire", "--port", "0"], directory=tmp_path)
    try:
        client = create_client(demo_project, emulator=f"127.0.0.1:{child.announced()['port']}")
        documents = FirestoreDocuments(client)
        documents.commit([Create(path="jobs/a", fields={"n": 1})])
        assert documents.read(["jobs/a"])[0].fields == {"n": 1}
        client.close()
    finally:
        child.stop()
    assert child.process.returncode == 0
