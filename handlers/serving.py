"""Serves one push request: a delivery goes to its handler; the answer is the acknowledgement."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol, assert_never

from handlers.delivery import BadDelivery, Delivery, parse_delivery
from poolqueue.dead_letters import bury
from poolqueue.messages import Problem
from poolqueue.page.answers import Answer
from poolqueue.system import System
from poolqueue.triggers import CloudEventView

ACKNOWLEDGED = ("", 204)
_CLOUD_EVENT_ATTRIBUTES = {"id", "source", "type", "subject", "time", "specversion"}


class Request(Protocol):
    """What we need of Flask's request."""

    @property
    def path(self) -> str: ...
    @property
    def headers(self) -> Any: ...
    def get_data(self) -> bytes: ...


def serve(system: System, request: Request, handle: Callable[[System, Delivery], None]) -> tuple[str, int]:
    """An exception becomes a 500, and Pub/Sub delivers the message again."""
    match parse_delivery(request.path, request.headers, request.get_data()):
        case Delivery() as delivery:
            handle(system, delivery)
        case BadDelivery() as bad:
            _bury(system, bad)
        case unreachable:
            assert_never(unreachable)
    return ACKNOWLEDGED


def response(answer: Answer) -> tuple[bytes, int, dict[str, str]]:
    """As functions-framework takes it."""
    return answer.body, answer.status, dict(answer.headers)


def event_view(event: Any) -> CloudEventView:
    """The CloudEvent that functions-framework hands over."""
    attributes: Mapping[str, Any] = event.get_attributes()
    return CloudEventView(
        id=str(attributes["id"]),
        source=str(attributes["source"]),
        type=str(attributes["type"]),
        subject=attributes.get("subject"),
        time=attributes.get("time"),
        attributes={k: str(v) for k, v in attributes.items() if k not in _CLOUD_EVENT_ATTRIBUTES},
        data=event.get_data(),
    )


def _bury(system: System, bad: BadDelivery) -> None:
    problem = Problem(
        path="delivery",
        value=f"({len(bad.body)} bytes)",
        problem=bad.reason,
        remedy="push to this function from a Pub/Sub subscription, without payload unwrapping",
    )
    digest = hashlib.sha256(bad.body).hexdigest()[:32]
    topic = bad.topic or "unknown"
    bury(system, topic=topic, message_id=digest, data=bad.body, attributes={}, problems=[problem])
