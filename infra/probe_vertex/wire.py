"""Plain REST calls to one project and region, shown as they are: no client library smooths an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from poolqueue.adapters.vertex_errors import classify
from poolqueue.ports import Refused

_TIMEOUT_SECONDS = 60.0
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_OK_BELOW = 400


@dataclass(frozen=True, kw_only=True)
class Answer:
    http_status: int
    body: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        return self.http_status < _OK_BELOW

    def __str__(self) -> str:
        """An error with the class that our adapter gives it in answer to a create call."""
        if self.ok:
            return str(self.http_status)
        error = self.body.get("error", {})
        status, message, details = error.get("status", ""), error.get("message", ""), error.get("details", [])
        meaning = classify(self.http_status, message, details, status)
        taken_for = meaning.kind.value if isinstance(meaning, Refused) else "unanswered"
        return f"{self.http_status} {status}: {message} [a create would be taken as: {taken_for}]"


class Wire:
    """`endpoint` is a stand-in's URL, called without credentials; without it the region's own is called."""

    def __init__(self, *, project: str, location: str, endpoint: str | None) -> None:
        self.parent = f"projects/{project}/locations/{location}"
        self._base = endpoint or f"https://{location}-aiplatform.googleapis.com"
        self.is_live = endpoint is None
        self._session = requests.Session() if endpoint else _authorized_session()

    def get(self, path: str, **query: str) -> Answer:
        return self._answer(self._session.get(self._url(path), params=query, timeout=_TIMEOUT_SECONDS))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        return self._answer(self._session.post(self._url(path), json=body or {}, timeout=_TIMEOUT_SECONDS))

    def delete(self, path: str) -> Answer:
        return self._answer(self._session.delete(self._url(path), timeout=_TIMEOUT_SECONDS))

    def log_entries(self, project: str, log_filter: str) -> Answer:
        body = {"resourceNames": [f"projects/{project}"], "filter": log_filter, "pageSize": 50}
        url = "https://logging.googleapis.com/v2/entries:list"
        return self._answer(self._session.post(url, json=body, timeout=_TIMEOUT_SECONDS))

    def close(self) -> None:
        self._session.close()

    def _url(self, path: str) -> str:
        """`path` is a full name, or relative to the project and region."""
        return f"{self._base}/v1/{path if path.startswith('projects/') else f'{self.parent}/{path}'}"

    def _answer(self, response: requests.Response) -> Answer:
        try:
            body = response.json()
        except requests.JSONDecodeError:
            body = {"error": {"message": response.text[:1000]}}
        return Answer(http_status=response.status_code, body=body if isinstance(body, dict) else {})


def _authorized_session() -> requests.Session:
    import google.auth  # noqa: PLC0415
    from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415

    credentials, _ = google.auth.default(scopes=[_SCOPE])
    return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
