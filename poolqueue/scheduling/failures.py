"""An attempt that ended badly: with which exit codes and error, and whether it counts against its job."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

MOST_EXIT_CODES = 10
KEPT_CHARACTERS = 300

# "The replica workerpool0-0 exited with a non-zero status of 1." is documented; users also report
# "... ran out-of-memory and exited with a non-zero status of 9(SIGKILL)".
EXITED = re.compile(
    r"\bexited with a non-zero status(?: code)?(?: of)? (\d{1,5})(?: ?\((SIG[A-Z0-9]{1,9})\))?", re.IGNORECASE
)
_SIGNAL_EXIT = 128

ERROR_CLASSES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""The names of google.rpc.Code, each at its number."""


class BadEnd(StrEnum):
    """The outcome that the job would have if its attempt were not followed by another."""

    FAILED = "failed"
    EXPIRED = "expired"  # at its own timeout
    REJECTED = "rejected"  # Vertex AI refused the create call for good


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How the attempt of that number ended badly.

    `exit_codes` are those of its replicas' programs, a signal's as shells tell it (SIGKILL is 137);
    `error_class` is the name of the error's google.rpc.Code, None where it only repeats that a program ended
    so. `is_charged`: it counts as one of the attempts that the job may have. `rule`: the rule of the job's
    retries that said what comes next, from 1 on.
    """

    attempt: int
    end: BadEnd
    exit_codes: tuple[int, ...] = ()
    error_class: str | None = None
    error: str | None = None
    is_charged: bool = True
    rule: int | None = None

    def kept(self) -> Failure:
        """As the job keeps it: with the beginning of the error."""
        return self if self.error is None else replace(self, error=self.error[:KEPT_CHARACTERS])


def failure_of(
    attempt: int, end: BadEnd, *, error_code: int | None, error: str | None, is_charged: bool = True
) -> Failure:
    """The failure of an attempt whose custom job has this error."""
    codes = exit_codes_of(error)
    return Failure(
        attempt=attempt,
        end=end,
        exit_codes=codes,
        error_class=None if codes else _class_of(error_code),
        error=error,
        is_charged=is_charged,
    )


def refused_failure(attempt: int, *, error_class: str | None, error: str) -> Failure:
    """The failure of an attempt that Vertex AI refused to begin."""
    return Failure(attempt=attempt, end=BadEnd.REJECTED, error_class=error_class, error=error)


def exit_codes_of(error: str | None) -> tuple[int, ...]:
    """Those that an error text tells, each once; of several replicas each may have its own.

    What a program printed may be part of the text: it can only choose among the rules of its own job.
    """
    found = (_exit_code(int(code), signal) for code, signal in EXITED.findall(error or ""))
    return tuple(dict.fromkeys(found))[:MOST_EXIT_CODES]


def _exit_code(number: int, signal: str) -> int:
    return number + _SIGNAL_EXIT if signal and number < _SIGNAL_EXIT else number


def _class_of(code: int | None) -> str | None:
    """A program's exit comes with INVALID_ARGUMENT, as users report: so the class of those says nothing."""
    return ERROR_CLASSES[code] if code is not None and 0 < code < len(ERROR_CLASSES) else None
