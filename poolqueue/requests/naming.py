"""Names that requests and commands carry: job ids, persistent resources."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

ID_RULE = "[a-z0-9][a-z0-9_-]{0,62}"

JOB_RULE = rf"{ID_RULE}(?:\.(?:0|[1-9][0-9]{{0,3}}))?"

_ID = re.compile(ID_RULE)
_JOB = re.compile(JOB_RULE)
_RESOURCE_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RESOURCE_NAME = re.compile(
    r"projects/(?P<project>[a-z0-9][a-z0-9.:-]{0,99})"
    r"/locations/(?P<location>[a-z][a-z0-9-]{0,39})"
    r"/persistentResources/(?P<id>[^/]*)"
)


def is_id(given: object) -> bool:
    """Whether `given` may be a job's or a command's id."""
    return isinstance(given, str) and _ID.fullmatch(given) is not None


def is_job(given: object) -> bool:
    """Whether `given` may name a job that is there: a publisher's id, or that of a member of an array."""
    return isinstance(given, str) and _JOB.fullmatch(given) is not None


def derived_job_id(topic: str, message_id: str, publish_time: datetime) -> str:
    """The job id of a message that names none: the same for every delivery of that message.

    A publisher's own retry is another message and gets another id.
    """
    published = publish_time.astimezone(UTC)
    unique = f"{topic}\n{message_id}\n{published.isoformat()}"
    return f"{published:%Y%m%d-%H%M%S}-{hashlib.sha256(unique.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, kw_only=True)
class ResourceName:
    """A persistent resource; `project` and `location` are None when only its id was given."""

    id: str
    project: str | None = None
    location: str | None = None

    @property
    def full(self) -> str:
        return f"projects/{self.project}/locations/{self.location}/persistentResources/{self.id}"


def resource_name(given: str) -> ResourceName | None:
    """The persistent resource that `given` names, by its id or in full; None when it names none."""
    full = _RESOURCE_NAME.fullmatch(given)
    name = full.group("id") if full else given
    if _RESOURCE_ID.fullmatch(name) is None:
        return None
    if full is None:
        return ResourceName(id=name)
    return ResourceName(id=name, project=full.group("project"), location=full.group("location"))
