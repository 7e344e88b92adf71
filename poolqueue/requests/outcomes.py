"""Writes the message that announces one change of a job's state on job-outcomes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from poolqueue.scheduling.problems import Problem

# Pub/Sub takes 1,024 bytes per attribute; the body keeps the error's beginning.
LONGEST_ERROR = 4_000
ATTRIBUTES = ("job_id", "team", "state", "outcome", "sequence", "array")


def outcome_message(
    *,
    job_id: str,
    team: str,
    state: str,
    sequence: int,
    at: datetime,
    outcome: str | None = None,
    reason: str | None = None,
    note: str | None = None,
    attempt: int | None = None,
    persistent_resource: str | None = None,
    custom_job: str | None = None,
    problems: Sequence[Problem] = (),
    error: str | None = None,
    failure: Mapping[str, object] | None = None,
    queued: datetime | None = None,
    submitted: datetime | None = None,
    started: datetime | None = None,
    ended: datetime | None = None,
    array: str | None = None,
    members: Mapping[str, int] | None = None,
) -> tuple[bytes, dict[str, str]]:
    """Body and attributes of the message. `custom_job` is a Vertex AI name; what is None is left out.
    `failure` tells how an attempt ended badly, and of how many it was which that counts; `array` is the id of
    the array that the job is a member of; `members` tells of an array how many it has and how they ended.

    `sequence` counts the job's announcements, so that a subscriber can put them in order and drop copies.
    """
    moments = {"at": at, "queued": queued, "submitted": submitted, "started": started, "ended": ended}
    body = {
        "job_id": job_id,
        "team": team,
        "state": state,
        "outcome": outcome,
        "sequence": sequence,
        "reason": reason,
        "note": note[:LONGEST_ERROR] if note else None,
        "attempt": attempt,
        "persistent_resource": persistent_resource,
        "custom_job": custom_job,
        "error": error[:LONGEST_ERROR] if error else None,
        "failure": failure,
        "array": array,
        "members": members,
        "problems": [_problem(problem) for problem in problems] or None,
        **{name: moment and timestamp(moment) for name, moment in moments.items()},
    }
    said = {name: value for name, value in body.items() if value is not None}
    attributes = {name: str(said[name]) for name in ATTRIBUTES if name in said}
    return json.dumps(said, ensure_ascii=False).encode(), attributes


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _problem(problem: Problem) -> dict[str, str]:
    return {
        "path": problem.path,
        "value": problem.value,
        "problem": problem.problem,
        "remedy": problem.remedy,
    }
