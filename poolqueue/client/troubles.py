"""Words trouble with Google Cloud for a publisher: what is wrong, and whom to ask for what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from poolqueue import wiring
from poolqueue.client.errors import NotPublished, NotReadable
from poolqueue.client.place import Place
from poolqueue.ports import PublishFailed, PullFailed, StoreUnavailable

NO_CREDENTIALS = (
    "no credentials that Google Cloud accepts: run `gcloud auth application-default login`, or use a service "
    "account's"
)
_PASSING = (None, "silent")


@contextmanager
def publishing(place: Place, topic: str) -> Iterator[None]:
    """Raises `NotPublished` for what goes wrong at Pub/Sub."""
    try:
        yield
    except Exception as error:
        fault = wiring.fault_of(error)
        if fault is None and not isinstance(error, PublishFailed):
            raise
        raise NotPublished(f"not published to {topic}: {_unpublished(place, fault, error)}") from error


@contextmanager
def reading(place: Place) -> Iterator[None]:
    """Raises `NotReadable` for what goes wrong at Firestore."""
    try:
        yield
    except Exception as error:
        fault = wiring.fault_of(error)
        if fault is None and not isinstance(error, StoreUnavailable):
            raise
        raise NotReadable(_unreadable(place, fault, error), may_pass=fault in _PASSING) from error


@contextmanager
def pulling(place: Place, subscription: str) -> Iterator[None]:
    """Raises `NotReadable` for what goes wrong at a subscription."""
    try:
        yield
    except PullFailed as error:
        fault = wiring.fault_of(error)
        told = f"cannot read {subscription}: {_unpullable(place, fault, error)}"
        raise NotReadable(told, may_pass=fault in _PASSING) from error


def _unpublished(place: Place, fault: str | None, error: Exception) -> str:
    match fault:
        case "no_credentials" | "bad_credentials":
            return NO_CREDENTIALS
        case "forbidden":
            return "it is not allowed: ask for roles/pubsub.publisher on the topic"
        case "missing":
            return "there is no such topic: name the team's request topic with topic=..."
        case "refused":
            return f"Pub/Sub refuses it: {error.__cause__ or error}"
        case _:
            silent = _silent("Pub/Sub", place.environment.pubsub_emulator_host)
            return (
                f"{silent}. It may be published all the same: enqueue it again with the same job_id, and it "
                "is one job"
            )


def _unreadable(place: Place, fault: str | None, error: Exception) -> str:
    database = place.environment.database
    match fault:
        case "no_credentials" | "bad_credentials":
            return NO_CREDENTIALS
        case "forbidden":
            return (
                f"Firestore may not be read in project {place.project}: ask for roles/datastore.viewer on "
                f"the database {database}, or wait by a subscription: outcomes=..."
            )
        case "missing":
            return (
                f"project {place.project} has no Firestore database {database}: name it with database=... or "
                "POOL_QUEUE_DATABASE"
            )
        case "refused":
            return f"Firestore refuses it: {error.__cause__ or error}"
        case _:
            return _silent("Firestore", place.environment.firestore_emulator_host)


def _unpullable(place: Place, fault: str | None, error: Exception) -> str:
    match fault:
        case "no_credentials" | "bad_credentials":
            return NO_CREDENTIALS
        case "forbidden":
            return "it is not allowed: ask for roles/pubsub.subscriber on the subscription"
        case "missing":
            return "there is no such subscription: make it before you enqueue, as docs/outcomes.md shows"
        case "refused":
            return f"Pub/Sub refuses it: {error.__cause__ or error}"
        case _:
            return _silent("Pub/Sub", place.environment.pubsub_emulator_host)


def _silent(service: str, emulator: str | None) -> str:
    where = f" at {emulator}: start it, or correct its variable" if emulator else ": look at the network"
    return f"{service} does not answer{where}"
