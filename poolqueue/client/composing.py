"""Makes a job request of what is to be enqueued, checked by the code that will receive it."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from poolqueue.client.errors import RequestRefused
from poolqueue.client.sdk import body_of, is_custom_job, not_taken
from poolqueue.client.settings import RunOptions
from poolqueue.messages import BadRequest, JobRequest, Problem, parse_request
from poolqueue.requests.parsing import is_bare
from poolqueue.requests.reading import Unreadable, read_mapping
from poolqueue.scheduling.problems import shown

ANYWHERE = "anywhere"  # stands for a project and location that only the topic's settings know
ID_BYTES = 4
LONGEST_NAME = 36
_RUN_OPTIONS = frozenset(RunOptions.__annotations__)


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A request as it is published."""

    job_id: str
    data: bytes

    def digest(self, *, project: str, location: str) -> str:
        """That of its content, as the receiver reckons it for a topic of that project and location."""
        parsed = _parsed(self.data, self.job_id, project=project, location=location)
        assert isinstance(parsed, JobRequest)
        return parsed.digest


def compose(job: object, settings: Mapping[str, Any], *, now: datetime) -> Composed:
    """Of an `aiplatform.CustomJob`, a custom job or its spec as a mapping, or a whole request, also as text.

    A request without a `job_id` gets one, so that publishing it twice by accident makes one job. Raises
    `RequestRefused` with all that is wrong, `TypeError` for what is no job at all.
    """
    envelope = _envelope(job, settings)
    made = _made_id(envelope, now)
    first = _parsed(_encoded(envelope), made)
    if isinstance(first, BadRequest):
        raise RequestRefused(first.problems)
    return Composed(job_id=first.job_id, data=_encoded({**envelope, "job_id": first.job_id}))


def _parsed(
    data: bytes, job_id: str, *, project: str = ANYWHERE, location: str = ANYWHERE
) -> JobRequest | BadRequest:
    return parse_request(data, {}, default_job_id=job_id, project=project, location=location)


def _envelope(job: object, settings: Mapping[str, Any]) -> dict[str, Any]:
    if problems := not_taken(settings):
        raise RequestRefused(problems)
    options = {name: value for name, value in settings.items() if name in _RUN_OPTIONS}
    queue = {name: _plain(value) for name, value in settings.items() if name not in _RUN_OPTIONS}
    given = {name: value for name, value in queue.items() if value is not None}
    if is_custom_job(job):
        return {**given, "custom_job": _of_sdk(job, options, given.get("job_id"))}
    if options:
        raise RequestRefused([_only_for_the_sdk(name) for name in options])
    request = _mapping(job)
    if is_bare(request):
        return {**given, "custom_job": request}
    _refuse_differences(request, given)
    return {**request, **given}


def _of_sdk(job: object, options: Mapping[str, Any], job_id: str | None) -> dict[str, Any]:
    body, name = body_of(job, RunOptions(**options), job_id=job_id)  # type: ignore[typeddict-item]
    if name is not None:
        was_run = Problem(
            path="custom_job.name",
            value=name,
            problem="this custom job was run already",
            remedy="make a new aiplatform.CustomJob, and enqueue that instead of running it",
        )
        raise RequestRefused([was_run])
    return body


def _mapping(job: object) -> dict[str, Any]:
    match job:
        case Mapping():
            return dict(job)
        case str():
            return _read(job.encode(errors="surrogatepass"))
        case bytes():
            return _read(job)
        case _:
            raise TypeError(
                f"a {type(job).__name__} cannot be enqueued: give an aiplatform.CustomJob that was not run, "
                "a custom job (or its spec, as gcloud's --config has it) as a dict, or a job request as a "
                "dict or as JSON or YAML text"
            )


def _read(text: bytes) -> dict[str, Any]:
    try:
        return read_mapping(text)
    except Unreadable as error:
        unreadable = Problem(
            path="message", value=f"({len(text)} bytes)", problem=error.problem, remedy=error.remedy
        )
        raise RequestRefused([unreadable]) from error


def _refuse_differences(request: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    problems = [
        Problem(
            path=name,
            value=shown(value),
            problem="differs from the same setting in the request",
            remedy="give it in one place",
        )
        for name, value in given.items()
        if request.get(name) is not None and request[name] != value
    ]
    if problems:
        raise RequestRefused(problems)


def _only_for_the_sdk(name: str) -> Problem:
    return Problem(
        path=name,
        value=name,
        problem="belongs to an aiplatform.CustomJob, and this is none",
        remedy="write it into the custom job's jobSpec",
    )


def _plain(value: object) -> Any:
    match value:
        case timedelta():
            return value.total_seconds()
        case datetime():
            return value.isoformat()
        case _:
            return value


def _encoded(envelope: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(envelope, ensure_ascii=False).encode(errors="surrogatepass")
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"the request cannot be written as JSON: {error}") from error


def _made_id(envelope: Mapping[str, Any], now: datetime) -> str:
    body = envelope.get("custom_job")
    body = body if isinstance(body, Mapping) else {}
    named = body.get("displayName") or body.get("display_name") or envelope.get("display_name") or "job"
    name = re.sub(r"[^a-z0-9]+", "-", str(named).lower())[:LONGEST_NAME].strip("-") or "job"
    return f"{name}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(ID_BYTES)}"
