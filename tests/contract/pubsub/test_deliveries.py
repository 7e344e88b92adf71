"""What we rely on of Pub/Sub's deliveries, seen on the embedded one and on Google's emulator."""

from __future__ import annotations

import json
import queue
import threading
from typing import Any

import pytest
from google.api_core import exceptions
from google.pubsub_v1 import types

from infra.local.emulators import Emulator
from tests.contract.pubsub.bench import QUICK, WAIT_SECONDS, Bench, Endpoint


def test_a_message_is_pushed_with_its_body_and_attributes(bench: Bench, endpoint: Endpoint) -> None:
    subscription = bench.push_to(endpoint)

    bench.publish(b"\x00\xff", job_id="j")

    delivery = endpoint.next()
    assert (delivery.topic, delivery.data, delivery.attributes) == (bench.topic, b"\x00\xff", {"job_id": "j"})
    assert delivery.subscription == subscription


def test_a_message_of_attributes_alone_is_pushed_with_empty_data(bench: Bench, endpoint: Endpoint) -> None:
    bench.push_to(endpoint)

    bench.publish(b"", only="attributes")

    assert endpoint.next().data == b""


def test_a_push_says_its_ids_and_times_in_both_spellings(bench: Bench, endpoint: Endpoint) -> None:
    bench.push_to(endpoint)

    bench.publish()

    _, headers, body = endpoint.next_request()
    message = json.loads(body)["message"]
    assert headers["Content-Type"].startswith("application/json")
    assert message["messageId"] == message["message_id"]
    assert message["publishTime"] == message["publish_time"]


@pytest.mark.parametrize("status", [200, 201, 204, 102])
def test_a_status_of_success_acknowledges(bench: Bench, endpoint: Endpoint, status: int) -> None:
    endpoint.statuses = [status]
    bench.push_to(endpoint)

    bench.publish()

    endpoint.next()
    assert endpoint.stays_quiet(1.5)


def test_a_failed_push_comes_again_with_the_same_id_and_time(bench: Bench, endpoint: Endpoint) -> None:
    endpoint.statuses = [500, 429]
    bench.push_to(endpoint)

    bench.publish()

    first, second, third = endpoint.next(), endpoint.next(), endpoint.next()
    assert first.message_id == second.message_id == third.message_id
    assert first.publish_time == second.publish_time == third.publish_time
    assert endpoint.stays_quiet(1.5)


def test_a_push_without_an_answer_by_the_ack_deadline_comes_again(bench: Bench, endpoint: Endpoint) -> None:
    answered = threading.Event()
    endpoint.first_waits_for = answered
    bench.push_to(endpoint, ack_deadline_seconds=10)

    bench.publish()

    first = endpoint.next()
    again = endpoint.next()  # while the first is still being handled
    answered.set()
    assert first.message_id == again.message_id


def test_a_message_that_keeps_failing_becomes_a_dead_letter(bench: Bench, endpoint: Endpoint) -> None:
    dead = bench.create_topic("dead")
    reader = bench.subscribe("dead-reader", topic=dead)
    endpoint.statuses = [500] * 50
    policy = types.DeadLetterPolicy(dead_letter_topic=dead, max_delivery_attempts=5)
    bench.push_to(endpoint, dead_letter_policy=policy)

    bench.publish(b"poison", job_id="j")

    [received] = bench.pull(reader)
    assert received.message.data == b"poison"
    assert received.message.attributes["job_id"] == "j"
    assert received.message.attributes["CloudPubSubDeadLetterSourceSubscription"] == "pusher"
    assert received.message.attributes["CloudPubSubDeadLetterSourceSubscriptionProject"] == bench.project
    assert int(received.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"]) >= 5
    assert endpoint.arrivals.qsize() >= 5


def test_a_dead_letter_topic_must_exist(bench: Bench) -> None:
    policy = types.DeadLetterPolicy(dead_letter_topic=bench.topic_named("none"), max_delivery_attempts=5)

    with pytest.raises(exceptions.NotFound):
        bench.subscribe(dead_letter_policy=policy)


def test_pulled_and_acknowledged_does_not_come_again(bench: Bench) -> None:
    reader = bench.subscribe()
    bench.publish(b"1")
    bench.publish(b"2")

    received = bench.pull(reader, 2)
    bench.acknowledge(reader, received)
    bench.refuse(reader, received)  # too late: it would have them delivered again at once

    assert sorted(each.message.data for each in received) == [b"1", b"2"]
    assert bench.pull_until_last(reader) == [b"last"]


def test_a_pulled_message_that_is_refused_comes_again(bench: Bench) -> None:
    reader = bench.subscribe(retry_policy=QUICK)
    bench.publish()

    [first] = bench.pull(reader)
    bench.refuse(reader, [first])
    [again] = bench.pull(reader)

    assert first.message.message_id == again.message.message_id


def test_each_subscription_gets_its_own_copy(bench: Bench) -> None:
    readers = [bench.subscribe("one"), bench.subscribe("two")]

    bench.publish()

    assert [len(bench.pull(reader)) for reader in readers] == [1, 1]


def test_the_pushed_address_can_be_changed(bench: Bench, endpoint: Endpoint) -> None:
    where = types.PushConfig(push_endpoint="http://127.0.0.1:9/nobody")
    subscription = bench.subscribe("pusher", push_config=where, retry_policy=QUICK)
    moved = types.PushConfig(push_endpoint=f"{endpoint.url}/{bench.topic}")

    bench.subscriber.modify_push_config(subscription=subscription, push_config=moved)
    bench.publish(b"moved")

    assert endpoint.next().data == b"moved"


def test_creating_twice_is_refused(bench: Bench) -> None:
    bench.subscribe()

    with pytest.raises(exceptions.AlreadyExists):
        bench.create_topic("letters")
    with pytest.raises(exceptions.AlreadyExists):
        bench.subscribe()


def test_what_is_deleted_is_gone(bench: Bench) -> None:
    reader = bench.subscribe()

    bench.subscriber.delete_subscription(subscription=reader)
    bench.publisher.delete_topic(topic=bench.topic)

    with pytest.raises(exceptions.NotFound):
        bench.subscriber.get_subscription(subscription=reader)
    with pytest.raises(exceptions.NotFound):
        bench.publisher.get_topic(topic=bench.topic)


def test_more_than_a_thousand_messages_in_one_request_are_refused(bench: Bench) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        bench.publisher.publish(topic=bench.topic, messages=[types.PubsubMessage(data=b"x")] * 1001)


def test_the_client_librarys_subscriber_streams_and_acknowledges(
    bench: Bench, pubsub: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.cloud import pubsub_v1  # noqa: PLC0415 (the client reads the host when it is made)

    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub.address)
    reader = bench.subscribe()
    seen: queue.Queue[bytes] = queue.Queue()

    def take(message: Any) -> None:
        message.ack()
        seen.put(message.data)

    with pubsub_v1.SubscriberClient() as subscriber:
        streaming = subscriber.subscribe(reader, callback=take, await_callbacks_on_shutdown=True)
        for n in range(20):
            bench.publish(str(n).encode())
        bodies = {seen.get(timeout=WAIT_SECONDS) for _ in range(20)}
        streaming.cancel()
        streaming.result(timeout=WAIT_SECONDS)

    assert len(bodies) == 20
    assert bench.pull_until_last(reader) == [b"last"]
