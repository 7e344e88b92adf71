"""Turns the HTTP request of a push subscription, or of Eventarc, into a value; trusts nothing in it."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeGuard

# Pub/Sub's 10 MB as base64, and its attributes.
MAX_BODY_BYTES = 14_500_000
MAX_ATTRIBUTES = 100
MAX_NAME_CHARACTERS = 1024

EVENTARC_SOURCE = "//pubsub.googleapis.com/"
_TOPIC_AT_END = re.compile(r"(?:^|/)(projects/[A-Za-z0-9:.-]+/topics/[A-Za-z][A-Za-z0-9._~+%-]*)/?$")


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One delivery of one message. `topic` is a full name; `publish_time` is aware and in UTC, and does not
    change when the message is delivered again. `delivery_attempt` is None unless Pub/Sub counts attempts.
    """

    topic: str
    message_id: str
    publish_time: datetime
    data: bytes = b""
    attributes: Mapping[str, str] = field(default_factory=dict)
    delivery_attempt: int | None = None
    subscription: str | None = None


@dataclass(frozen=True, kw_only=True)
class BadDelivery:
    """What is no delivery, and will not become one: `reason` never quotes the body."""

    reason: str
    body: bytes
    topic: str | None = None


class _Unusable(Exception):
    """Why a request is no delivery."""


def parse_delivery(path: str, headers: Mapping[str, str], body: bytes) -> Delivery | BadDelivery:
    """The delivery in a request whose path ends in `/projects/P/topics/T`, or whose `ce-source` names it."""
    topic = None
    try:
        topic = _topic(path, headers)
        return _delivery(topic, _envelope(body))
    except _Unusable as unusable:
        return BadDelivery(reason=str(unusable), body=body[:MAX_BODY_BYTES], topic=topic)


def _topic(path: str, headers: Mapping[str, str]) -> str:
    named = {topic for topic in (_topic_of_path(path), _topic_of_eventarc(headers)) if topic}
    if not named:
        raise _Unusable("neither the path nor ce-source names a topic")
    if len(named) > 1:
        raise _Unusable("the path and ce-source name different topics")
    return named.pop()


def _topic_of_path(path: str) -> str | None:
    found = _TOPIC_AT_END.search(path.partition("?")[0][:MAX_NAME_CHARACTERS])
    return found[1] if found else None


def _topic_of_eventarc(headers: Mapping[str, str]) -> str | None:
    sources = [value for name, value in headers.items() if name.lower() == "ce-source"]
    if not sources or not sources[0].startswith(EVENTARC_SOURCE):
        return None
    return _topic_of_path(sources[0].removeprefix(EVENTARC_SOURCE))


def _envelope(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BODY_BYTES:
        raise _Unusable(f"the body is over {MAX_BODY_BYTES} bytes")
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _Unusable("the body is not JSON") from error
    if not isinstance(envelope, dict) or not isinstance(envelope.get("message"), dict):
        raise _Unusable("the body is not a Pub/Sub push: it has no object `message`")
    return envelope


def _delivery(topic: str, envelope: dict[str, Any]) -> Delivery:
    message = envelope["message"]
    return Delivery(
        topic=topic,
        message_id=_message_id(message),
        publish_time=_publish_time(message),
        data=_data(message),
        attributes=_attributes(message),
        delivery_attempt=_delivery_attempt(envelope),
        subscription=_subscription(envelope),
    )


def _message_id(message: dict[str, Any]) -> str:
    message_id = message.get("messageId", message.get("message_id"))
    if not _is_text(message_id) or not 0 < len(message_id) <= MAX_NAME_CHARACTERS:
        raise _Unusable("the message has no usable `messageId`")
    return message_id


def _publish_time(message: dict[str, Any]) -> datetime:
    stamp = message.get("publishTime", message.get("publish_time"))
    try:
        if isinstance(stamp, str) and (published := datetime.fromisoformat(stamp)).tzinfo:
            return published.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _Unusable("the message's `publishTime` is not a time") from error
    raise _Unusable("the message has no `publishTime` with a time zone")


def _data(message: dict[str, Any]) -> bytes:
    encoded = message.get("data") or ""  # production leaves out an empty one
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise _Unusable("the message's `data` is not base64") from error


def _attributes(message: dict[str, Any]) -> Mapping[str, str]:
    attributes = message.get("attributes") or {}
    if not isinstance(attributes, dict) or not all(map(_is_text, [*attributes, *attributes.values()])):
        raise _Unusable("the message's `attributes` are not an object of strings")
    if len(attributes) > MAX_ATTRIBUTES:
        raise _Unusable(f"the message has more than {MAX_ATTRIBUTES} attributes")
    return attributes


def _delivery_attempt(envelope: dict[str, Any]) -> int | None:
    attempt = envelope.get("deliveryAttempt")
    return attempt if isinstance(attempt, int) and not isinstance(attempt, bool) else None


def _subscription(envelope: dict[str, Any]) -> str | None:
    subscription = envelope.get("subscription")
    return subscription[:MAX_NAME_CHARACTERS] if _is_text(subscription) else None


def _is_text(value: object) -> TypeGuard[str]:
    """Whether this can be stored and sent on: JSON's escapes can spell half a character."""
    return isinstance(value, str) and value == value.encode(errors="replace").decode()
