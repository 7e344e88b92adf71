"""How a call can fail, and what a create's error answer means; docs/decisions/vertex-errors.md says why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from poolqueue.ports import RefusalKind, Refused, Unanswered

MESSAGE_LIMIT = 2_000

_CLIENT_CLOSED_REQUEST = 499
_INTERRUPTIONS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, _CLIENT_CLOSED_REQUEST}

_RESOURCE = re.compile(r"persistent[ _]?resource", re.IGNORECASE)
_NOT_READY = re.compile(
    r"not (?:yet |currently )?(?:running|ready|active|available|found)|unavailable"
    r"|does not exist|no longer exists"
    r"|\b(?-i:PROVISIONING|STOPPING|REBOOTING|UPDATING|ERROR)\b"
    r"|(?:is|being) (?:provision|creat|reboot|updat|delet|stopp)\w*",
    re.IGNORECASE,
)
_MISMATCH = re.compile(r"match|machine_?spec|disk_?spec|network|encryption|service_?account", re.IGNORECASE)
_OTHER_THING_MISSING = re.compile(
    r"service[ _]?account|tensorboard|network|cryptoKey|experiment|\bimage\b|bucket|reservation",
    re.IGNORECASE,
)
_FULL_NAME = re.compile(r"projects/[^\s'\"`,;]+")
_QUOTED = re.compile(r"\"[^\"/]*\"|`[^`/]*`|(?<!\w)'[^'/]*'")
_RESOURCE_ID = re.compile(
    r"(persistent ?resource) (?!is\b|does\b|was\b|has\b|not\b)[a-z][a-z0-9-]*(?= (?:is|does|was|has|not)\b)",
    re.IGNORECASE,
)
# A refusal for everybody: the project, not the job, is what must change.
_PROJECT_WIDE = {"SERVICE_DISABLED", "BILLING_DISABLED", "CONSUMER_INVALID", "CONSUMER_SUSPENDED"}
_CREATE_DENIED = re.compile(r"aiplatform\.customJobs\.create", re.IGNORECASE)
_REQUEST_RATE = re.compile(
    r"per minute|job_or_lro_submission|request(?:s)? (?:rate|per)|rate limit", re.IGNORECASE
)
_TRAINING_QUOTA = re.compile(r"quota metrics? exceed|custom_model_training|quota.*exceeded", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ErrorAnswer:
    """An error answer as it came: HTTP status, message and details of the body, gRPC status name if any."""

    http_status: int
    message: str
    details: tuple[Mapping[str, Any], ...] = ()
    status: str = ""

    @property
    def reasons(self) -> frozenset[str]:
        """The `reason`s of the answer's google.rpc.ErrorInfo."""
        return frozenset(str(d["reason"]) for d in self.details if "reason" in d)

    def __str__(self) -> str:
        code = f"{self.http_status} {self.status}".rstrip()
        return f"{code}: {self.message}"[:MESSAGE_LIMIT]


class NotSendable(Exception):
    """The body is not a CustomJob that this client knows; nothing was sent."""


class NoCredentials(Exception):
    """There are no valid credentials; the call had no effect."""


class NoAnswer(Exception):
    """No answer, or none that can be read; the call may have had its effect."""


class AnsweredWithError(Exception):
    def __init__(self, answer: ErrorAnswer) -> None:
        super().__init__(str(answer))
        self.answer = answer


def classify(
    http_status: int, message: str, details: Iterable[Mapping[str, Any]] = (), status: str = ""
) -> Refused | Unanswered:
    """What an error answer to a create call means: refused without effect, or not known to have had none."""
    answer = ErrorAnswer(http_status=http_status, message=message, details=tuple(details), status=status)
    for applies, kind in _TABLE:
        if applies(answer):
            return _refused(kind, answer) if kind else Unanswered(message=str(answer))
    return _refused(RefusalKind.TERMINAL, answer)


def _refused(kind: RefusalKind, answer: ErrorAnswer) -> Refused:
    return Refused(kind=kind, message=str(answer), error_class=answer.status or None)


def _without_trust(answer: ErrorAnswer) -> bool:
    """5xx, and the 4xx that tell of an interruption instead of a judgement: the create may have happened."""
    return answer.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.http_status in _INTERRUPTIONS


def _is(http_status: int, text: re.Pattern[str] | None = None) -> Callable[[ErrorAnswer], bool]:
    return lambda answer: (
        answer.http_status == http_status and (text is None or bool(text.search(answer.message)))
    )


def _resource_not_ready(answer: ErrorAnswer) -> bool:
    text = _without_names(answer.message)
    tells = bool(_RESOURCE.search(text) and _NOT_READY.search(text))
    return _is(HTTPStatus.BAD_REQUEST)(answer) and tells and not _MISMATCH.search(text)


def _request_rate(answer: ErrorAnswer) -> bool:
    return _is(HTTPStatus.TOO_MANY_REQUESTS)(answer) and (
        "RATE_LIMIT_EXCEEDED" in answer.reasons or bool(_REQUEST_RATE.search(answer.message))
    )


def _project_wide(answer: ErrorAnswer) -> bool:
    return _is(HTTPStatus.FORBIDDEN)(answer) and bool(
        answer.reasons & _PROJECT_WIDE or _CREATE_DENIED.search(answer.message)
    )


def _other_thing_missing(answer: ErrorAnswer) -> bool:
    text = _without_names(answer.message)
    return (
        _is(HTTPStatus.NOT_FOUND)(answer)
        and bool(_OTHER_THING_MISSING.search(text))
        and not _RESOURCE.search(text)
    )


def _without_names(text: str) -> str:
    """Resource names cut down to their collections, quoted words dropped: given names are no evidence."""
    collections = _FULL_NAME.sub(lambda name: "/".join(name[0].split("/")[::2]), text)
    return _RESOURCE_ID.sub(r"\1", _QUOTED.sub("", collections))


# The first row that applies decides; None stands for "unanswered", and no row at all for a terminal refusal.
_TABLE: tuple[tuple[Callable[[ErrorAnswer], bool], RefusalKind | None], ...] = (
    (_without_trust, None),
    (_request_rate, RefusalKind.RATE),
    (_is(HTTPStatus.TOO_MANY_REQUESTS, _TRAINING_QUOTA), RefusalKind.QUOTA),
    (_is(HTTPStatus.TOO_MANY_REQUESTS), RefusalKind.CAPACITY),
    (_other_thing_missing, RefusalKind.TERMINAL),
    (_is(HTTPStatus.NOT_FOUND), RefusalKind.NOT_READY),
    (_project_wide, RefusalKind.NOT_READY),
    (_resource_not_ready, RefusalKind.NOT_READY),
)
