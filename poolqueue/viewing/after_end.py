"""What to do about a job that ended, and not well."""

from __future__ import annotations

from poolqueue.scheduling.jobs import Outcome
from poolqueue.viewing import wording
from poolqueue.viewing.views import JobView


def next_told(job: JobView) -> str | None:
    """None if there is nothing to do, or it is not known to have ended."""
    name = wording.name(job.job_id)
    retry = f"poolctl retry {name} --reason TEXT"
    match job.outcome:
        case Outcome.FAILED:
            look = "logs" if job.array is None else "job"
            return f"see why: poolctl {look} {name}; once that is put right: {retry}"
        case Outcome.CANCELLED:
            return f"if it is to run after all: {retry}"
        case Outcome.EXPIRED:
            return f"if it may wait longer: {retry}, with --deadline TIME or --max-wait DURATION"
        case Outcome.LOST:
            return f"look whether its output is there; if not: {retry}"
        case Outcome.REJECTED:
            return "publish it again, corrected; its job_id may be used again"
        case Outcome.SUCCEEDED | None:
            return None
