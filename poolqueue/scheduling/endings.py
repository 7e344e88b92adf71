"""What an ended custom job means for its job: Vertex AI's state, error code and text read as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from poolqueue.scheduling.failures import EXITED
from poolqueue.scheduling.jobs import Outcome

# google.rpc.Code
_DEADLINE_EXCEEDED, _RESOURCE_EXHAUSTED, _INTERNAL, _UNAVAILABLE = 4, 8, 13, 14


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
    INFRASTRUCTURE = "infrastructure"  # failed by Vertex AI's fault: tried again uncharged, a few times


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


class Certainty(StrEnum):
    """How we know what a sign means."""

    DOCUMENTED = "documented"  # docs.cloud.google.com, "Understand the custom training service"
    REPORTED = "reported"  # users have shown it
    ASSUMED = "assumed"  # by what its name means; nobody is known to have seen it


@dataclass(frozen=True, kw_only=True)
class Sign:
    """What a failed custom job shows: by its error's text, or code; and, if that matters, whether it ran."""

    ending: Ending
    certainty: Certainty
    text: re.Pattern[str] | None = None
    codes: frozenset[int] = frozenset()
    ran: bool | None = None

    def shows(self, error_code: int | None, error: str, *, ran: bool) -> bool:
        if self.ran is not None and self.ran is not ran:
            return False
        return error_code in self.codes if self.text is None else bool(self.text.search(error))


def _text(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_TIMED_OUT = _text(r"\b(?:job|execution|training)\b.{0,40}\b(?:timed out|timeout|time limit)")
_STOCKOUT = _text(r"resources are insufficient")
_QUOTA = _text(r"quota metrics? exceed")
_NO_ROOM = _text(r"insufficient (?:resources|replicas|capacity)")

SIGNS = (
    Sign(ending=Ending.EXPIRED, certainty=Certainty.ASSUMED, codes=frozenset({_DEADLINE_EXCEEDED})),
    # What a program printed may follow its exit code in the text: nothing in there is evidence.
    Sign(ending=Ending.FAILED, certainty=Certainty.DOCUMENTED, text=EXITED),
    # RESOURCE_EXHAUSTED too, for all we know, but of the job's own machine.
    Sign(ending=Ending.FAILED, certainty=Certainty.DOCUMENTED, text=_text(r"out[- ]of[- ]memory")),
    Sign(ending=Ending.FAILED, certainty=Certainty.REPORTED, text=_text(r"low on memory")),
    Sign(ending=Ending.EXPIRED, certainty=Certainty.ASSUMED, text=_TIMED_OUT),
    Sign(ending=Ending.CAPACITY, certainty=Certainty.DOCUMENTED, text=_STOCKOUT, ran=False),
    Sign(ending=Ending.CAPACITY, certainty=Certainty.REPORTED, text=_QUOTA, ran=False),
    Sign(ending=Ending.CAPACITY, certainty=Certainty.ASSUMED, text=_NO_ROOM, ran=False),
    Sign(
        ending=Ending.CAPACITY,
        certainty=Certainty.ASSUMED,
        codes=frozenset({_RESOURCE_EXHAUSTED}),
        ran=False,
    ),
    Sign(ending=Ending.INFRASTRUCTURE, certainty=Certainty.DOCUMENTED, text=_STOCKOUT),
    Sign(ending=Ending.INFRASTRUCTURE, certainty=Certainty.ASSUMED, text=_QUOTA),
    Sign(ending=Ending.INFRASTRUCTURE, certainty=Certainty.ASSUMED, text=_NO_ROOM),
    Sign(
        ending=Ending.INFRASTRUCTURE, certainty=Certainty.DOCUMENTED, text=_text(r"internal error occurred")
    ),
    Sign(
        ending=Ending.INFRASTRUCTURE, certainty=Certainty.ASSUMED, codes=frozenset({_INTERNAL, _UNAVAILABLE})
    ),
)
"""What a FAILED custom job's error means: the first that shows decides, and without any it failed by its own
fault. Vertex AI has restarted a worker five times and the job three times before it calls a program's exit an
end, and tried three times before an internal error or a stockout is one.
"""


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
    signs = (sign for sign in SIGNS if sign.shows(error_code, error, ran=ran))
    return next((sign.ending for sign in signs), Ending.FAILED)


def _timed_out(error_code: int | None, error: str) -> bool:
    """Which state and error a custom job has at its timeout is not documented: any of these will do."""
    return error_code == _DEADLINE_EXCEEDED or bool(_TIMED_OUT.search(error))
