"""What can go wrong for a publisher, each with what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from poolqueue.client.report import JobReport
from poolqueue.messages import Problem
from poolqueue.scheduling.jobs import Outcome
from poolqueue.viewing.text import safe

LONGEST_ERROR = 1_000
MOST_PROBLEMS = 20


class PoolQueueError(Exception):
    """What went wrong, and what to do about it."""


class NotConfigured(PoolQueueError):
    """It is not said where the queue is."""


class RequestRefused(PoolQueueError, ValueError):
    """The request is malformed, and was not published. `problems` name each field, value and remedy."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"not published, the request is malformed:{_listed(self.problems)}")


class NotPublished(PoolQueueError):
    """Pub/Sub did not accept the message, or did not say so in time."""


class NotReadable(PoolQueueError):
    """What became of a job could not be read; the job takes its course. `may_pass` if trying again may help:
    whoever waits does so by himself for a while.
    """

    def __init__(self, message: str, *, may_pass: bool) -> None:
        self.may_pass = may_pass
        super().__init__(message)


class CommandRefused(PoolQueueError):
    """Pool Queue refused the command, for instance because the team has no such job."""


class WaitedTooLong(PoolQueueError, TimeoutError):
    """The time given to wait is over. `report` is what was last known; the job takes its course."""

    def __init__(self, message: str, report: JobReport) -> None:
        self.report = report
        super().__init__(message)


class JobDidNotSucceed(PoolQueueError):
    """The job ended, and not well: `report` tells how, with its custom job, error and log."""

    def __init__(self, report: JobReport) -> None:
        self.report = report
        super().__init__(_told(report))


class JobFailed(JobDidNotSucceed):
    """Its last attempt failed at Vertex AI."""


class JobCancelled(JobDidNotSucceed):
    """Somebody cancelled it."""


class JobRejected(JobDidNotSucceed):
    """Pool Queue or Vertex AI refused it for good: `report.problems` or `report.error` say why."""


class JobExpired(JobDidNotSucceed):
    """Its deadline or longest wait was over before it could run."""


class JobLost(JobDidNotSucceed):
    """Its custom job vanished, so that nobody knows how it ended."""


_BY_OUTCOME: dict[Outcome | None, type[JobDidNotSucceed]] = {
    Outcome.FAILED: JobFailed,
    Outcome.CANCELLED: JobCancelled,
    Outcome.REJECTED: JobRejected,
    Outcome.EXPIRED: JobExpired,
    Outcome.LOST: JobLost,
}
_NEXT: dict[Outcome | None, str] = {
    Outcome.FAILED: "put right what failed; then give poolctl retry, or enqueue it under another job_id",
    Outcome.CANCELLED: "enqueue it under another job_id if it is to run after all",
    Outcome.REJECTED: "put the request right and enqueue it again; the job_id may be used again",
    Outcome.EXPIRED: "enqueue it under another job_id, with a later deadline or a longer max_wait",
    Outcome.LOST: "look whether its output is there; if not, enqueue it under another job_id",
}


def did_not_succeed(report: JobReport) -> JobDidNotSucceed:
    """The exception for how a job ended."""
    return _BY_OUTCOME.get(report.outcome, JobDidNotSucceed)(report)


def _told(report: JobReport) -> str:
    outcome = report.outcome.value if report.outcome is not None else "ended"
    # A rejection's note is its problems in short.
    said = (report.error, report.note, report.reason)
    if report.outcome is Outcome.CANCELLED:  # the error of Vertex AI says no more than that
        said = (report.note, report.error, report.reason)
    why = None if report.problems else next(filter(None, said), None)
    lines = [
        f"job {report.job_id}: {outcome}" + (f": {safe(why, limit=LONGEST_ERROR)}" if why else ""),
        *([f"custom job: {report.custom_job}"] if report.custom_job else []),
        *([f"its log: {report.log_url}"] if report.log_url else []),
    ]
    return "\n".join(lines) + _listed(report.problems) + f"\nnext: {_NEXT.get(report.outcome, 'look at it')}"


def _listed(problems: Sequence[Problem]) -> str:
    shown = [f"\n  {p.path} is {p.value}: {p.problem}; {p.remedy}" for p in problems[:MOST_PROBLEMS]]
    more = len(problems) - len(shown)
    return "".join(shown) + (f"\n  and {more} more" if more > 0 else "")
