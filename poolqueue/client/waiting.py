"""One wait for a job: what to tell, how long to pause, and when it is over. Waits itself for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from poolqueue.client.errors import NotReadable, WaitedTooLong, did_not_succeed
from poolqueue.client.report import JobReport
from poolqueue.scheduling.jobs import Outcome

Timeout = timedelta | float | None

# So long a store or a topic may be silent in the middle of a wait.
SILENCE_SECONDS = 300.0


def seconds_of(timeout: Timeout) -> float | None:
    return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout


@dataclass(kw_only=True)
class Waiting:
    """`until` and every `now` are of one clock that only goes forward; None waits for ever."""

    until: float | None
    pauses: Iterator[float]
    last: JobReport
    _told: tuple[object, ...] | None = field(default=None, init=False)
    _silent_since: float | None = field(default=None, init=False)

    def is_news(self, report: JobReport) -> bool:
        """Whether it says anything that was not told before."""
        self.last = report
        self._silent_since = None
        news = (report.state, report.outcome, report.reason, report.note, report.attempt)
        is_news, self._told = news != self._told, news
        return is_news

    def bear(self, error: NotReadable, *, now: float) -> None:
        """Raises it again if it will not pass, or has lasted for too long."""
        if self._silent_since is None:
            self._silent_since = now
        if not error.may_pass or now - self._silent_since > SILENCE_SECONDS:
            raise error

    def is_over(self, *, now: float) -> bool:
        return self.until is not None and now >= self.until

    def pause(self, *, now: float) -> float:
        """How long to pause before the next look. Raises `WaitedTooLong`."""
        if self.until is None:
            return next(self.pauses)
        left = self.until - now
        if left <= 0:
            raise WaitedTooLong(_too_long(self.last), self.last)
        return min(next(self.pauses), left)


def checked(report: JobReport, *, check: bool) -> JobReport:
    """The report of a job that ended. Raises `JobDidNotSucceed` for one that did not end well."""
    if check and report.outcome is not Outcome.SUCCEEDED:
        raise did_not_succeed(report)
    return report


def _too_long(last: JobReport) -> str:
    return (
        f"no end yet of {last}. It goes on: wait again, cancel it, or ask what it waits for: "
        f"poolctl explain {last.job_id}"
    )
