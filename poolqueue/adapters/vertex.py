"""Vertex AI as the ports see it: creates, cancels and reads over the official client's REST transport."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from poolqueue.adapters.loading import libraries_loading
from poolqueue.adapters.vertex_errors import AnsweredWithError, NoAnswer, NoCredentials, NotSendable, classify
from poolqueue.adapters.vertex_views import custom_job_view, resource_view, without_secrets
from poolqueue.ports import (
    TOKEN_LABEL,
    Created,
    CustomJob,
    RefusalKind,
    Refused,
    ResourceState,
    ResourceView,
    Unanswered,
    VertexUnavailable,
)

if TYPE_CHECKING:
    from poolqueue.adapters.vertex_rest import Region

_LOCATION = re.compile(r"projects/[^/]+/locations/([^/]+)(?:/|$)")
_REMEDY = (
    "give this process an identity with roles/aiplatform.user (or: gcloud auth application-default login)"
)
_Answer = TypeVar("_Answer")

# With `!=`, a state that this client does not know yet is listed, and so counts as occupancy.
UNFINISHED = " AND ".join(
    f'state!="JOB_STATE_{state}"'
    for state in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
)


class VertexAI:
    """A `Submitter` and an `Observer` (ports.py) for all regions. Safe to share between threads.

    `endpoint` is the stand-in's, `http://127.0.0.1:PORT`, called without credentials; without it each
    region's own endpoint is called with the process's credentials. Reads and cancels have `timeout_seconds`
    per request (a listing: per page).
    """

    def __init__(self, *, endpoint: str | None = None, timeout_seconds: float = 20.0) -> None:
        self._endpoint = endpoint
        self._timeout_seconds = timeout_seconds
        self._regions: dict[str, Region] = {}
        self._lock = threading.Lock()

    def create(
        self, parent: str, custom_job: Mapping[str, Any], *, timeout_seconds: float
    ) -> Created | Refused | Unanswered:
        region = self._region(parent)
        try:
            answer = region.create_custom_job(parent, custom_job, timeout_seconds=timeout_seconds)
        except NotSendable as error:
            return Refused(kind=RefusalKind.TERMINAL, message=without_secrets(str(error), custom_job))
        except NoCredentials as error:
            # The installation's fault, not the job's: it waits, and the reason says what to do.
            return Refused(kind=RefusalKind.NOT_READY, message=_no_credentials(error))
        except AnsweredWithError as error:
            told = error.answer
            message = without_secrets(told.message, custom_job)
            return classify(told.http_status, message, told.details, told.status)
        except NoAnswer as error:
            # Also when the connection was refused and nothing was sent: the client tells the two apart only
            # in wrapped texts, and a mistake would run a job twice. The price is a quiet period.
            return Unanswered(message=str(error))
        if "name" not in answer:
            return Unanswered(message="Vertex AI answered without naming the custom job")
        return Created(custom_job=custom_job_view(answer))

    def cancel(self, name: str) -> bool:
        region = self._region(name)
        # Vertex AI answers 400 (FAILED_PRECONDITION) when the custom job has ended.
        taken = _asked(
            lambda: region.cancel_custom_job(name, timeout_seconds=self._timeout_seconds),
            none_when={HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST},
        )
        return taken is not None

    def custom_job(self, name: str) -> CustomJob | None:
        region = self._region(name)
        body = _asked(
            lambda: region.get_custom_job(name, timeout_seconds=self._timeout_seconds),
            none_when={HTTPStatus.NOT_FOUND},
        )
        return None if body is None else custom_job_view(body)

    def unfinished(self, parent: str) -> list[CustomJob]:
        listed = self._listed(parent, UNFINISHED)
        # One that ends while the pages are read may pass the filter and still be shown as ended.
        return [custom_job for custom_job in listed if not custom_job.is_terminal]

    def by_token(self, parent: str, token: str) -> list[CustomJob]:
        # Key and value are of [a-z0-9_]: whether others need quotes in a filter is not documented.
        found = self._listed(parent, f"labels.{TOKEN_LABEL}={token}")
        return [custom_job for custom_job in found if custom_job.labels.get(TOKEN_LABEL) == token]

    def _listed(self, parent: str, chosen: str) -> list[CustomJob]:
        region = self._region(parent)
        bodies = _asked(
            lambda: region.list_custom_jobs(parent, chosen, timeout_seconds=self._timeout_seconds),
            none_when=(),
        )
        return [custom_job_view(body) for body in bodies or []]

    def resource(self, name: str) -> ResourceView:
        region = self._region(name)
        body = _asked(
            lambda: region.get_persistent_resource(name, timeout_seconds=self._timeout_seconds),
            none_when={HTTPStatus.NOT_FOUND},
        )
        return ResourceView(state=ResourceState.MISSING) if body is None else resource_view(body)

    def _region(self, name: str) -> Region:
        found = _LOCATION.match(name)
        if found is None:
            raise ValueError(f"{name!r} does not begin with projects/P/locations/L")
        location = found[1]
        with self._lock:
            if location not in self._regions:
                self._regions[location] = self._new_region(location)
            return self._regions[location]

    def _new_region(self, location: str) -> Region:
        # The official client takes more than a second to import: a function that only records a request
        # must not pay for it.
        with libraries_loading():
            from poolqueue.adapters.vertex_rest import Region  # noqa: PLC0415

        return Region(location, endpoint=self._endpoint)


def _asked(call: Callable[[], _Answer], *, none_when: Collection[int]) -> _Answer | None:
    """The answer, or None for an error answer with one of those HTTP statuses; else `VertexUnavailable`."""
    try:
        return call()
    except AnsweredWithError as error:
        if error.answer.http_status in none_when:
            return None
        raise VertexUnavailable(str(error)) from error
    except NoCredentials as error:
        raise VertexUnavailable(_no_credentials(error)) from error
    except NoAnswer as error:
        raise VertexUnavailable(str(error)) from error


def _no_credentials(error: Exception) -> str:
    return f"no valid credentials for Vertex AI: {error}; {_REMEDY}"
