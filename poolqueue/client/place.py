"""Where the queue is, and what a client needs from outside to reach it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from poolqueue import wiring
from poolqueue.client.errors import NotConfigured
from poolqueue.config import Environment, SettingsError, read_environment, refuse_mixture
from poolqueue.ports import Documents, Publisher, Subscription

TOPIC = "job-requests"
PUBLISH_SECONDS = 60.0


def _publisher(environment: Environment) -> Publisher:
    return wiring.publisher(environment, timeout_seconds=PUBLISH_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What a client needs from outside; a test gives its own."""

    environment: Callable[[], Environment] = read_environment
    documents: Callable[[Environment, str], Documents] = wiring.open_documents
    publisher: Callable[[Environment], Publisher] = _publisher
    subscription: Callable[[Environment, str], Subscription] = wiring.subscription
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


@dataclass(frozen=True, kw_only=True)
class Place:
    """One queue: a request topic in a project, and the database in which its jobs are."""

    environment: Environment
    project: str
    topic: str

    @classmethod
    def of(
        cls, environment: Environment, *, project: str | None, topic: str | None, database: str | None
    ) -> Place:
        """What is not given is the environment's. Raises `NotConfigured`."""
        name = topic or environment.topic or TOPIC
        in_name = name.split("/")[1] if name.startswith("projects/") and name.count("/") >= 2 else None  # noqa: PLR2004
        chosen = project or in_name or environment.project
        if chosen is None:
            raise NotConfigured("which project? Give project=..., or set GOOGLE_CLOUD_PROJECT")
        changes = {"project": chosen, **({} if database is None else {"database": database})}
        changed = environment.model_copy(update=changes)
        try:
            refuse_mixture(changed)
        except SettingsError as error:
            raise NotConfigured(str(error)) from error
        return cls(environment=changed, project=chosen, topic=name)

    def topic_name(self, short_or_full: str) -> str:
        return self._full("topics", short_or_full)

    def subscription_name(self, short_or_full: str) -> str:
        return self._full("subscriptions", short_or_full)

    def _full(self, kind: str, name: str) -> str:
        return name if name.startswith("projects/") else f"projects/{self.project}/{kind}/{name}"
