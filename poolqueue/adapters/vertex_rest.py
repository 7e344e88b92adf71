"""The wire: calls of the official client over REST, each with a timeout and none repeated, as JSON objects.

Importing this module imports the client, which takes more than a second: import it only when a call is due.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Literal, TypeVar

import requests
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.aiplatform_v1 import (
    CustomJob,
    JobServiceClient,
    PersistentResource,
    PersistentResourceServiceClient,
)
from google.cloud.aiplatform_v1.services.job_service.pagers import ListCustomJobsPager
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from poolqueue.adapters.vertex_errors import (
    MESSAGE_LIMIT,
    AnsweredWithError,
    ErrorAnswer,
    NoAnswer,
    NoCredentials,
    NotSendable,
)

PAGE_SIZE = 100
# 20,000 unfinished custom jobs, ten times Vertex AI's limit: a listing that goes on longer is not one.
PAGES_AT_MOST = 200
_LOCATION = re.compile(r"[a-z][a-z0-9-]{0,39}")
_UNAUTHENTICATED, _NO_STATUS = 401, 500
_Answer = TypeVar("_Answer")


class Region:
    """The clients of one region's endpoint, made when first needed. Safe to share between threads."""

    def __init__(self, location: str, *, endpoint: str | None) -> None:
        self._endpoint = endpoint or _host(location)
        self._credentials = AnonymousCredentials() if endpoint else None  # type: ignore[no-untyped-call]
        self._lock = threading.Lock()
        self._job_client: JobServiceClient | None = None
        self._resource_client: PersistentResourceServiceClient | None = None

    def create_custom_job(
        self, parent: str, body: Mapping[str, Any], *, timeout_seconds: float
    ) -> dict[str, Any]:
        request = {"parent": parent, "custom_job": _message(body)}
        return _ask(
            lambda: _as_dict(self._jobs().create_custom_job(request, retry=None, timeout=timeout_seconds))
        )

    def get_custom_job(self, name: str, *, timeout_seconds: float) -> dict[str, Any]:
        return _ask(
            lambda: _as_dict(self._jobs().get_custom_job(name=name, retry=None, timeout=timeout_seconds))
        )

    def list_custom_jobs(self, parent: str, chosen: str, *, timeout_seconds: float) -> list[dict[str, Any]]:
        """All pages of one listing by the filter `chosen`; each page has the timeout."""
        # Without a mask of fields: what is long (env, args) stands below repeated fields, where none reaches.
        request = {"parent": parent, "filter": chosen, "page_size": PAGE_SIZE}
        return _ask(
            lambda: _all_pages(self._jobs().list_custom_jobs(request, retry=None, timeout=timeout_seconds))
        )

    def cancel_custom_job(self, name: str, *, timeout_seconds: float) -> Literal[True]:
        _ask(lambda: self._jobs().cancel_custom_job(name=name, retry=None, timeout=timeout_seconds))
        return True

    def get_persistent_resource(self, name: str, *, timeout_seconds: float) -> dict[str, Any]:
        return _ask(
            lambda: _as_dict(
                self._resources().get_persistent_resource(name=name, retry=None, timeout=timeout_seconds)
            )
        )

    def _jobs(self) -> JobServiceClient:
        with self._lock:
            self._job_client = self._job_client or JobServiceClient(**self._settings())
            return self._job_client

    def _resources(self) -> PersistentResourceServiceClient:
        with self._lock:
            self._resource_client = self._resource_client or PersistentResourceServiceClient(
                **self._settings()
            )
            return self._resource_client

    def _settings(self) -> dict[str, Any]:
        return {
            "transport": "rest",
            "credentials": self._credentials,
            "client_options": ClientOptions(api_endpoint=self._endpoint),
        }


def _host(location: str) -> str:
    """Whoever could choose the text before the dot could choose who gets our credentials."""
    if _LOCATION.fullmatch(location) is None:
        raise ValueError(f"{location!r} is not the name of a region")
    return f"{location}-aiplatform.googleapis.com"


def _ask(call: Callable[[], _Answer]) -> _Answer:
    """The one place where the client's errors become ours."""
    try:
        return call()
    except GoogleAuthError as error:
        # Raised before a request is sent, or after an answer 401 that had no effect.
        raise NoCredentials(str(error)) from error
    except exceptions.GoogleAPICallError as error:
        answer = _error_answer(error)
        if answer.http_status == _UNAUTHENTICATED:
            raise NoCredentials(str(answer)) from error
        raise AnsweredWithError(answer) from error
    except (requests.RequestException, ParseError, UnicodeDecodeError) as error:
        raise NoAnswer(f"{type(error).__name__}: {error}"[:MESSAGE_LIMIT]) from error


def _error_answer(error: exceptions.GoogleAPICallError) -> ErrorAnswer:
    """What the client's exception knows, and from the body what it drops: status name, bare message."""
    told = _error_body(error.response)
    return ErrorAnswer(
        http_status=int(error.code or _NO_STATUS),
        message=str(told.get("message") or error.message),
        details=tuple(detail for detail in error.details if isinstance(detail, Mapping)),
        status=str(told.get("status", "")),
    )


def _error_body(response: requests.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return {}
    told = body.get("error") if isinstance(body, Mapping) else None
    return told if isinstance(told, Mapping) else {}


def _all_pages(pager: ListCustomJobsPager) -> list[dict[str, Any]]:
    found = [_as_dict(job) for page in islice(pager.pages, PAGES_AT_MOST) for job in page.custom_jobs]
    if pager.next_page_token:
        raise NoAnswer(f"the listing did not end after {PAGES_AT_MOST} pages of {PAGE_SIZE}")
    return found


def _message(body: Mapping[str, Any]) -> CustomJob:
    message = CustomJob()
    try:
        ParseDict(  # type: ignore[no-untyped-call]
            dict(body), CustomJob.pb(message)
        )
    except ParseError as error:
        raise NotSendable(str(error)) from error
    return message


def _as_dict(message: CustomJob | PersistentResource) -> dict[str, Any]:
    """The REST JSON object: camelCase, enums by name (a number where this client does not know the name)."""
    fields: dict[str, Any] = MessageToDict(type(message).pb(message))  # type: ignore[no-untyped-call]
    return fields
