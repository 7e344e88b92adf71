"""What a job asks of another one before it may start."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class After(StrEnum):
    """What must have become of the other job. Whatever is no success is a failure."""

    SUCCESS = "success"
    FAILURE = "failure"
    END = "end"


class OnFailed(StrEnum):
    """What becomes of a job when one that it waits for ends otherwise."""

    END = "end"
    RELEASE = "release"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependency:
    """The job of this id, of the same team, must have ended so."""

    job_id: str
    after: After = After.SUCCESS
