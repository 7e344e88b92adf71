"""A Pub/Sub with one topic and its clients, and an endpoint that pushes arrive at."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
from google.pubsub_v1 import PublisherClient, SubscriberClient, types
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from handlers.delivery import Delivery, parse_delivery
from infra.local.emulators import Emulator
from poolqueue.adapters.pubsub import PubSubPublisher

QUICK = types.RetryPolicy(minimum_backoff=timedelta(), maximum_backoff=timedelta(seconds=1))
WAIT_SECONDS = 30.0


@dataclass
class Endpoint:
    """Where pushes arrive; each is answered with the next of `statuses`, then with 204.

    The answer to the first waits for `first_waits_for`, if set.
    """

    statuses: list[int] = field(default_factory=list)
    first_waits_for: threading.Event | None = None
    arrivals: queue.Queue[tuple[str, dict[str, str], bytes]] = field(default_factory=queue.Queue)
    url: str = ""

    def next(self, within_seconds: float = WAIT_SECONDS) -> Delivery:
        delivery = parse_delivery(*self.next_request(within_seconds))
        assert isinstance(delivery, Delivery), delivery
        return delivery

    def next_request(self, within_seconds: float = WAIT_SECONDS) -> tuple[str, dict[str, str], bytes]:
        return self.arrivals.get(timeout=within_seconds)

    def stays_quiet(self, seconds: float) -> bool:
        try:
            self.arrivals.get(timeout=seconds)
        except queue.Empty:
            return True
        return False


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A Pub/Sub with one topic, and the clients to use it."""

    project: str
    publisher: PublisherClient
    subscriber: SubscriberClient
    ours: PubSubPublisher

    @property
    def topic(self) -> str:
        return self.topic_named("letters")

    def topic_named(self, name: str) -> str:
        return f"projects/{self.project}/topics/{name}"

    def create_topic(self, name: str) -> str:
        self.publisher.create_topic(name=self.topic_named(name))
        return self.topic_named(name)

    def subscribe(self, name: str = "reader", **settings: Any) -> str:
        subscription = types.Subscription(
            {"name": f"projects/{self.project}/subscriptions/{name}", "topic": self.topic} | settings
        )
        self.subscriber.create_subscription(request=subscription)
        return subscription.name

    def push_to(self, endpoint: Endpoint, **settings: Any) -> str:
        where = types.PushConfig(push_endpoint=f"{endpoint.url}/{self.topic}")
        return self.subscribe("pusher", push_config=where, **({"retry_policy": QUICK} | settings))

    def publish(self, body: bytes = b"hello", **attributes: str) -> None:
        self.ours.publish(self.topic, body, attributes)

    def pull(self, subscription: str, count: int = 1) -> list[types.ReceivedMessage]:
        """`count` deliveries; fewer when they do not come in time."""
        received: list[types.ReceivedMessage] = []
        deadline = time.monotonic() + WAIT_SECONDS
        while len(received) < count and time.monotonic() < deadline:
            response = self.subscriber.pull(
                subscription=subscription, max_messages=count - len(received), timeout=WAIT_SECONDS
            )
            received += response.received_messages
        return received

    def pull_until_last(self, subscription: str) -> list[bytes]:
        """Publish one more message, and pull all that comes up to it."""
        self.publish(b"last", state="ended")
        bodies: list[bytes] = []
        deadline = time.monotonic() + WAIT_SECONDS
        while b"last" not in bodies and time.monotonic() < deadline:
            received = self.pull(subscription)  # Google's emulator may answer early, with nothing
            if received:
                self.acknowledge(subscription, received)
            bodies += [each.message.data for each in received]
        return bodies

    def refuse(self, subscription: str, received: list[types.ReceivedMessage]) -> None:
        ack_ids = [each.ack_id for each in received]
        self.subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=ack_ids, ack_deadline_seconds=0
        )

    def acknowledge(self, subscription: str, received: list[types.ReceivedMessage]) -> None:
        self.subscriber.acknowledge(subscription=subscription, ack_ids=[each.ack_id for each in received])


def bench_on(running: Emulator, channel: grpc.Channel, *, project: str) -> Bench:
    return Bench(
        project=project,
        publisher=PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
        subscriber=SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)),
        ours=PubSubPublisher(emulator_host=running.address, timeout_seconds=10),
    )
