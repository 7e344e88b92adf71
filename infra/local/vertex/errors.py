"""The errors that the service answers with, in the wire form of Google's APIs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

STATUS_OF_HTTP = {http: name for name, http in reversed(HTTP_STATUS.items())}


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One finding about one field of a request."""

    field: str
    message: str


class ServiceError(Exception):
    """A request that the service refuses; `details` holds JSON of `google.protobuf.Any`."""

    def __init__(self, status: str, message: str, *, details: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = HTTP_STATUS[status]
        self.message = message
        self.details = list(details)

    def body(self) -> dict[str, Any]:
        error = {"code": self.code, "message": self.message, "status": self.status}
        return {"error": {**error, "details": self.details} if self.details else error}


def _bad_request(violations: Sequence[Violation]) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": each.field, "description": each.message} for each in violations],
    }


def found_errors(violations: Sequence[Violation]) -> ServiceError:
    """All findings in one answer, in the words of the service's own validator."""
    listed = "".join(
        f"\t{number}.Field: {each.field}; Message: {each.message}"
        for number, each in enumerate(violations, 1)
    )
    message = f"List of found errors:{listed}\t"
    return ServiceError("INVALID_ARGUMENT", message, details=[_bad_request(violations)])


def invalid_payload(message: str, *, field: str = "") -> ServiceError:
    """A body or a query that does not fit the request's message type."""
    text = f"Invalid JSON payload received. {message}"
    return ServiceError(
        "INVALID_ARGUMENT", text, details=[_bad_request([Violation(field=field, message=text)])]
    )


def invalid_argument(message: str) -> ServiceError:
    return ServiceError("INVALID_ARGUMENT", message)


def failed_precondition(message: str) -> ServiceError:
    return ServiceError("FAILED_PRECONDITION", message)


def not_found(message: str) -> ServiceError:
    return ServiceError("NOT_FOUND", message)
