"""Asks Pub/Sub whether a topic is there and may be published to, without publishing."""

from __future__ import annotations

from typing import Literal

import grpc
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from poolqueue.ports import PublishFailed

PERMISSION = "pubsub.topics.publish"

TopicState = Literal["open", "forbidden", "missing"]


def topic_states(topics: list[str], *, emulator: str | None, timeout_seconds: float) -> dict[str, TopicState]:
    """Of topics by their full names. An emulator knows no permissions: what is there is open.

    Raises `PublishFailed` when Pub/Sub does not answer.
    """
    if emulator is None:
        with PublisherClient() as client:
            return {topic: _permitted(client, topic, timeout_seconds) for topic in topics}
    channel = grpc.insecure_channel(emulator)
    with PublisherClient(transport=PublisherGrpcTransport(channel=channel)) as client:
        return {topic: _there(client, topic, timeout_seconds) for topic in topics}


def _permitted(client: PublisherClient, topic: str, seconds: float) -> TopicState:
    asked = {"resource": topic, "permissions": [PERMISSION]}
    try:
        answer = client.test_iam_permissions(request=asked, retry=None, timeout=seconds)
    except exceptions.NotFound:
        return "missing"
    except exceptions.Forbidden:
        return "forbidden"
    except (exceptions.GoogleAPIError, GoogleAuthError) as error:
        raise PublishFailed(f"{topic}: {type(error).__name__}") from error
    return "open" if PERMISSION in answer.permissions else "forbidden"


def _there(client: PublisherClient, topic: str, seconds: float) -> TopicState:
    try:
        client.get_topic(request={"topic": topic}, retry=None, timeout=seconds)
    except exceptions.NotFound:
        return "missing"
    except exceptions.GoogleAPIError as error:
        raise PublishFailed(f"{topic}: {type(error).__name__}") from error
    return "open"
