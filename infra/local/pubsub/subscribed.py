"""One subscription: its settings, what they default to and may become, its backlog and its pusher."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.pubsub_v1 import types

from infra.local.pubsub import limits
from infra.local.pubsub.backlog import Backlog, Lease, Redelivery
from infra.local.pubsub.filters import parse_filter
from infra.local.pubsub.push import Pusher

DEFAULT_ACK_DEADLINE_SECONDS = 10
DEFAULT_DELIVERY_ATTEMPTS = 5
DEFAULT_BACKOFF_SECONDS = (10.0, 600.0)
# Without a retry policy production redelivers at once, but slows down pushes to an endpoint that fails.
PUSH_BACKOFF_SECONDS = (0.1, 60.0)
UPDATABLE = frozenset(
    {
        "ack_deadline_seconds",
        "dead_letter_policy",
        "expiration_policy",
        "labels",
        "message_retention_duration",
        "push_config",
        "retain_acked_messages",
        "retry_policy",
    }
)

Settings = types.Subscription.pb()
PubsubMessage = types.PubsubMessage.pb()
ReceivedMessage = types.ReceivedMessage.pb()


class Subscribed:
    """A subscription at work. `bury(settings, message, attempts)` publishes to its dead-letter topic."""

    def __init__(
        self, settings: Any, *, bury: Callable[[Any, Any, int], bool], push_concurrency: int
    ) -> None:
        self.settings = settings
        self.accepts = parse_filter(settings.filter)
        self.backlog = Backlog(
            _redelivery(settings),
            ordered=settings.enable_message_ordering,
            bury=lambda message, attempts: bury(self.settings, message, attempts),
        )
        self._push_concurrency = push_concurrency
        self._pusher: Pusher | None = None
        self._match_pusher()

    @property
    def is_pushed(self) -> bool:
        return self._pusher is not None

    def apply(self, settings: Any) -> None:
        self.settings = settings
        self.backlog.redelivery = _redelivery(settings)
        self._match_pusher()

    def close(self) -> None:
        self.backlog.close()

    def _match_pusher(self) -> None:
        pushes = bool(self.settings.push_config.push_endpoint)
        if pushes and self._pusher is None:
            self._pusher = Pusher(lambda: self.settings, self.backlog, concurrency=self._push_concurrency)
        elif not pushes and self._pusher is not None:
            self._pusher.stop()
            self._pusher = None


def settings_with_defaults(request: Any) -> Any:
    settings = Settings()
    settings.CopyFrom(request)
    settings.ack_deadline_seconds = settings.ack_deadline_seconds or DEFAULT_ACK_DEADLINE_SECONDS
    policy = settings.dead_letter_policy
    if policy.dead_letter_topic and not policy.max_delivery_attempts:
        policy.max_delivery_attempts = DEFAULT_DELIVERY_ATTEMPTS
    settings.state = types.Subscription.State.ACTIVE
    return settings


def changed_settings(settings: Any, request: Any) -> Any:
    """What `request`, an UpdateSubscriptionRequest, makes of `settings`. Raises `Refusal`."""
    paths = {path.partition(".")[0] for path in request.update_mask.paths}
    if not paths or not paths <= UPDATABLE:
        raise limits.invalid(f"update_mask may name {', '.join(sorted(UPDATABLE))}")
    changed = Settings()
    changed.CopyFrom(settings)
    for path in paths:
        changed.ClearField(path)
    kept = Settings()
    kept.CopyFrom(request.subscription)
    for name in set(kept.DESCRIPTOR.fields_by_name) - paths:
        kept.ClearField(name)
    changed.MergeFrom(kept)
    return settings_with_defaults(changed)


def received_message(settings: Any, lease: Lease) -> Any:
    """A pulled delivery; attempts are counted only with a dead letter policy, as in production."""
    counted = bool(settings.dead_letter_policy.dead_letter_topic)
    attempt = lease.attempt if counted else 0
    return ReceivedMessage(ack_id=lease.ack_id, message=lease.message, delivery_attempt=attempt)


def dead_letter(settings: Any, message: Any, attempts: int) -> Any:
    _, project, _, subscription = settings.name.split("/")
    dead = PubsubMessage(data=message.data, ordering_key=message.ordering_key)
    dead.attributes.update(message.attributes)
    dead.attributes.update(
        {
            "CloudPubSubDeadLetterSourceDeliveryCount": str(attempts),
            "CloudPubSubDeadLetterSourceSubscription": subscription,
            "CloudPubSubDeadLetterSourceSubscriptionProject": project,
            "CloudPubSubDeadLetterSourceTopicPublishTime": message.publish_time.ToJsonString(),
        }
    )
    return dead


def _redelivery(settings: Any) -> Redelivery:
    minimum, maximum = _backoff_seconds(settings)
    last = settings.dead_letter_policy.max_delivery_attempts or None
    return Redelivery(minimum_seconds=minimum, maximum_seconds=maximum, max_attempts=last)


def _backoff_seconds(settings: Any) -> tuple[float, float]:
    if not settings.HasField("retry_policy"):
        return PUSH_BACKOFF_SECONDS if settings.push_config.push_endpoint else (0.0, 0.0)
    policy = settings.retry_policy
    minimum, maximum = DEFAULT_BACKOFF_SECONDS
    if policy.HasField("minimum_backoff"):
        minimum = policy.minimum_backoff.ToTimedelta().total_seconds()
    if policy.HasField("maximum_backoff"):
        maximum = policy.maximum_backoff.ToTimedelta().total_seconds()
    return minimum, max(minimum, maximum)
