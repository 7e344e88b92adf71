"""What an ended custom job means for its job: Vertex AI's state, error code and text read as one value."""

from __future__ import annotations

import re
from enum import StrEnum

from poolqueue.scheduling.jobs import Outcome

# google.rpc.Code
_DEADLINE_EXCEEDED, _RESOURCE_EXHAUSTED, _INTERNAL, _UNAVAILABLE = 4, 8, 13, 14

# Texts of docs.cloud.google.com, "Understand the custom training service", and of users' reports.
_NO_CAPACITY = re.compile(
    r"resources are insufficient|insufficient (?:resources|replicas|capacity)|quota metrics? exceed",
    re.IGNORECASE,
)
_OUT_OF_MEMORY = re.compile(r"out of memory|low on memory", re.IGNORECASE)
_OF_THE_SERVICE = re.compile(r"internal error occurred", re.IGNORECASE)
_TIMED_OUT = re.compile(
    r"\b(?:job|execution|training)\b.{0,40}\b(?:timed out|timeout|time limit)", re.IGNORECASE
)


class Ending(StrEnum):
    """How one attempt's custom job ended."""

    SUCCEEDED = "succeeded"
    PARTIALLY_SUCCEEDED = "partially_succeeded"  # the job succeeded; its history notes that it was in part
    FAILED = "failed"  # by its own fault; charged as an attempt
    CANCELLED = (
        "cancelled"  # ours if we asked, else somebody else's, or with its persistent resource's deletion
    )
    EXPIRED = "expired"  # ended at scheduling.timeout
    CAPACITY = "capacity"  # accepted, then failed before it ran, for lack of replicas: requeue it uncharged
    INFRASTRUCTURE = "infrastructure"  # failed by Vertex AI's fault; a retry counts as an attempt


OUTCOMES: dict[Ending, Outcome | None] = {
    Ending.SUCCEEDED: Outcome.SUCCEEDED,
    Ending.PARTIALLY_SUCCEEDED: Outcome.SUCCEEDED,
    Ending.FAILED: Outcome.FAILED,
    Ending.CANCELLED: Outcome.CANCELLED,
    Ending.EXPIRED: Outcome.EXPIRED,
    Ending.CAPACITY: None,
    Ending.INFRASTRUCTURE: Outcome.FAILED,
}
"""The outcome of a job whose attempt ended so, if it is not tried again; None: it always is (requeued)."""

ENDINGS_BY_ITSELF = frozenset({Ending.SUCCEEDED, Ending.PARTIALLY_SUCCEEDED, Ending.FAILED})
"""After these it is known how long the attempt took; after others only that it would have taken longer."""


def ending_of(state: str, error_code: int | None, error: str | None, *, ran: bool) -> Ending | None:
    """How a custom job in `state` ended; None while it has not.

    `state` is Vertex AI's JobState without its prefix; `ran` says whether it has a start time. PAUSED is no
    end: nothing says that a paused custom job gives its replicas back, so it keeps its reservation, and the
    sweep treats it as one that never gets to run (cancelled after `max_pending`, then requeued).
    """
    match state:
        case "SUCCEEDED":
            return Ending.SUCCEEDED
        case "PARTIALLY_SUCCEEDED":
            return Ending.PARTIALLY_SUCCEEDED
        case "EXPIRED":
            return Ending.EXPIRED
        case "CANCELLED":
            return Ending.EXPIRED if _timed_out(error_code, error or "") else Ending.CANCELLED
        case "FAILED":
            return _failure(error_code, error or "", ran=ran)
        case _:
            return None


def _failure(error_code: int | None, error: str, *, ran: bool) -> Ending:
    if _timed_out(error_code, error):
        return Ending.EXPIRED
    if _OUT_OF_MEMORY.search(error):  # RESOURCE_EXHAUSTED too, for all we know, but of the job's own machine
        return Ending.FAILED
    if _NO_CAPACITY.search(error) or (error_code == _RESOURCE_EXHAUSTED and not ran):
        return Ending.INFRASTRUCTURE if ran else Ending.CAPACITY
    if error_code in {_INTERNAL, _UNAVAILABLE} or _OF_THE_SERVICE.search(error):
        return Ending.INFRASTRUCTURE
    return Ending.FAILED


def _timed_out(error_code: int | None, error: str) -> bool:
    """Which state and error a custom job has at its timeout is not documented: any of these will do."""
    return error_code == _DEADLINE_EXCEEDED or bool(_TIMED_OUT.search(error))
