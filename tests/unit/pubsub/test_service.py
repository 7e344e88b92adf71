"""What the embedded Pub/Sub refuses and keeps, seen without a wire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import types

from infra.local.pubsub.limits import Refusal
from infra.local.pubsub.service import PubSub

TOPIC = "projects/demo-unit/topics/letters"
READER = "projects/demo-unit/subscriptions/reader"


def pb(message: Any) -> Any:
    return type(message).pb(message)


@pytest.fixture
def pubsub() -> Iterator[PubSub]:
    made = PubSub(push_concurrency=1)
    made.create_topic(pb(types.Topic(name=TOPIC)))
    yield made
    made.close()


def subscribe(pubsub: PubSub, **settings: Any) -> Any:
    return pubsub.create_subscription(
        pb(types.Subscription({"name": READER, "topic": TOPIC, **settings})),
    )


def publish(pubsub: PubSub, body: bytes = b"x") -> str:
    request = pb(types.PublishRequest(topic=TOPIC, messages=[types.PubsubMessage(data=body)]))
    return str(pubsub.publish(request).message_ids[0])


def test_message_ids_do_not_start_again_with_each_process(pubsub: PubSub) -> None:
    other = PubSub(push_concurrency=1)
    other.create_topic(pb(types.Topic(name=TOPIC)))

    assert publish(pubsub) != publish(other)


def test_settings_left_out_get_their_defaults(pubsub: PubSub) -> None:
    policy = types.DeadLetterPolicy(dead_letter_topic=TOPIC)

    made = subscribe(pubsub, dead_letter_policy=policy)

    assert made.ack_deadline_seconds == 10
    assert made.dead_letter_policy.max_delivery_attempts == 5


@pytest.mark.parametrize(
    "settings",
    [
        {"ack_deadline_seconds": 9},
        {"ack_deadline_seconds": 601},
        {"dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 4}},
        {"dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 101}},
        {"retry_policy": {"maximum_backoff": timedelta(seconds=601)}},
        {"retry_policy": {"minimum_backoff": timedelta(2), "maximum_backoff": timedelta(1)}},
        {"push_config": {"push_endpoint": "https://example.com/x"}},
        {"push_config": {"push_endpoint": "http://a/", "no_wrapper": {}}},
        {"push_config": {"push_endpoint": "http://a/"}, "enable_exactly_once_delivery": True},
        {"bigquery_config": {"table": "t"}},
        {"name": "projects/demo-unit/subscriptions/x"},
        {"name": "projects/demo-unit/subscriptions/google-like"},
        {"topic": "projects/demo-unit/topics/missing"},
    ],
)
def test_settings_out_of_bounds_are_refused(pubsub: PubSub, settings: dict[str, Any]) -> None:
    with pytest.raises(Refusal):
        subscribe(pubsub, **settings)


def test_an_update_changes_what_its_mask_names_and_nothing_else(pubsub: PubSub) -> None:
    subscribe(pubsub, labels={"a": "b"})
    wanted = types.Subscription(name=READER, ack_deadline_seconds=60, labels={"c": "d"})

    pubsub.update_subscription(
        pb(types.UpdateSubscriptionRequest(subscription=wanted, update_mask=FieldMask(paths=["labels"])))
    )

    changed = pubsub.get_subscription(pb(types.GetSubscriptionRequest(subscription=READER)))
    assert (changed.ack_deadline_seconds, dict(changed.labels)) == (10, {"c": "d"})


def test_a_filter_cannot_be_updated(pubsub: PubSub) -> None:
    subscribe(pubsub)
    wanted = types.Subscription(name=READER, filter="attributes:a")

    with pytest.raises(Refusal, match="update_mask"):
        pubsub.update_subscription(
            pb(types.UpdateSubscriptionRequest(subscription=wanted, update_mask=FieldMask(paths=["filter"])))
        )


def test_a_subscription_outlives_its_topic(pubsub: PubSub) -> None:
    subscribe(pubsub)
    publish(pubsub, b"kept")

    pubsub.delete_topic(pb(types.DeleteTopicRequest(topic=TOPIC)))

    kept = pubsub.get_subscription(pb(types.GetSubscriptionRequest(subscription=READER)))
    pulled = pubsub.pull(pb(types.PullRequest(subscription=READER, max_messages=1)))
    assert kept.topic == "_deleted-topic_"
    assert [each.message.data for each in pulled.received_messages] == [b"kept"]


def test_a_push_subscription_cannot_be_pulled(pubsub: PubSub) -> None:
    subscribe(pubsub, push_config={"push_endpoint": "http://127.0.0.1:9/"})

    with pytest.raises(Refusal) as refusal:
        pubsub.pull(pb(types.PullRequest(subscription=READER, max_messages=1)))

    assert refusal.value.code is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("count", [0, 1001])
def test_a_publish_request_has_one_to_a_thousand_messages(pubsub: PubSub, count: int) -> None:
    messages = [types.PubsubMessage(data=b"x")] * count

    with pytest.raises(Refusal, match="1 to 1000"):
        pubsub.publish(pb(types.PublishRequest(topic=TOPIC, messages=messages)))
