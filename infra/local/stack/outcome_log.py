"""Reads what is announced on `job-outcomes` for as long as a stack runs."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Any

import grpc
from google.api_core import exceptions
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.local.topology import subscription_name

SUBSCRIPTION = "job-outcomes-log"
PULL_SECONDS = 10.0
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """One message on `job-outcomes`."""

    body: dict[str, Any]
    attributes: dict[str, str]


class OutcomeLog:
    """A thread that pulls and acknowledges; `announcements` are all so far, in the order of receipt."""

    def __init__(self, project: str, pubsub_address: str) -> None:
        self._subscription = subscription_name(project, SUBSCRIPTION)
        self._channel = grpc.insecure_channel(pubsub_address)
        self._client = SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._announcements: list[Announcement] = []
        self._thread = threading.Thread(target=self._run, name="outcome-log", daemon=True)
        self._thread.start()

    @property
    def announcements(self) -> list[Announcement]:
        with self._lock:
            return list(self._announcements)

    def stop(self) -> None:
        self._stopped.set()
        self._channel.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._pull()
            except exceptions.DeadlineExceeded:
                continue
            except (exceptions.GoogleAPIError, ValueError, grpc.RpcError):
                # Pub/Sub is gone, or this channel was closed: `stop` tells which.
                self._stopped.wait(PAUSE_SECONDS)

    def _pull(self) -> None:
        answer = self._client.pull(
            subscription=self._subscription, max_messages=1000, retry=None, timeout=PULL_SECONDS
        )
        received = [each.message for each in answer.received_messages]
        with self._lock:
            self._announcements += [
                Announcement(body=json.loads(message.data), attributes=dict(message.attributes))
                for message in received
            ]
        if received:
            ack_ids = [each.ack_id for each in answer.received_messages]
            self._client.acknowledge(subscription=self._subscription, ack_ids=ack_ids, timeout=PULL_SECONDS)
