"""Whether topics are there, asked of each kind of Pub/Sub."""

from __future__ import annotations

import pytest

from infra.local.emulators import Emulator
from poolqueue.adapters.pubsub_topics import topic_states
from poolqueue.ports import PublishFailed
from tests.contract.pubsub.bench import Bench


def test_a_topic_is_open_if_it_is_there_and_else_missing(
    pubsub: Emulator, bench: Bench, demo_project: str
) -> None:
    there, other = (f"projects/{demo_project}/topics/{name}" for name in ("there", "other"))
    bench.publisher.create_topic(name=there)

    assert topic_states([there, other], emulator=pubsub.address, timeout_seconds=10.0) == {
        there: "open",
        other: "missing",
    }


def test_without_an_answer_it_fails_as_publishing_does(demo_project: str) -> None:
    topic = f"projects/{demo_project}/topics/t"

    with pytest.raises(PublishFailed):
        topic_states([topic], emulator="127.0.0.1:1", timeout_seconds=1.0)
