"""The table of topics becomes topics and subscriptions, on each kind of Pub/Sub."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.local.emulators import Emulator
from infra.local.topology import TOPICS, create_topology, topic_name
from tests.contract.pubsub.bench import Bench, Endpoint


def test_a_request_is_pushed_to_the_path_that_names_its_topic(
    bench: Bench, pubsub: Emulator, endpoint: Endpoint
) -> None:
    create_topology(bench.project, pubsub.address, {"job-requests": endpoint.url}, teams=["vision"])

    for topic in ("job-requests", "job-requests.vision"):
        bench.ours.publish(topic_name(bench.project, topic), b"x", {})
        assert endpoint.next().topic == topic_name(bench.project, topic)


def test_a_second_creation_moves_the_pushes_and_keeps_the_rest(
    bench: Bench, pubsub: Emulator, endpoint: Endpoint
) -> None:
    create_topology(bench.project, pubsub.address, {"sweeps": "http://127.0.0.1:9"})
    create_topology(bench.project, pubsub.address, {"sweeps": f"{endpoint.url}/"})

    bench.ours.publish(topic_name(bench.project, "sweeps"), b"x", {})

    assert endpoint.next().topic == topic_name(bench.project, "sweeps")


def test_outcomes_and_dead_letters_are_kept_for_reading(bench: Bench, pubsub: Emulator) -> None:
    create_topology(bench.project, pubsub.address, {})

    for topic in (topic for topic in TOPICS if topic.log):
        bench.ours.publish(topic_name(bench.project, topic.name), b"kept", {})
        [received] = bench.pull(f"projects/{bench.project}/subscriptions/{topic.log}")
        assert received.message.data == b"kept"


def test_terms_can_be_adjusted(bench: Bench, pubsub: Emulator) -> None:
    create_topology(
        bench.project,
        pubsub.address,
        {"job-ended": "http://127.0.0.1:9"},
        adjust=lambda terms: replace(terms, maximum_backoff_seconds=5),
    )

    name = f"projects/{bench.project}/subscriptions/job-ended-push"
    made = bench.subscriber.get_subscription(subscription=name)
    assert made.retry_policy.maximum_backoff.total_seconds() == 5
    assert made.ack_deadline_seconds == 600
    assert made.dead_letter_policy.dead_letter_topic == topic_name(bench.project, "dead-letters")


def test_a_project_that_may_be_real_is_refused(pubsub: Emulator) -> None:
    with pytest.raises(ValueError, match="demo-"):
        create_topology("production", pubsub.address, {})
