"""The gRPC wire of Pub/Sub, with StreamingPull for the client library's subscribers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.pubsub_v1 import types

from infra.local.pubsub.calls import CALLS, PUBLISHER, SUBSCRIBER, Call
from infra.local.pubsub.limits import MAX_REQUEST_BYTES, Refusal
from infra.local.pubsub.service import PubSub

# Each waiting pull and each stream occupies a thread.
THREADS = 256
STREAM_WAIT_SECONDS = 60.0
MESSAGES_PER_RESPONSE = 100
StreamingPullRequest = types.StreamingPullRequest.pb()
StreamingPullResponse = types.StreamingPullResponse.pb()


def start_grpc(pubsub: PubSub, port: int) -> tuple[grpc.Server, int]:
    """A server on 127.0.0.1 and its port; 0 takes any free one. Raises OSError when the port is taken."""
    # Our own check of the size answers INVALID_ARGUMENT, as production does, so gRPC's limit lies above it.
    options = [("grpc.max_receive_message_length", 2 * MAX_REQUEST_BYTES), ("grpc.so_reuseport", 0)]
    server = grpc.server(ThreadPoolExecutor(THREADS), options=options)
    server.add_generic_rpc_handlers(tuple(_service(pubsub, name) for name in (PUBLISHER, SUBSCRIBER)))
    try:
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError as error:
        raise OSError(f"cannot listen on port {port}") from error
    server.start()
    return server, bound


def _service(pubsub: PubSub, service: str) -> grpc.GenericRpcHandler[Any, Any]:
    handlers = {name: _unary(pubsub, name, call) for name, call in CALLS.items() if call.service == service}
    if service == SUBSCRIBER:
        handlers["StreamingPull"] = grpc.stream_stream_rpc_method_handler(
            lambda requests, context: _stream(pubsub, requests, context),
            request_deserializer=StreamingPullRequest.FromString,
            response_serializer=StreamingPullResponse.SerializeToString,
        )
    return grpc.method_handlers_generic_handler(service, handlers)


def _unary(pubsub: PubSub, name: str, call: Call) -> grpc.RpcMethodHandler[Any, Any]:
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            if name == "Pull":
                return _pull(pubsub, request, context)
            return call.answer(pubsub, request)
        except Refusal as refusal:
            context.abort(refusal.code, refusal.message)

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=call.request.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


def _pull(pubsub: PubSub, request: Any, context: grpc.ServicerContext) -> Any:
    context.add_callback(pubsub.backlog(request.subscription).wake)
    return pubsub.pull(request, context.is_active)


def _stream(pubsub: PubSub, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
    try:
        yield from _Stream(pubsub, next(requests), context).responses(requests)
    except Refusal as refusal:
        context.abort(refusal.code, refusal.message)


class _Stream:
    """One StreamingPull: a thread reads what the client settles, the other sends what it may hold."""

    def __init__(self, pubsub: PubSub, opening: Any, context: grpc.ServicerContext) -> None:
        self._pubsub = pubsub
        self._subscription = opening.subscription
        self._seconds = opening.stream_ack_deadline_seconds
        self._limit = opening.max_outstanding_messages or MESSAGES_PER_RESPONSE
        self._context = context
        self._backlog = pubsub.backlog(opening.subscription)
        self._held: set[str] = set()
        self._open = True

    def responses(self, requests: Iterator[Any]) -> Iterator[Any]:
        self._context.add_callback(self._backlog.wake)
        threading.Thread(target=self._listen, args=(requests,), daemon=True).start()
        while self._active() and not self._backlog.closed:
            received = self._pubsub.receive(
                self._subscription,
                self._room,
                wait_seconds=STREAM_WAIT_SECONDS,
                active=self._active,
                ack_deadline_seconds=self._seconds,
            )
            self._held |= {each.ack_id for each in received}
            if received:
                yield StreamingPullResponse(received_messages=received)

    def _room(self) -> int:
        self._held = self._backlog.leased(self._held)
        return min(MESSAGES_PER_RESPONSE, self._limit - len(self._held))

    def _active(self) -> bool:
        return self._open and self._context.is_active()

    def _listen(self, requests: Iterator[Any]) -> None:
        try:
            for request in requests:
                self._backlog.acknowledge(request.ack_ids)
                for ack_id, seconds in zip(
                    request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=False
                ):
                    self._backlog.extend(ack_id, seconds)
                self._seconds = request.stream_ack_deadline_seconds or self._seconds
        except grpc.RpcError:
            pass  # the client is gone, which is how streams end
        finally:
            self._open = False
            self._backlog.wake()
