"""The Publisher in memory: keeps what was published, and refuses what Pub/Sub refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from poolqueue.ports import Message, PublishFailed

MAX_MESSAGE_BYTES = 10_000_000
MAX_ATTRIBUTES = 100


class MemoryPublisher:
    """`messages` are those accepted, oldest first. With `topics`, only those exist, otherwise all do."""

    def __init__(self, topics: Sequence[str] | None = None) -> None:
        self._topics = None if topics is None else frozenset(topics)
        self.messages: list[Message] = []

    def publish(self, topic: str, body: bytes, attributes: Mapping[str, str]) -> str:
        self.publish_all([Message(topic=topic, body=body, attributes=attributes)])
        return str(len(self.messages))

    def publish_all(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._check(message)
        self.messages.extend(messages)

    def on(self, topic: str) -> list[Message]:
        return [message for message in self.messages if message.topic == topic]

    def _check(self, message: Message) -> None:
        if self._topics is not None and message.topic not in self._topics:
            raise PublishFailed(f"{message.topic}: no such topic")
        if not message.body and not message.attributes:
            raise PublishFailed(f"{message.topic}: a message needs a body or attributes")
        if message.size > MAX_MESSAGE_BYTES or len(message.attributes) > MAX_ATTRIBUTES:
            raise PublishFailed(f"{message.topic}: the message is too large")
