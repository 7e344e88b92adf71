"""One store under test at a time: in memory, embedded or Google's emulator, in a project of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest

from infra.local.emulators import Kind, start_firestore
from infra.local.firestore_wire import EmbeddedFirestore
from poolqueue.adapters.counts import Counts
from poolqueue.adapters.firestore import FirestoreDocuments, create_client
from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.adapters.memory_engine import Engine
from poolqueue.ports import Documents
from tests.contract.lossy_wire import Faults, LossyWire, UnreliableDocuments


class CountedDocuments(Documents, Protocol):
    @property
    def counts(self) -> Counts: ...


@dataclass(frozen=True, kw_only=True)
class Store:
    """`open(project, database)` gives a further adapter on the same store; `unreliable` one with `faults`."""

    project: str
    open: Callable[..., CountedDocuments]
    unreliable: Documents
    faults: Faults
    documents: CountedDocuments = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "documents", self.open())


KINDS = [
    "memory",
    "embedded",
    pytest.param("google", marks=[pytest.mark.requires("google_emulators"), pytest.mark.timeout(180)]),
]
WIRES = KINDS[1:]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, demo_project: str) -> Iterator[Store]:
    if request.param == "memory":
        yield _in_memory(demo_project)
    else:
        yield from _over_a_wire(request.getfixturevalue(f"{request.param}_firestore"), demo_project)


@pytest.fixture(params=WIRES)
def firestore_address(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_firestore")


@pytest.fixture
def lossy_wire(firestore_address: str) -> Iterator[LossyWire]:
    lossy = LossyWire(firestore_address)
    yield lossy
    lossy.stop()


@pytest.fixture(scope="session")
def embedded_firestore() -> Iterator[str]:
    server = EmbeddedFirestore().start()
    yield server.address
    server.stop()


@pytest.fixture(scope="session")
def google_firestore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    running = os.environ.get("FIRESTORE_EMULATOR_HOST_GOOGLE")
    if running:
        yield running
        return
    with start_firestore(Kind.GOOGLE, tmp_path_factory.mktemp("google")) as emulator:
        yield emulator.address


def _in_memory(project: str) -> Store:
    engines: dict[tuple[str, str], Engine] = {}
    faults = Faults()

    def opened(project: str = project, database: str = "(default)") -> MemoryDocuments:
        return MemoryDocuments(engines.setdefault((project, database), Engine()))

    return Store(
        project=project, open=opened, unreliable=UnreliableDocuments(opened(), faults), faults=faults
    )


def _over_a_wire(address: str, project: str) -> Iterator[Store]:
    lossy = LossyWire(address)
    clients: list[Any] = []

    def opened(
        project: str = project, database: str = "(default)", address: str = address
    ) -> FirestoreDocuments:
        clients.append(create_client(project, database, emulator=address))
        return FirestoreDocuments(clients[-1])

    yield Store(project=project, open=opened, unreliable=opened(address=lossy.address), faults=lossy.faults)
    for client in clients:
        client.close()
    lossy.stop()
