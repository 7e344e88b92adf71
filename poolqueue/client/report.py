"""What is known of a job, for whoever published it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from poolqueue.messages import Problem
from poolqueue.records import ResourceName
from poolqueue.scheduling.jobs import Job, Outcome, State
from poolqueue.viewing.links import custom_job_link, log_link
from poolqueue.viewing.text import safe

LONGEST_LINE = 500


@dataclass(frozen=True, kw_only=True)
class JobReport:
    """A job as it was last seen.

    `state` is None until Pool Queue has recorded the request. `outcome` is there once it is `ended`.
    `reason` is a word for why it waits or was refused, `note` says it in a sentence. `custom_job` is the full
    name at Vertex AI, once there is one; `problems` tell why a request was rejected. All times are in UTC.
    What others wrote (`note`, `error`) is as they wrote it: `str()` of a report is safe to print.
    """

    job_id: str
    team: str | None = None
    state: State | None = None
    outcome: Outcome | None = None
    reason: str | None = None
    note: str | None = None
    attempt: int = 0
    sequence: int = 0
    persistent_resource: str | None = None
    custom_job: str | None = None
    error: str | None = None
    problems: tuple[Problem, ...] = ()
    queued: datetime | None = None
    submitted: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def is_ended(self) -> bool:
        return self.state is State.ENDED

    @property
    def log_url(self) -> str | None:
        """The custom job's log in Cloud Logging."""
        return log_link(self.custom_job)

    @property
    def console_url(self) -> str | None:
        """The custom job's page in Google Cloud's console."""
        return custom_job_link(self.custom_job)

    def __str__(self) -> str:
        """One line, whatever the job's text holds."""
        said = (self.outcome or self.state or "not recorded yet", self.reason, self.note or self.error)
        return safe(f"{self.job_id}: {', '.join(str(each) for each in said if each)}", limit=LONGEST_LINE)


def report_of(job: Job) -> JobReport:
    """Of the job's record."""
    return JobReport(
        job_id=job.public_id,
        team=job.team,
        state=job.state,
        outcome=job.outcome,
        reason=None if job.reason is None else job.reason.value,
        note=_note(job),
        attempt=job.attempt,
        sequence=job.sequence,
        persistent_resource=ResourceName.from_key(job.resource).full,
        custom_job=job.custom_job,
        error=job.error,
        problems=tuple(Problem(**problem) for problem in job.problems),
        queued=job.created,
        submitted=job.submitted,
        started=job.started,
        ended=job.ended,
    )


def _note(job: Job) -> str | None:
    """That of its last change; of a job that was cancelled while it ran, who asked for that and why."""
    changes = list(job.history[-1:])
    if job.outcome is Outcome.CANCELLED:
        changes += [entry for entry in job.history if entry.state is State.CANCELLING]
    return changes[-1].note if changes else None


def report_of_outcome(body: bytes) -> JobReport:
    """Of a message on `job-outcomes`. Raises ValueError for any other message."""
    said = json.loads(body)
    if not isinstance(said, dict) or not {"job_id", "team", "state", "sequence"} <= said.keys():
        raise ValueError("the message announces no change of a job")
    plain = ("reason", "note", "persistent_resource", "custom_job", "error")
    return JobReport(
        job_id=str(said["job_id"]),
        team=str(said["team"]),
        state=State(said["state"]),
        outcome=Outcome(said["outcome"]) if "outcome" in said else None,
        attempt=int(said.get("attempt", 0)),
        sequence=int(said["sequence"]),
        problems=tuple(Problem(**problem) for problem in said.get("problems", ())),
        **{name: said.get(name) for name in plain},
        **_moments(said),
    )


def _moments(said: Mapping[str, Any]) -> dict[str, Any]:
    names = ("queued", "submitted", "started", "ended")
    return {name: datetime.fromisoformat(said[name]) for name in names if name in said}
