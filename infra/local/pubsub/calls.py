"""Which of Pub/Sub's calls exist here: one table for the gRPC and the REST face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.pubsub_v1 import types

from infra.local.pubsub.service import PubSub

PUBLISHER = "google.pubsub.v1.Publisher"
SUBSCRIBER = "google.pubsub.v1.Subscriber"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A unary call: its gRPC service, its request's protocol message and what answers it."""

    service: str
    request: Any
    answer: Callable[[PubSub, Any], Any]


def _publisher(request: Any, answer: Callable[[PubSub, Any], Any]) -> Call:
    return Call(service=PUBLISHER, request=request.pb(), answer=answer)


def _subscriber(request: Any, answer: Callable[[PubSub, Any], Any]) -> Call:
    return Call(service=SUBSCRIBER, request=request.pb(), answer=answer)


CALLS = {
    "CreateTopic": _publisher(types.Topic, PubSub.create_topic),
    "GetTopic": _publisher(types.GetTopicRequest, PubSub.get_topic),
    "DeleteTopic": _publisher(types.DeleteTopicRequest, PubSub.delete_topic),
    "ListTopics": _publisher(types.ListTopicsRequest, PubSub.list_topics),
    "ListTopicSubscriptions": _publisher(
        types.ListTopicSubscriptionsRequest, PubSub.list_topic_subscriptions
    ),
    "Publish": _publisher(types.PublishRequest, PubSub.publish),
    "CreateSubscription": _subscriber(types.Subscription, PubSub.create_subscription),
    "GetSubscription": _subscriber(types.GetSubscriptionRequest, PubSub.get_subscription),
    "UpdateSubscription": _subscriber(types.UpdateSubscriptionRequest, PubSub.update_subscription),
    "ModifyPushConfig": _subscriber(types.ModifyPushConfigRequest, PubSub.modify_push_config),
    "DeleteSubscription": _subscriber(types.DeleteSubscriptionRequest, PubSub.delete_subscription),
    "ListSubscriptions": _subscriber(types.ListSubscriptionsRequest, PubSub.list_subscriptions),
    "Pull": _subscriber(types.PullRequest, PubSub.pull),
    "Acknowledge": _subscriber(types.AcknowledgeRequest, PubSub.acknowledge),
    "ModifyAckDeadline": _subscriber(types.ModifyAckDeadlineRequest, PubSub.modify_ack_deadline),
}
