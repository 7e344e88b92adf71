"""Our pull subscription hands out what was published until it is acknowledged."""

from __future__ import annotations

import pytest

from infra.local.emulators import Emulator
from infra.local.processes import free_port
from poolqueue.adapters.pubsub_pull import PubSubSubscription
from poolqueue.ports import Pulled, PullFailed
from tests.contract.pubsub.bench import Bench

WAIT_SECONDS = 10.0


def pulled(subscription: PubSubSubscription, count: int = 1) -> list[Pulled]:
    """Google's emulator may answer early, with nothing."""
    found: list[Pulled] = []
    for _ in range(20):
        found += subscription.pull(wait_seconds=WAIT_SECONDS)
        if len(found) >= count:
            break
    return found


def test_a_message_comes_with_its_body_and_attributes(bench: Bench, pubsub: Emulator) -> None:
    subscription = PubSubSubscription(bench.subscribe(), emulator_host=pubsub.address)
    bench.publish(b"hello", job_id="j")

    (received,) = pulled(subscription)
    subscription.acknowledge([received.ack_id])

    assert (received.body, received.attributes) == (b"hello", {"job_id": "j"})
    assert subscription.pull(wait_seconds=0.2) == []


def test_nothing_to_pull_is_no_failure(bench: Bench, pubsub: Emulator) -> None:
    subscription = PubSubSubscription(bench.subscribe(), emulator_host=pubsub.address)

    assert subscription.pull(wait_seconds=0.2) == []


def test_a_subscription_that_is_not_there_is_a_failure(bench: Bench, pubsub: Emulator) -> None:
    name = f"projects/{bench.project}/subscriptions/nowhere"

    with pytest.raises(PullFailed, match="nowhere"):
        PubSubSubscription(name, emulator_host=pubsub.address).pull(wait_seconds=5)


def test_no_pubsub_is_a_failure() -> None:
    subscription = PubSubSubscription(
        "projects/demo-p/subscriptions/s", emulator_host=f"127.0.0.1:{free_port()}"
    )

    with pytest.raises(PullFailed):
        subscription.pull(wait_seconds=5)
