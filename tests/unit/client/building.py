"""A client whose world is in memory: it publishes to a list, and reads records that a test writes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.client import PoolQueue
from poolqueue.client.place import Outside
from poolqueue.config import Environment
from poolqueue.ports import Message, Pulled, PullFailed

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
PROJECT = "demo-client"
ENVIRONMENT = Environment(project=PROJECT)
_IDS = itertools.count(1)


class Publications:
    """A Publisher that calls `taken` with each message, after giving it an id."""

    def __init__(self, taken: Callable[[Message, str], None] = lambda _message, _id: None) -> None:
        self._taken = taken
        self.messages: list[Message] = []

    def publish(self, topic: str, body: bytes, attributes: Mapping[str, str]) -> str:
        message = Message(topic=topic, body=body, attributes=attributes)
        message_id = f"message-{next(_IDS)}"
        self.messages.append(message)
        self._taken(message, message_id)
        return message_id

    def publish_all(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.publish(message.topic, message.body, message.attributes)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(message.body) for message in self.messages]


class Script:
    """A Subscription that hands out one of `pulls` at a time, then nothing; an exception is raised."""

    def __init__(self, *pulls: list[Mapping[str, Any] | bytes] | PullFailed) -> None:
        self._pulls = list(pulls)
        self.acknowledged: list[str] = []

    def pull(self, *, wait_seconds: float) -> list[Pulled]:
        found = self._pulls.pop(0) if self._pulls else []
        if isinstance(found, PullFailed):
            raise found
        bodies = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in found]
        return [Pulled(ack_id=f"ack-{hash(body)}", body=body) for body in bodies]

    def acknowledge(self, ack_ids: Sequence[str]) -> None:
        self.acknowledged += ack_ids


class Clock:
    """A clock that pauses put forward; `at_pause` is called before each."""

    def __init__(self, at_pause: Callable[[], None] = lambda: None) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []
        self._at_pause = at_pause

    def monotonic(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self._at_pause()
        self.pauses.append(seconds)
        self.seconds += seconds


def queue(
    *,
    publisher: Any = None,
    documents: Any = None,
    subscription: Any = None,
    clock: Clock | None = None,
    environment: Environment = ENVIRONMENT,
    **where: Any,
) -> PoolQueue:
    clock = clock or Clock()
    outside = Outside(
        environment=lambda: environment,
        documents=lambda _environment, _project: MemoryDocuments() if documents is None else documents,
        publisher=lambda _environment: publisher or Publications(),
        subscription=lambda _environment, _name: subscription,
        now=lambda: NOW,
        monotonic=clock.monotonic,
        pause=clock.pause,
    )
    return PoolQueue(outside=outside, **where)
