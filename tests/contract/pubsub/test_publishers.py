"""Every Publisher keeps what it accepts, and says so when it does not accept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from infra.local.emulators import Kind, start_pubsub
from infra.local.processes import free_port
from poolqueue.adapters.memory_publisher import MemoryPublisher
from poolqueue.adapters.pubsub import PubSubPublisher
from poolqueue.ports import Message, Publisher, PublishFailed
from tests.contract.pubsub.bench import Bench, bench_on

LETTERS = "projects/demo-publishers/topics/letters"
OTHER = "projects/demo-publishers/topics/other"
NOWHERE = "projects/demo-publishers/topics/nowhere"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A Publisher to two topics, and what arrived there: `arrived(topic, count)`."""

    publisher: Publisher
    arrived: Callable[[str, int], list[Message]]


@pytest.fixture(
    scope="module",
    params=["memory", "embedded", pytest.param("google", marks=pytest.mark.requires("google_emulators"))],
)
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    if request.param == "memory":
        publisher = MemoryPublisher([LETTERS, OTHER])
        yield Subject(publisher=publisher, arrived=lambda topic, count: publisher.on(topic)[-count:])
        return
    with (
        start_pubsub(Kind(request.param), tmp_path_factory.mktemp("pubsub")) as running,
        grpc.insecure_channel(running.address) as channel,
    ):
        yield _over_the_wire(bench_on(running, channel, project="demo-publishers"))


def _over_the_wire(bench: Bench) -> Subject:
    readers = {}
    for topic in (LETTERS, OTHER):
        bench.publisher.create_topic(name=topic)
        readers[topic] = bench.subscribe(f"reader-of-{topic.rsplit('/', 1)[-1]}", topic=topic)

    def arrived(topic: str, count: int) -> list[Message]:
        received = bench.pull(readers[topic], count)
        bench.acknowledge(readers[topic], received)
        return [
            Message(topic=topic, body=each.message.data, attributes=dict(each.message.attributes))
            for each in received
        ]

    return Subject(publisher=bench.ours, arrived=arrived)


def test_a_message_arrives_with_its_body_and_attributes(subject: Subject) -> None:
    message_id = subject.publisher.publish(LETTERS, b"\x00body", {"job_id": "j"})

    assert message_id
    assert subject.arrived(LETTERS, 1) == [
        Message(topic=LETTERS, body=b"\x00body", attributes={"job_id": "j"})
    ]


def test_several_messages_go_to_several_topics(subject: Subject) -> None:
    subject.publisher.publish_all(
        [
            Message(topic=LETTERS, body=b"1"),
            Message(topic=OTHER, body=b"2", attributes={"k": "v"}),
            Message(topic=LETTERS, body=b"3"),
        ]
    )

    assert sorted(message.body for message in subject.arrived(LETTERS, 2)) == [b"1", b"3"]
    assert subject.arrived(OTHER, 1) == [Message(topic=OTHER, body=b"2", attributes={"k": "v"})]


def test_nothing_to_publish_is_nothing_published(subject: Subject) -> None:
    subject.publisher.publish_all([])


def test_more_messages_than_one_request_takes_all_arrive(subject: Subject) -> None:
    subject.publisher.publish_all([Message(topic=LETTERS, body=str(n).encode()) for n in range(1500)])

    assert len({message.body for message in subject.arrived(LETTERS, 1500)}) == 1500


def test_a_topic_that_does_not_exist_accepts_nothing(subject: Subject) -> None:
    with pytest.raises(PublishFailed, match="nowhere"):
        subject.publisher.publish(NOWHERE, b"x", {})


def test_a_message_without_body_and_attributes_is_not_accepted(subject: Subject) -> None:
    with pytest.raises(PublishFailed):
        subject.publisher.publish(LETTERS, b"", {})


def test_no_answer_in_time_is_a_failure() -> None:
    publisher = PubSubPublisher(emulator_host=f"127.0.0.1:{free_port()}", timeout_seconds=0.2)

    with pytest.raises(PublishFailed):
        publisher.publish(LETTERS, b"x", {})


def test_a_failure_quotes_no_body(tmp_path: Path) -> None:
    publisher = PubSubPublisher(emulator_host=f"127.0.0.1:{free_port()}", timeout_seconds=0.2)

    with pytest.raises(PublishFailed) as failure:
        publisher.publish(LETTERS, b"secret", {"k": "secret"})

    assert "secret" not in str(failure.value)
