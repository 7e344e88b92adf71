"""The Pub/Sub topic that the log sink delivers to."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from google.cloud import pubsub_v1

log = logging.getLogger(__name__)


class LogTopic:
    """Publishes without waiting; PUBSUB_EMULATOR_HOST says where, as for every Pub/Sub client."""

    def __init__(self, topic: str) -> None:
        if "PUBSUB_EMULATOR_HOST" not in os.environ:
            raise RuntimeError(
                "log_topic needs PUBSUB_EMULATOR_HOST: the stand-in never publishes to the cloud"
            )
        self._topic = topic
        self._publisher = pubsub_v1.PublisherClient()

    def publish(self, payload: bytes, attributes: Mapping[str, str]) -> None:
        publishing = self._publisher.publish(self._topic, payload, **attributes)  # type: ignore[arg-type]
        publishing.add_done_callback(_complain)

    def close(self) -> None:
        self._publisher.stop()
        self._publisher.transport.close()  # type: ignore[no-untyped-call]


def _complain(future: Future[Any]) -> None:
    if error := future.exception():
        log.error("a log line was not published", extra={"error": str(error)})
