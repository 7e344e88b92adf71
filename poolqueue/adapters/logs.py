"""Logs of custom jobs in Cloud Logging: `entries.list` of its REST API, and of what stands for it locally."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import google.auth
import requests
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession

from poolqueue.ports import LogEntries, LogEntry, LogsUnavailable

GOOGLE = "https://logging.googleapis.com"
# What may be read is said by roles: a narrower scope is refused to those who logged in by gcloud.
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
PAGE_SIZE = 1_000  # the API's limit
_Order = Literal["timestamp asc", "timestamp desc"]


class CloudLogging:
    """`Logs` (ports.py). `endpoint` is the stand-in's, `http://127.0.0.1:PORT`, called without credentials.

    Each page has the timeout. The session is made at the first call.
    """

    def __init__(self, *, endpoint: str | None = None, timeout_seconds: float = 20.0) -> None:
        self._endpoint = endpoint
        self._timeout_seconds = timeout_seconds
        self._session: AuthorizedSession | None = None

    def latest(self, custom_job: str, *, since: datetime, limit: int) -> LogEntries:
        found = self._entries(custom_job, since, limit, "timestamp desc")
        return LogEntries(each=found.each[::-1], are_all=found.are_all)

    def earliest(self, custom_job: str, *, since: datetime, limit: int) -> LogEntries:
        return self._entries(custom_job, since, limit, "timestamp asc")

    def _entries(self, custom_job: str, since: datetime, limit: int, order: _Order) -> LogEntries:
        found: list[LogEntry] = []
        for page in self._pages(custom_job, since, min(limit + 1, PAGE_SIZE), order):
            found += [_entry(each) for each in page if isinstance(each, Mapping)]
            if len(found) > limit:
                return LogEntries(each=tuple(found[:limit]), are_all=False)
        return LogEntries(each=tuple(found))

    def _pages(self, custom_job: str, since: datetime, size: int, order: _Order) -> Iterator[list[Any]]:
        project, number = _project_and_number(custom_job)
        asked: dict[str, Any] = {
            "resourceNames": [f"projects/{project}"],
            "filter": log_filter(number, since),
            "orderBy": order,
            "pageSize": size,
        }
        while True:
            answer = self._ask(asked)
            yield answer.get("entries") or []
            token = answer.get("nextPageToken")
            # A page may be empty and still not the last one: the search goes on where it ended.
            if not token or token == asked.get("pageToken"):
                return
            asked["pageToken"] = token

    def _ask(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """The one place where the client's errors become ours; `adapters.faults` knows their causes."""
        try:
            answer = self._opened().post(
                f"{self._endpoint or GOOGLE}/v2/entries:list", json=asked, timeout=self._timeout_seconds
            )
            if not answer.ok:
                raise exceptions.from_http_response(answer)  # type: ignore[no-untyped-call]
            told = answer.json()
        except (GoogleAuthError, exceptions.GoogleAPICallError) as error:
            raise LogsUnavailable(str(error)) from error
        except requests.RequestException as error:
            raise LogsUnavailable(type(error).__name__) from error
        return told if isinstance(told, Mapping) else {}

    def _opened(self) -> AuthorizedSession:
        if self._session is None:
            self._session = AuthorizedSession(self._credentials())  # type: ignore[no-untyped-call]
        return self._session

    def _credentials(self) -> Any:
        if self._endpoint is not None:
            return AnonymousCredentials()  # type: ignore[no-untyped-call]
        credentials, _ = google.auth.default(scopes=SCOPES)
        return credentials


def log_filter(number: str, since: datetime) -> str:
    """What a custom job of that number wrote since: how Vertex AI labels it, and bounded to be quick."""
    at = since.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return f'resource.type="ml_job" AND resource.labels.job_id="{number}" AND timestamp>="{at}"'


def _project_and_number(custom_job: str) -> tuple[str, str]:
    """Raises `ValueError` for what is no custom job's name: it goes into a filter."""
    match custom_job.split("/"):
        case ["projects", project, "locations", _, "customJobs", number] if number.isdecimal():
            return project, number
        case _:
            raise ValueError(f"{custom_job!r} is not the full name of a custom job")


def _entry(fields: Mapping[str, Any]) -> LogEntry:
    labels = _mapping(_mapping(fields.get("resource")).get("labels"))
    return LogEntry(
        id=str(fields.get("insertId", "")),
        at=_time(fields.get("timestamp")),
        severity=str(fields.get("severity") or "DEFAULT"),
        writer=str(labels.get("task_name") or "unknown"),
        text=_text(fields),
    )


def _text(fields: Mapping[str, Any]) -> str:
    """What a program printed is the text, or the message of a JSON payload; else it is all of the payload."""
    payload = fields.get("jsonPayload") or fields.get("protoPayload") or {}
    message = fields.get("textPayload") or _mapping(payload).get("message")
    if isinstance(message, str):
        return message
    return json.dumps(payload) if payload else ""


def _time(given: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(given))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
