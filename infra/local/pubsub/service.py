"""Topics and subscriptions in memory: what the gRPC and the REST face both call, in protocol messages."""

from __future__ import annotations

import itertools
import secrets
import threading
from collections.abc import Callable
from typing import Any

from google.protobuf.empty_pb2 import Empty  # type: ignore[attr-defined] # made at import
from google.pubsub_v1 import types

from infra.local.pubsub import limits
from infra.local.pubsub.backlog import Backlog
from infra.local.pubsub.subscribed import (
    Subscribed,
    changed_settings,
    dead_letter,
    received_message,
    settings_with_defaults,
)

PULL_WAIT_SECONDS = 10.0
DELETED_TOPIC = "_deleted-topic_"

PubsubMessage = types.PubsubMessage.pb()


class PubSub:
    """Every method takes one of Pub/Sub's requests and answers, or raises `Refusal`, as production would."""

    def __init__(self, *, push_concurrency: int) -> None:
        self._push_concurrency = push_concurrency
        self._lock = threading.RLock()
        self._topics: dict[str, Any] = {}
        self._subscriptions: dict[str, Subscribed] = {}
        # Ids from 1 on would repeat after a restart, and look like messages seen before.
        self._message_ids = itertools.count(10**15 + secrets.randbelow(8 * 10**15))

    def close(self) -> None:
        for subscribed in self._subscriptions.values():
            subscribed.close()

    # --- topics ---

    def create_topic(self, topic: Any) -> Any:
        limits.check_name(topic.name, "topics")
        with self._lock:
            if topic.name in self._topics:
                raise limits.already_exists(topic.name)
            self._topics[topic.name] = topic
        return topic

    def get_topic(self, request: Any) -> Any:
        limits.check_name(request.topic, "topics")
        return self._topic(request.topic)

    def delete_topic(self, request: Any) -> Any:
        with self._lock:
            self._topic(request.topic)
            del self._topics[request.topic]
            for subscribed in self._subscribed_to(request.topic):
                subscribed.settings.topic = DELETED_TOPIC
        return Empty()

    def list_topics(self, request: Any) -> Any:
        limits.check_project(request.project)
        with self._lock:
            found = [topic for name, topic in sorted(self._topics.items()) if _within(name, request.project)]
        return types.ListTopicsResponse.pb()(topics=found)

    def list_topic_subscriptions(self, request: Any) -> Any:
        with self._lock:
            self._topic(request.topic)
            names = [subscribed.settings.name for subscribed in self._subscribed_to(request.topic)]
        return types.ListTopicSubscriptionsResponse.pb()(subscriptions=sorted(names))

    def publish(self, request: Any) -> Any:
        limits.check_project(request.topic)
        limits.check_messages(request.messages)
        with self._lock:
            self._topic(request.topic)
            accepted = [self._accepted(message) for message in request.messages]
            self._fan_out(request.topic, accepted)
        return types.PublishResponse.pb()(message_ids=[message.message_id for message in accepted])

    # --- subscriptions ---

    def create_subscription(self, request: Any) -> Any:
        limits.check_name(request.name, "subscriptions")
        settings = settings_with_defaults(request)
        limits.check_subscription(settings)
        with self._lock:
            if settings.name in self._subscriptions:
                raise limits.already_exists(settings.name)
            self._topic(settings.topic)
            self._check_dead_letter_topic(settings)
            self._subscriptions[settings.name] = self._subscribed(settings)
        return settings

    def get_subscription(self, request: Any) -> Any:
        return self._subscription(request.subscription).settings

    def update_subscription(self, request: Any) -> Any:
        with self._lock:
            subscribed = self._subscription(request.subscription.name)
            changed = changed_settings(subscribed.settings, request)
            limits.check_subscription(changed)
            self._check_dead_letter_topic(changed)
            subscribed.apply(changed)
        return changed

    def modify_push_config(self, request: Any) -> Any:
        with self._lock:
            subscribed = self._subscription(request.subscription)
            changed = types.Subscription.pb()()
            changed.CopyFrom(subscribed.settings)
            changed.push_config.CopyFrom(request.push_config)
            limits.check_subscription(changed)
            subscribed.apply(changed)
        return Empty()

    def delete_subscription(self, request: Any) -> Any:
        with self._lock:
            self._subscription(request.subscription).close()
            del self._subscriptions[request.subscription]
        return Empty()

    def list_subscriptions(self, request: Any) -> Any:
        limits.check_project(request.project)
        with self._lock:
            found = [
                subscribed.settings
                for name, subscribed in sorted(self._subscriptions.items())
                if _within(name, request.project)
            ]
        return types.ListSubscriptionsResponse.pb()(subscriptions=found)

    # --- deliveries ---

    def pull(self, request: Any, active: Callable[[], bool] = lambda: True) -> Any:
        if request.max_messages < 1:
            raise limits.invalid("max_messages must be at least 1")
        wait_seconds = 0.0 if request.return_immediately else PULL_WAIT_SECONDS
        received = self.receive(
            request.subscription, lambda: int(request.max_messages), wait_seconds=wait_seconds, active=active
        )
        return types.PullResponse.pb()(received_messages=received)

    def receive(
        self,
        subscription: str,
        room: Callable[[], int],
        *,
        wait_seconds: float,
        active: Callable[[], bool],
        ack_deadline_seconds: int = 0,
    ) -> list[Any]:
        """ReceivedMessages, as many as there is `room` for, waiting for a first one while `active`."""
        subscribed = self._subscription(subscription)
        if subscribed.is_pushed:
            raise limits.pushed(subscription)
        seconds = ack_deadline_seconds or subscribed.settings.ack_deadline_seconds
        leases = subscribed.backlog.lease(room, seconds=seconds, wait_seconds=wait_seconds, active=active)
        return [received_message(subscribed.settings, lease) for lease in leases]

    def acknowledge(self, request: Any) -> Any:
        self._subscription(request.subscription).backlog.acknowledge(request.ack_ids)
        return Empty()

    def modify_ack_deadline(self, request: Any) -> Any:
        if not 0 <= request.ack_deadline_seconds <= limits.ACK_DEADLINE_SECONDS[-1]:
            raise limits.invalid("ack_deadline_seconds must be in 0..600")
        backlog = self._subscription(request.subscription).backlog
        for ack_id in request.ack_ids:
            backlog.extend(ack_id, request.ack_deadline_seconds)
        return Empty()

    def backlog(self, subscription: str) -> Backlog:
        return self._subscription(subscription).backlog

    # --- inside ---

    def _topic(self, name: str) -> Any:
        if name not in self._topics:
            raise limits.not_found(name)
        return self._topics[name]

    def _subscription(self, name: str) -> Subscribed:
        limits.check_name(name, "subscriptions")
        subscribed = self._subscriptions.get(name)
        if subscribed is None:
            raise limits.not_found(name)
        return subscribed

    def _subscribed_to(self, topic: str) -> list[Subscribed]:
        return [each for each in self._subscriptions.values() if each.settings.topic == topic]

    def _accepted(self, message: Any) -> Any:
        accepted = PubsubMessage()
        accepted.CopyFrom(message)
        accepted.message_id = str(next(self._message_ids))
        accepted.publish_time.GetCurrentTime()
        return accepted

    def _check_dead_letter_topic(self, settings: Any) -> None:
        topic = settings.dead_letter_policy.dead_letter_topic
        if topic:
            self._topic(topic)

    def _subscribed(self, settings: Any) -> Subscribed:
        return Subscribed(settings, bury=self._bury, push_concurrency=self._push_concurrency)

    def _bury(self, settings: Any, message: Any, attempts: int) -> bool:
        """Publish to the dead-letter topic; False while there is none, and the message stays."""
        topic = settings.dead_letter_policy.dead_letter_topic
        with self._lock:
            if topic not in self._topics:
                return False
            self._fan_out(topic, [self._accepted(dead_letter(settings, message, attempts))])
        return True

    def _fan_out(self, topic: str, messages: list[Any]) -> None:
        for subscribed in self._subscribed_to(topic):
            for message in messages:
                if subscribed.accepts(message.attributes):
                    subscribed.backlog.add(message)


def _within(name: str, project: str) -> bool:
    return name.startswith(f"{project}/")
