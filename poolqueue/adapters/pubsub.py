"""The Publisher over Pub/Sub: one synchronous call per topic, no threads, no waiting for a batch to fill."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import grpc
from google.api_core import exceptions, retry
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherClient, PublishRequest, PubsubMessage
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from poolqueue.ports import Message, PublishFailed

# Pub/Sub takes 1,000 messages and 10 MB a request; a half leaves room for names and framing.
MESSAGES_PER_REQUEST = 1000
BYTES_PER_REQUEST = 5_000_000

TRANSIENT = retry.if_exception_type(
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.ServiceUnavailable,
    exceptions.Unknown,
)


class PubSubPublisher:
    """Publishes to Pub/Sub, or to an emulator at `emulator_host` (`host:port`) without credentials.

    The client is made at the first call and again after a fork: gRPC channels do not survive one.
    """

    def __init__(self, *, emulator_host: str | None = None, timeout_seconds: float = 30.0) -> None:
        self._emulator_host = emulator_host
        self._timeout_seconds = timeout_seconds
        self._client: tuple[int, PublisherClient] | None = None

    def publish(self, topic: str, body: bytes, attributes: Mapping[str, str]) -> str:
        message = PubsubMessage(data=body, attributes=dict(attributes))
        (message_id,) = self._send(self._current_client(), topic, [message])
        return message_id

    def publish_all(self, messages: Sequence[Message]) -> None:
        client = self._current_client()
        for topic, group in groupby(sorted(messages, key=lambda m: m.topic), key=lambda m: m.topic):
            for batch in _batches(group):
                self._send(client, topic, batch)

    def _send(self, client: PublisherClient, topic: str, batch: list[PubsubMessage]) -> list[str]:
        """The messages' ids, in their order."""
        within = self._timeout_seconds
        patience = retry.Retry(predicate=TRANSIENT, initial=0.1, maximum=2.0, timeout=within)
        try:
            request = PublishRequest(topic=topic, messages=batch)
            return list(client.publish(request, retry=patience, timeout=within).message_ids)
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            raise PublishFailed(f"{topic}: {type(error).__name__}") from error

    def _current_client(self) -> PublisherClient:
        if self._client is None or self._client[0] != os.getpid():
            self._client = (os.getpid(), self._new_client())
        return self._client[1]

    def _new_client(self) -> PublisherClient:
        if self._emulator_host is None:
            return PublisherClient()
        channel = grpc.insecure_channel(self._emulator_host)
        return PublisherClient(transport=PublisherGrpcTransport(channel=channel))


def _batches(messages: Iterator[Message]) -> Iterator[list[PubsubMessage]]:
    batch: list[PubsubMessage] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == MESSAGES_PER_REQUEST or size + message.size > BYTES_PER_REQUEST):
            yield batch
            batch, size = [], 0
        batch.append(PubsubMessage(data=message.body, attributes=dict(message.attributes)))
        size += message.size
    if batch:
        yield batch
