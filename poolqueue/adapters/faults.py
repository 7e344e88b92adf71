"""Tells what kind of trouble with Google Cloud an exception stands for, for those who must word a remedy."""

from __future__ import annotations

from typing import Literal

from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

Fault = Literal["no_credentials", "bad_credentials", "forbidden", "missing", "silent", "refused"]

# gRPC reports credentials that it could not refresh as a service that is unavailable.
_NO_METADATA = "metadata from plugin"


def fault_of(error: BaseException) -> Fault | None:
    """The kind of fault behind `error` or what caused it; None when it is none of Google Cloud's."""
    cause: BaseException | None = error
    while cause is not None:
        fault = _fault(cause)
        if fault is not None:
            return fault
        cause = cause.__cause__
    return None


def _fault(error: BaseException) -> Fault | None:
    match error:
        case DefaultCredentialsError():
            return "no_credentials"
        case GoogleAuthError() | exceptions.Unauthorized():
            return "bad_credentials"
        case exceptions.ServiceUnavailable() if _NO_METADATA in str(error):
            return "bad_credentials"
        case exceptions.Forbidden():
            return "forbidden"
        case exceptions.NotFound():
            return "missing"
        case exceptions.ServerError() | exceptions.TooManyRequests() | exceptions.RetryError():
            return "silent"
        case exceptions.GoogleAPIError():
            return "refused"
        case _:
            return None
