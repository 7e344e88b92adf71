"""Serves the embedded Firestore over gRPC, in this process or as `python -m infra.local.firestore_wire`."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.cloud.firestore_v1 import types

from infra.local.firestore.commits import commit
from infra.local.firestore.databases import Databases
from infra.local.firestore.reads import batch_get, count, run_query
from infra.local.firestore.refusals import Refused, unsupported

_SERVICE = "google.firestore.v1.Firestore"
_THREADS = 32
_INSTEAD = {
    "BatchWrite": "use Commit, which is atomic",
    "BeginTransaction": "commit with update-time preconditions",
    "CreateDocument": "use Commit",
    "DeleteDocument": "use Commit",
    "ExecutePipeline": "use RunQuery",
    "GetDocument": "use BatchGetDocuments",
    "ListCollectionIds": "name the collections that you want",
    "ListDocuments": "use RunQuery on the whole collection",
    "Listen": "poll",
    "PartitionQuery": "use RunQuery on the whole collection",
    "Rollback": "commit with update-time preconditions",
    "UpdateDocument": "use Commit",
    "Write": "use Commit",
}


class EmbeddedFirestore:
    """A server of one process; all its threads may call it at once. It forgets everything when it stops."""

    def __init__(self, *, port: int = 0) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="firestore")
        options = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1))
        calls = grpc.method_handlers_generic_handler(_SERVICE, _calls(Databases()))
        self._server = grpc.server(self._threads, handlers=[calls], options=options)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> EmbeddedFirestore:
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop(grace=None).wait()
        self._threads.shutdown()


def _calls(databases: Databases) -> dict[str, Any]:
    """What answers each call; those that the product never makes are answered with what to use instead."""
    return {call: _refusing(call, instead) for call, instead in _INSTEAD.items()} | {
        "BatchGetDocuments": _streaming(batch_get, databases, types.BatchGetDocumentsRequest.pb()),
        "RunQuery": _streaming(run_query, databases, types.RunQueryRequest.pb()),
        "RunAggregationQuery": _streaming(count, databases, types.RunAggregationQueryRequest.pb()),
        "Commit": _single(commit, databases, types.CommitRequest.pb()),
    }


def _single(answer: Callable[[Databases, Any], Any], databases: Databases, request: Any) -> Any:
    def answered(asked: Any, context: Any) -> Any:
        try:
            return answer(databases, asked)
        except Refused as refusal:
            context.abort(refusal.code, str(refusal))

    return grpc.unary_unary_rpc_method_handler(answered, request.FromString, _serialized)


def _streaming(answer: Callable[[Databases, Any], Iterator[Any]], databases: Databases, request: Any) -> Any:
    def answered(asked: Any, context: Any) -> Iterator[Any]:
        try:
            yield from answer(databases, asked)
        except Refused as refusal:
            context.abort(refusal.code, str(refusal))

    return grpc.unary_stream_rpc_method_handler(answered, request.FromString, _serialized)


def _refusing(call: str, instead: str) -> Any:
    refusal = unsupported(call, instead)

    def answered(_asked: bytes, context: Any) -> bytes:
        context.abort(refusal.code, str(refusal))
        raise AssertionError("abort raises")

    return grpc.unary_unary_rpc_method_handler(answered)


def _serialized(answer: Any) -> bytes:
    return bytes(answer.SerializeToString())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; it is printed as JSON")
    server = EmbeddedFirestore(port=parser.parse_args().port).start()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    print(json.dumps({"port": server.port}), flush=True)
    ended.wait()
    server.stop()


if __name__ == "__main__":
    main()
