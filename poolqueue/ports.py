"""What handlers, the admission cycle and the sweep need from outside, as small Protocols and plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

# --- documents -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Document:
    """One document as it was read.

    `path` is `collection/id`. `fields` is None and `version` is None when there is no such document.
    `version` is opaque: it is only handed back as a precondition.
    """

    path: str
    fields: Mapping[str, Any] | None = None
    version: object | None = None

    @property
    def exists(self) -> bool:
        return self.fields is not None

    def written(self, fields: Mapping[str, Any]) -> Create | Replace:
        """The write of these fields, on the condition that the document is still as it was read."""
        if self.exists:
            return Replace(path=self.path, fields=fields, version=self.version)
        return Create(path=self.path, fields=fields)


@dataclass(frozen=True, kw_only=True)
class Create:
    """Write a document that must not exist yet."""

    path: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Replace:
    """Write a whole document, on the condition that it is still at `version`."""

    path: str
    fields: Mapping[str, Any]
    version: object


@dataclass(frozen=True, kw_only=True)
class Delete:
    """Remove a document, on the condition that it is still at `version`."""

    path: str
    version: object


Write = Create | Replace | Delete


@dataclass(frozen=True, kw_only=True)
class Query:
    """One query shape: equality on `where`, at most `limit` results, only the fields in `select` if given.

    `newest_first` names a field to order by, descending; documents without the field are not found. With
    `until` only those are whose field is at most that, and of its type: where the page before ended.
    """

    collection: str
    where: Mapping[str, Any] = field(default_factory=dict)
    newest_first: str | None = None
    until: datetime | None = None
    select: tuple[str, ...] | None = None
    limit: int = 100


class Conflict(Exception):
    """A precondition of a commit did not hold and nothing was written. Read again and decide again."""


class StoreUnavailable(Exception):
    """The store did not answer in time, repeatedly. What was to be committed may or may not have been:
    let the invocation end and the message come again.
    """


class Documents(Protocol):
    """The store: strongly consistent reads, atomic compare-and-set commits."""

    def read(self, paths: Sequence[str]) -> list[Document]:
        """The documents at `paths`, in that order; one round trip, one read each."""
        ...

    def find(self, query: Query) -> list[Document]: ...

    def commit(self, writes: Sequence[Write]) -> list[object]:
        """Write all or nothing; the new versions, in the order of `writes` (None for a delete).

        Raises `Conflict` when a precondition did not hold. A commit whose answer was lost is settled inside,
        by an owner's token in the documents written: it either returns or raises `Conflict`, truthfully.
        Only when the store stays silent is it not: then it raises `StoreUnavailable`.
        """
        ...


# --- messages --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message to publish; `topic` is a full name, `projects/P/topics/T`."""

    topic: str
    body: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes, as Pub/Sub counts them against its limits."""
        return len(self.body) + sum(len(k.encode()) + len(v.encode()) for k, v in self.attributes.items())


class PublishFailed(Exception):
    """Pub/Sub did not accept a message in time, or refused it; some may be published all the same."""


class Publisher(Protocol):
    """Both return when every message is accepted, and raise `PublishFailed` otherwise."""

    def publish(self, topic: str, body: bytes, attributes: Mapping[str, str]) -> str:
        """Publish one message to `topic`, a full name `projects/P/topics/T`; the message's id."""
        ...

    def publish_all(self, messages: Sequence[Message]) -> None:
        """Publish several messages, to any topics, with as few calls as possible."""
        ...


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """One message that was pulled; `ack_id` settles this delivery of it."""

    ack_id: str
    body: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)


class PullFailed(Exception):
    """Pub/Sub did not hand out messages, or did not take their acknowledgement: ask again later."""


class Subscription(Protocol):
    """A pull subscription. Both raise `PullFailed`."""

    def pull(self, *, wait_seconds: float) -> Sequence[Pulled]:
        """The messages that are there, waiting for a first one for so long; perhaps none."""
        ...

    def acknowledge(self, ack_ids: Sequence[str]) -> None: ...


# --- Vertex AI -------------------------------------------------------------------------------------------


# Labels on every custom job that we create; nothing else tells ours from others'.
INSTALLATION_LABEL = "pool_queue_installation"
TOKEN_LABEL = "pool_queue_token"  # noqa: S105  the name of a label
TEAM_LABEL = "pool_queue_team"
JOB_LABEL = "pool_queue_job"
MEMBER_LABEL = "pool_queue_member"  # of an array, whose id JOB_LABEL has then


def labelled_job_id(labels: Mapping[str, str]) -> str:
    """The id of our job that a custom job with these labels belongs to."""
    job_id, member = labels.get(JOB_LABEL, ""), labels.get(MEMBER_LABEL)
    return job_id if member is None else f"{job_id}.{member}"


class CustomJobState(StrEnum):
    """Vertex AI's JobState, without its prefix `JOB_STATE_`."""

    UNSPECIFIED = "UNSPECIFIED"
    QUEUED = "QUEUED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    PAUSED = "PAUSED"
    EXPIRED = "EXPIRED"
    UPDATING = "UPDATING"
    PARTIALLY_SUCCEEDED = "PARTIALLY_SUCCEEDED"


TERMINAL = frozenset(
    {
        CustomJobState.SUCCEEDED,
        CustomJobState.FAILED,
        CustomJobState.CANCELLED,
        CustomJobState.EXPIRED,
        CustomJobState.PARTIALLY_SUCCEEDED,
    }
)


@dataclass(frozen=True, kw_only=True)
class CustomJob:
    """A custom job as Vertex AI shows it. `demands` are `(machine, disk, replicas)` per worker pool spec,
    machine and disk as canonical JSON strings (`poolqueue.scheduling.pools`), disk None when not given.
    """

    name: str
    state: CustomJobState
    display_name: str = ""
    persistent_resource: str | None = None  # the short id
    labels: Mapping[str, str] = field(default_factory=dict)
    demands: tuple[tuple[str, str | None, int], ...] = ()
    created: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    error_code: int | None = None
    error: str | None = None

    @property
    def number(self) -> str:
        return self.name.rsplit("/", 1)[-1]

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL


class RefusalKind(StrEnum):
    """Why Vertex AI refused a call, as far as that can be told from the answer."""

    TERMINAL = "terminal"  # this request will never be accepted
    NOT_READY = "not_ready"  # the persistent resource is not RUNNING, or does not exist
    CAPACITY = "capacity"  # too few free replicas
    QUOTA = "quota"  # a training quota is used up
    RATE = "rate"  # too many requests this minute


@dataclass(frozen=True, kw_only=True)
class Created:
    custom_job: CustomJob


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Vertex AI answered, and the call had no effect. `error_class`: the name of the answer's
    google.rpc.Code, if it has one.
    """

    kind: RefusalKind
    message: str
    error_class: str | None = None


@dataclass(frozen=True, kw_only=True)
class Unanswered:
    """No trustworthy answer: the call may or may not have had its effect."""

    message: str


class Submitter(Protocol):
    def create(
        self, parent: str, custom_job: Mapping[str, Any], *, timeout_seconds: float
    ) -> Created | Refused | Unanswered:
        """One CreateCustomJob call, never repeated inside. `parent` is `projects/P/locations/L`;
        `custom_job` is the REST body in camelCase.
        """
        ...

    def cancel(self, name: str) -> bool:
        """Ask to cancel; True when Vertex AI took it, False when there is no such custom job or it has ended.
        Raises `VertexUnavailable` when there is no answer.
        """
        ...


class VertexUnavailable(Exception):
    """Vertex AI did not answer a read or a cancel in time, or refused it for now; try again later."""


class ResourceState(StrEnum):
    """State of a persistent resource; MISSING when Vertex AI knows none of that name."""

    PROVISIONING = "PROVISIONING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    ERROR = "ERROR"
    REBOOTING = "REBOOTING"
    UPDATING = "UPDATING"
    MISSING = "MISSING"


@dataclass(frozen=True, kw_only=True)
class ResourcePool:
    """One resource pool. `machine` and `disk` are canonical JSON strings; `capacity` is `max_replica_count`
    with autoscaling, else `replica_count`; `used` is `used_replica_count`.
    """

    id: str
    machine: str
    disk: str
    capacity: int
    used: int


@dataclass(frozen=True, kw_only=True)
class ResourceView:
    state: ResourceState
    created: datetime | None = None
    pools: tuple[ResourcePool, ...] = ()
    error: str | None = None


class Observer(Protocol):
    """Reads of Vertex AI. Each call has a timeout and raises `VertexUnavailable` instead of hanging."""

    def custom_job(self, name: str) -> CustomJob | None:
        """The custom job of that full name; None when there is none."""
        ...

    def unfinished(self, parent: str) -> list[CustomJob]:
        """All custom jobs of a project and region that are not terminal: one listing, all its pages."""
        ...

    def by_token(self, parent: str, token: str) -> list[CustomJob]:
        """All custom jobs of a project and region, ended ones too, that carry this submission token."""
        ...

    def resource(self, name: str) -> ResourceView:
        """The persistent resource of that full name; state MISSING when there is none."""
        ...


# --- Cloud Logging ---------------------------------------------------------------------------------------

SERVICE = "service"


@dataclass(frozen=True, kw_only=True)
class LogEntry:
    """One entry of a custom job's log. `writer` is the replica that wrote it, such as `workerpool0-0`, or
    `service`: Vertex AI itself. `severity` is Cloud Logging's word. `text` may hold anything.
    """

    id: str
    at: datetime
    severity: str
    writer: str
    text: str


@dataclass(frozen=True, kw_only=True)
class LogEntries:
    """The oldest first. `are_all`: there were no more to be had."""

    each: tuple[LogEntry, ...] = ()
    are_all: bool = True


class LogsUnavailable(Exception):
    """Cloud Logging did not answer in time, or refused it."""


class Logs(Protocol):
    """What custom jobs, by their full names, wrote from `since` on. Both raise `LogsUnavailable`."""

    def latest(self, custom_job: str, *, since: datetime, limit: int) -> LogEntries:
        """The latest entries, at most so many."""
        ...

    def earliest(self, custom_job: str, *, since: datetime, limit: int) -> LogEntries:
        """The first entries, at most so many."""
        ...
