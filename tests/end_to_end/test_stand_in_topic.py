"""The sink's lines on a real Pub/Sub topic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import pubsub_v1

from infra.local.emulators import Kind, start_pubsub
from tests.end_to_end.stand_in_support import client, custom_job, parent, start, wait_for


@pytest.fixture
def pubsub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with start_pubsub(Kind.EMBEDDED, tmp_path / "pubsub") as emulator:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulator.address)
        yield


def test_the_end_of_a_job_is_published(tmp_path: Path, demo_project: str, pubsub: None) -> None:
    topic = f"projects/{demo_project}/topics/job-ended"
    subscription = f"projects/{demo_project}/subscriptions/job-ended"
    publisher = pubsub_v1.PublisherClient()
    with pubsub_v1.SubscriberClient() as subscriber:
        publisher.create_topic(name=topic, timeout=10)
        subscriber.create_subscription(name=subscription, topic=topic, timeout=10)
        with start(tmp_path, demo_project, log_topic=topic) as stand_in:
            created = client(stand_in).create_custom_job(
                parent=parent(demo_project), custom_job=custom_job(), timeout=10
            )

            def pulled() -> list[pubsub_v1.types.ReceivedMessage]:
                answer = subscriber.pull(subscription=subscription, max_messages=1, timeout=10)
                return list(answer.received_messages)

            (received,) = wait_for(pulled, "the published line")

        entry = json.loads(received.message.data)
        assert entry["textPayload"] == "Job completed successfully."
        assert entry["resource"]["labels"]["job_id"] == created.name.rsplit("/", 1)[-1]
        assert received.message.attributes["logging.googleapis.com/timestamp"] == entry["timestamp"]
    publisher.stop()
    publisher.transport.close()


def test_a_topic_without_an_emulator_is_refused(
    tmp_path: Path, demo_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)

    with pytest.raises(RuntimeError, match="PUBSUB_EMULATOR_HOST"):
        start(tmp_path, demo_project, log_topic=f"projects/{demo_project}/topics/job-ended")
