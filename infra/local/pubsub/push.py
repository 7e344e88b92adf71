"""Pushes one subscription's messages to its endpoint, as production does: the response's status settles."""

from __future__ import annotations

import base64
import http.client
import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from infra.local.pubsub.backlog import NEVER, Backlog, Lease

# These acknowledge, says cloud.google.com/pubsub/docs/push.
SUCCESSES = frozenset({102, 200, 201, 202, 204})
WAIT_SECONDS = 60.0


class Pusher:
    """Delivers up to `concurrency` messages at a time until stopped, by what `settings` gives then."""

    def __init__(self, settings: Callable[[], Any], backlog: Backlog, *, concurrency: int) -> None:
        self._settings = settings
        self._backlog = backlog
        self._places = threading.Semaphore(concurrency)
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="pusher", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._backlog.wake()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._places.acquire()
            leases = self._backlog.lease(
                lambda: 1, seconds=NEVER, wait_seconds=WAIT_SECONDS, active=self._active
            )
            for lease in leases:
                threading.Thread(target=self._deliver, args=(lease,), daemon=True).start()
            if not leases:
                self._places.release()
            if self._backlog.closed:
                return

    def _active(self) -> bool:
        return not self._stopped.is_set()

    def _deliver(self, lease: Lease) -> None:
        try:
            if _post(self._settings(), lease) in SUCCESSES:
                self._backlog.acknowledge([lease.ack_id])
            else:
                self._backlog.refuse([lease.ack_id])
        finally:
            self._places.release()


def _post(settings: Any, lease: Lease) -> int | None:
    """The status of the response; None when there is none within the ack deadline."""
    endpoint = urlsplit(settings.push_config.push_endpoint)
    target = (endpoint.path or "/") + (f"?{endpoint.query}" if endpoint.query else "")
    # A connection each: one that was kept may be closed by the server just now, and cost a delivery attempt.
    connection = http.client.HTTPConnection(
        str(endpoint.hostname), endpoint.port or 80, timeout=settings.ack_deadline_seconds
    )
    headers = {"Content-Type": "application/json", "User-Agent": "embedded-pubsub", "Connection": "close"}
    try:
        connection.request("POST", target, push_body(settings, lease), headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def push_body(settings: Any, lease: Lease) -> bytes:
    """The wrapped message. The empty is left out; attempts are told only with a dead letter policy."""
    message = lease.message
    published = message.publish_time.ToJsonString()
    wrapped: dict[str, Any] = {
        "messageId": message.message_id,
        "message_id": message.message_id,
        "publishTime": published,
        "publish_time": published,
    }
    if message.data:
        wrapped["data"] = base64.b64encode(message.data).decode()
    if message.attributes:
        wrapped["attributes"] = dict(message.attributes)
    if message.ordering_key:
        wrapped["orderingKey"] = message.ordering_key
    body = {"message": wrapped, "subscription": settings.name}
    if settings.dead_letter_policy.dead_letter_topic:
        body["deliveryAttempt"] = lease.attempt
    return json.dumps(body).encode()
