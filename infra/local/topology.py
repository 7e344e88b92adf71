"""The topics and subscriptions of a system: the table that Terraform mirrors, and its making locally."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import grpc
from google.api_core.exceptions import AlreadyExists
from google.pubsub_v1 import PublisherClient, SubscriberClient, types
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

CALL_TIMEOUT_SECONDS = 20.0
SEVEN_DAYS_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a push subscription delivers. A message fails for hours before it counts as dead."""

    ack_deadline_seconds: int = 600
    minimum_backoff_seconds: float = 1.0
    maximum_backoff_seconds: float = 600.0
    max_delivery_attempts: int = 100
    retention_seconds: int = SEVEN_DAYS_SECONDS


# The next minute brings another sweep, so that an old one need not be kept.
SWEEP_TERMS = Terms(maximum_backoff_seconds=60.0, max_delivery_attempts=5, retention_seconds=600)


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic, the function that its messages are pushed to, and the pull subscription that keeps a copy.

    With `per_team`, each team has one more of it, `name.team`, pushed to the same function.
    """

    name: str
    function: str | None = None
    log: str | None = None
    per_team: bool = False
    terms: Terms = Terms()

    @property
    def push_subscription(self) -> str:
        return f"{self.name}-push"


DEAD_LETTERS = "dead-letters"

TOPICS = (
    Topic(name="job-requests", function="job_requested", per_team=True),
    Topic(name="job-commands", function="job_commanded", per_team=True),
    Topic(name="job-ended", function="job_ended"),
    Topic(name="sweeps", function="swept", terms=SWEEP_TERMS),
    Topic(name="job-outcomes", log="job-outcomes-log"),
    Topic(name=DEAD_LETTERS, log="dead-letters-log"),
)


def topics_for(teams: Sequence[str]) -> list[Topic]:
    """All topics of an installation with these teams."""
    of_teams = [
        replace(topic, name=f"{topic.name}.{team}") for topic in TOPICS if topic.per_team for team in teams
    ]
    return [*TOPICS, *of_teams]


def create_topology(
    project: str,
    pubsub_address: str,
    url_by_topic: Mapping[str, str],
    *,
    teams: Sequence[str] = (),
    adjust: Callable[[Terms], Terms] = lambda terms: terms,
) -> None:
    """Make every topic and subscription in a local Pub/Sub; what exists is kept, and pushed to the new URL.

    A topic is pushed to `{url}/projects/P/topics/T`, with the URL found under its name or, for a team's,
    under the name without the team; without a URL it has no push subscription.
    """
    if not project.startswith("demo-"):
        raise ValueError(f"a local project id begins with demo-, not {project}")
    topics = topics_for(teams)
    with _clients(pubsub_address) as (publisher, subscriber):
        for topic in topics:
            with contextlib.suppress(AlreadyExists):
                publisher.create_topic(name=topic_name(project, topic.name), timeout=CALL_TIMEOUT_SECONDS)
        for topic in topics:
            url = url_by_topic.get(topic.name) or url_by_topic.get(topic.name.partition(".")[0])
            if topic.function and url:
                _push(subscriber, push_settings(project, topic, url, terms=adjust(topic.terms)))
            if topic.log:
                _keep(subscriber, log_settings(project, topic))


def topic_name(project: str, topic: str) -> str:
    return f"projects/{project}/topics/{topic}"


def subscription_name(project: str, subscription: str) -> str:
    return f"projects/{project}/subscriptions/{subscription}"


def push_settings(project: str, topic: Topic, url: str, *, terms: Terms) -> Any:
    return types.Subscription(
        name=subscription_name(project, topic.push_subscription),
        topic=topic_name(project, topic.name),
        push_config=types.PushConfig(push_endpoint=f"{url.rstrip('/')}/{topic_name(project, topic.name)}"),
        ack_deadline_seconds=terms.ack_deadline_seconds,
        message_retention_duration=timedelta(seconds=terms.retention_seconds),
        retry_policy=types.RetryPolicy(
            minimum_backoff=timedelta(seconds=terms.minimum_backoff_seconds),
            maximum_backoff=timedelta(seconds=terms.maximum_backoff_seconds),
        ),
        dead_letter_policy=types.DeadLetterPolicy(
            dead_letter_topic=topic_name(project, DEAD_LETTERS),
            max_delivery_attempts=terms.max_delivery_attempts,
        ),
        expiration_policy=types.ExpirationPolicy(),
    )


def log_settings(project: str, topic: Topic) -> Any:
    assert topic.log is not None
    return types.Subscription(
        name=subscription_name(project, topic.log),
        topic=topic_name(project, topic.name),
        ack_deadline_seconds=60,
        message_retention_duration=timedelta(seconds=SEVEN_DAYS_SECONDS),
        expiration_policy=types.ExpirationPolicy(),
    )


def _push(subscriber: SubscriberClient, settings: Any) -> None:
    try:
        subscriber.create_subscription(request=settings, timeout=CALL_TIMEOUT_SECONDS)
    except AlreadyExists:
        subscriber.modify_push_config(
            subscription=settings.name, push_config=settings.push_config, timeout=CALL_TIMEOUT_SECONDS
        )


def _keep(subscriber: SubscriberClient, settings: Any) -> None:
    with contextlib.suppress(AlreadyExists):
        subscriber.create_subscription(request=settings, timeout=CALL_TIMEOUT_SECONDS)


@contextlib.contextmanager
def _clients(address: str) -> Iterator[tuple[PublisherClient, SubscriberClient]]:
    with grpc.insecure_channel(address) as channel:
        yield (
            PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
            SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)),
        )
