"""A gRPC proxy before a Firestore that loses requests and answers as a test plans, and the same in memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc

from poolqueue.ports import Document, Documents, Query, Write

SERVICE = "/google.firestore.v1.Firestore/"


def nothing() -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A commit whose answer never comes; it is `applied` or not, and then `meanwhile` happens."""

    applied: bool = True
    meanwhile: Callable[[], None] = nothing


class Faults:
    """What happens to the next commits, in turn; without a plan they go through."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: deque[Lost | None] = deque()
        self.commits = 0

    def plan(self, *faults: Lost | None) -> None:
        self._planned.extend(faults)

    def next(self) -> Lost | None:
        with self._lock:
            self.commits += 1
            return self._planned.popleft() if self._planned else None


class UnreliableDocuments:
    """In memory: what a settled commit comes to when a request or an answer was lost."""

    def __init__(self, documents: Documents, faults: Faults) -> None:
        self._documents = documents
        self._faults = faults

    def read(self, paths: Sequence[str]) -> list[Document]:
        return self._documents.read(paths)

    def find(self, query: Query) -> list[Document]:
        return self._documents.find(query)

    def commit(self, writes: Sequence[Write]) -> list[object]:
        fault = self._faults.next()
        if fault and not fault.applied:
            fault.meanwhile()
        versions = self._documents.commit(writes)
        if fault and fault.applied:
            fault.meanwhile()
        return versions


class LossyWire:
    """Forwards every call to `address` as bytes; commits are subject to `faults`."""

    def __init__(self, address: str) -> None:
        self.faults = Faults()
        self._target = grpc.insecure_channel(address)
        self._threads = ThreadPoolExecutor(16)
        handlers = {"Commit": grpc.unary_unary_rpc_method_handler(self._commit)} | {
            call: grpc.unary_stream_rpc_method_handler(self._forward(call))
            for call in ("BatchGetDocuments", "RunQuery")
        }
        calls = grpc.method_handlers_generic_handler(SERVICE.strip("/"), handlers)
        self._server = grpc.server(self._threads, handlers=[calls])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        self._server.stop(grace=None).wait()
        self._threads.shutdown()
        self._target.close()

    def _commit(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        fault = self.faults.next()
        if fault is None or fault.applied:
            answer = self._sent(request, context)
        if fault is not None:
            fault.meanwhile()
            context.abort(grpc.StatusCode.UNAVAILABLE, "the answer was lost")
        return answer

    def _sent(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return self._target.unary_unary(SERVICE + "Commit")(request, metadata=_metadata(context))
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
            raise

    def _forward(self, call: str) -> Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]:
        def forward(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            yield from self._target.unary_stream(SERVICE + call)(request, metadata=_metadata(context))

        return forward


def _metadata(context: grpc.ServicerContext) -> list[tuple[str, Any]]:
    return [
        (key, value) for key, value in context.invocation_metadata() if key.startswith(("x-goog", "google"))
    ]
