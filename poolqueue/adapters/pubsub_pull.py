"""A pull subscription of Pub/Sub: synchronous calls, no threads."""

from __future__ import annotations

import os
from collections.abc import Sequence

import grpc
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from poolqueue.ports import Pulled, PullFailed

MESSAGES_PER_PULL = 1000
ACKNOWLEDGE_SECONDS = 20.0


class PubSubSubscription:
    """The subscription of that full name, or one at an emulator at `emulator_host` without credentials.

    The client is made at the first call and again after a fork.
    """

    def __init__(self, name: str, *, emulator_host: str | None = None) -> None:
        self._name = name
        self._emulator_host = emulator_host
        self._client: tuple[int, SubscriberClient] | None = None

    def pull(self, *, wait_seconds: float) -> Sequence[Pulled]:
        try:
            answer = self._current_client().pull(
                subscription=self._name, max_messages=MESSAGES_PER_PULL, retry=None, timeout=wait_seconds
            )
        except exceptions.DeadlineExceeded:
            return []
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            raise PullFailed(f"{self._name}: {type(error).__name__}") from error
        return [
            Pulled(
                ack_id=each.ack_id, body=bytes(each.message.data), attributes=dict(each.message.attributes)
            )
            for each in answer.received_messages
        ]

    def acknowledge(self, ack_ids: Sequence[str]) -> None:
        try:
            self._current_client().acknowledge(
                subscription=self._name, ack_ids=list(ack_ids), timeout=ACKNOWLEDGE_SECONDS
            )
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            raise PullFailed(f"{self._name}: {type(error).__name__}") from error

    def _current_client(self) -> SubscriberClient:
        if self._client is None or self._client[0] != os.getpid():
            self._client = (os.getpid(), self._new_client())
        return self._client[1]

    def _new_client(self) -> SubscriberClient:
        if self._emulator_host is None:
            return SubscriberClient()
        channel = grpc.insecure_channel(self._emulator_host)
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
