"""Reads the log sink's messages: which custom job a service line of Vertex AI says has ended.

It is a hint only: anybody who may write logs can forge one, so Vertex AI is asked before it is believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MESSAGE_LIMIT_BYTES = 256 * 1024  # of a LogEntry in Cloud Logging

# An end line is one of the service's own sentences, in full; the sink's filter in Terraform says the same.
_END = re.compile(r"Job (?:completed successfully|failed|cancell?ed)\.?")
_JOB_NUMBER = re.compile(r"[0-9]{1,20}", re.ASCII)
# Google allows 30 characters; local projects may have longer ids.
_PROJECT_ID = re.compile(r"(?:[a-z0-9][a-z0-9.-]{0,62}:)?[a-z][a-z0-9-]{1,61}[a-z0-9]", re.ASCII)
_LOCATION = re.compile(r"[a-z]{2,20}-[a-z]{2,20}[0-9]{1,2}", re.ASCII)
_LOG_NAME = re.compile(r"projects/([^/]{1,100})/logs/")


@dataclass(frozen=True, kw_only=True)
class EndedLine:
    """A service line that says a custom job ended. `project` is a project id.

    `location` is None when the line does not tell it: then the caller tries the regions it knows.
    """

    project: str
    job_number: str
    location: str | None
    text: str


def is_end(text: str) -> bool:
    """Is it the sentence by which the service says that a custom job ended?"""
    return _END.fullmatch(text.strip()) is not None


def ended_line(body: bytes) -> EndedLine | None:
    """The end that a LogEntry tells of, given the message's data; None for any other or malformed entry."""
    entry = _entry(body)
    resource = _mapping(entry.get("resource"))
    labels = {**_mapping(entry.get("labels")), **_mapping(resource.get("labels"))}
    text = _text(entry)
    number = _only(_JOB_NUMBER, labels.get("job_id"))
    project = _project(entry, labels)
    from_service = resource.get("type") == "ml_job" and labels.get("task_name") == "service"
    if not (from_service and text and number and project):
        return None
    location = _only(_LOCATION, labels.get("location")) or _only(_LOCATION, labels.get("region"))
    return EndedLine(project=project, job_number=number, location=location, text=text)


def _entry(body: bytes) -> Mapping[str, Any]:
    if len(body) > MESSAGE_LIMIT_BYTES:
        return {}
    try:
        return _mapping(json.loads(body))
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested to exhaust the parser
        return {}


def _text(entry: Mapping[str, Any]) -> str | None:
    payload = entry.get("textPayload") or _mapping(entry.get("jsonPayload")).get("message")
    return _only(_END, payload.strip()) if isinstance(payload, str) else None


def _project(entry: Mapping[str, Any], labels: Mapping[str, Any]) -> str | None:
    """The log's own project before the label: a label can name any project, a log belongs to one."""
    log = _LOG_NAME.match(str(entry.get("logName", "")))
    return _only(_PROJECT_ID, log[1] if log else None) or _only(_PROJECT_ID, labels.get("project_id"))


def _only(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
