"""What Pub/Sub refuses: names, sizes and settings out of bounds, and features that we do not embed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import grpc

from infra.local.pubsub.filters import BadFilter, parse_filter

# The limits of cloud.google.com/pubsub/quotas.
MAX_REQUEST_BYTES = 10_000_000
MAX_MESSAGES = 1000
MAX_ATTRIBUTES = 100
MAX_KEY_BYTES = 256
MAX_VALUE_BYTES = 1024
MAX_ORDERING_KEY_BYTES = 1024
ACK_DEADLINE_SECONDS = range(10, 601)
DELIVERY_ATTEMPTS = range(5, 101)
MAX_BACKOFF_SECONDS = 600

_NAME = re.compile(
    r"projects/(?P<project>[^/]+)/(?P<kind>topics|subscriptions)/(?P<id>[A-Za-z][\w.~+%-]{2,254})"
)


class Refusal(Exception):
    """An answer other than success."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> Refusal:
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message)


def not_found(name: str) -> Refusal:
    return Refusal(grpc.StatusCode.NOT_FOUND, f"Resource not found (resource={name.rsplit('/', 1)[-1]}).")


def already_exists(name: str) -> Refusal:
    return Refusal(grpc.StatusCode.ALREADY_EXISTS, f"Resource already exists (resource={name}).")


def unimplemented(what: str) -> Refusal:
    return Refusal(grpc.StatusCode.UNIMPLEMENTED, f"the embedded Pub/Sub has no {what}")


def pushed(name: str) -> Refusal:
    return Refusal(grpc.StatusCode.FAILED_PRECONDITION, f"a push subscription is not pulled: {name}")


def check_project(name: str) -> None:
    if not name.startswith("projects/demo-"):
        raise invalid(f"only project ids that begin with demo- exist here: {name}")


def check_name(name: str, kind: str) -> None:
    check_project(name)
    found = _NAME.fullmatch(name)
    if found is None or found["kind"] != kind or found["id"].startswith("goog"):
        raise invalid(f"not a name of {kind}: {name}")


def check_messages(messages: Sequence[Any]) -> None:
    if not 1 <= len(messages) <= MAX_MESSAGES:
        raise invalid(f"a publish request has 1 to {MAX_MESSAGES} messages, not {len(messages)}")
    if sum(message.ByteSize() for message in messages) > MAX_REQUEST_BYTES:
        raise invalid(f"a publish request has at most {MAX_REQUEST_BYTES} bytes")
    for message in messages:
        _check_message(message)


def _check_message(message: Any) -> None:
    if not message.data and not message.attributes:
        raise invalid("a message needs data or attributes")
    if len(message.attributes) > MAX_ATTRIBUTES:
        raise invalid(f"a message has at most {MAX_ATTRIBUTES} attributes")
    if len(message.ordering_key.encode()) > MAX_ORDERING_KEY_BYTES:
        raise invalid(f"an ordering key has at most {MAX_ORDERING_KEY_BYTES} bytes")
    for key, value in message.attributes.items():
        if not key or len(key.encode()) > MAX_KEY_BYTES or key.startswith("goog"):
            raise invalid(f"not an attribute's key: {key[:MAX_KEY_BYTES]!r}")
        if len(value.encode()) > MAX_VALUE_BYTES:
            raise invalid(f"the value of attribute {key!r} is over {MAX_VALUE_BYTES} bytes")


def check_subscription(settings: Any) -> None:
    if settings.ack_deadline_seconds not in ACK_DEADLINE_SECONDS:
        raise invalid("ack_deadline_seconds must be in 10..600")
    if settings.dead_letter_policy.max_delivery_attempts not in (0, *DELIVERY_ATTEMPTS):
        raise invalid("max_delivery_attempts must be in 5..100")
    _check_backoff(settings.retry_policy)
    _check_push(settings)
    _check_embedded(settings)
    try:
        parse_filter(settings.filter)
    except BadFilter as error:
        raise invalid(f"filter: {error}") from error


def _check_backoff(policy: Any) -> None:
    for name in ("minimum_backoff", "maximum_backoff"):
        seconds = getattr(policy, name).ToTimedelta().total_seconds()
        if not 0 <= seconds <= MAX_BACKOFF_SECONDS:
            raise invalid(f"{name} must be in 0..{MAX_BACKOFF_SECONDS} s")
    both = policy.HasField("minimum_backoff") and policy.HasField("maximum_backoff")
    if both and policy.minimum_backoff.ToTimedelta() > policy.maximum_backoff.ToTimedelta():
        raise invalid("minimum_backoff is over maximum_backoff")


def _check_push(settings: Any) -> None:
    endpoint = settings.push_config.push_endpoint
    if endpoint and (urlsplit(endpoint).scheme != "http" or not urlsplit(endpoint).hostname):
        raise invalid(f"a local push endpoint is an http:// address: {endpoint}")
    if endpoint and settings.enable_exactly_once_delivery:
        raise invalid("exactly-once delivery is not for push subscriptions")


def _check_embedded(settings: Any) -> None:
    for feature in ("bigquery_config", "cloud_storage_config", "bigtable_config"):
        if settings.HasField(feature):
            raise unimplemented(feature)
    if settings.push_config.HasField("no_wrapper"):
        raise unimplemented("unwrapped push")
    if settings.message_transforms:
        raise unimplemented("message_transforms")
