"""A job's attempts: when each had replicas, how it ended, and which rule said what came next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from poolqueue.scheduling.failures import Failure
from poolqueue.scheduling.jobs import Job, Move, State
from poolqueue.scheduling.retries import Retries, RetryRule, charged
from poolqueue.viewing.text import clock_time, safe, short_time

_OVER = {State.QUEUED, State.HELD, State.ENDED}
NOTE_LIMIT = 240


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Times are None where history has forgotten them, or does not know yet. `how` is its outcome, or why its
    job was requeued, and `note` says that in a sentence. `failure` is there if it ended badly. `custom_job`
    is its full name, None as long as there is none, or where that was forgotten.
    """

    number: int
    reserved: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    how: str | None = None
    note: str = ""
    failure: Failure | None = None
    custom_job: str | None = None


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """All that history knows of, the first one first; `charged` of `most` are used up."""

    each: tuple[Attempt, ...] = ()
    charged: int = 0
    most: int = 1

    @property
    def are_news(self) -> bool:
        """Is there more to say than that there was one?"""
        return len(self.each) > 1 or self.charged > 0 or self.most > 1


NO_ATTEMPTS = Attempts()


def attempts_of(job: Job) -> Attempts:
    numbers = dict.fromkeys(entry.attempt for entry in job.history if entry.attempt)
    failures = {failure.attempt: failure for failure in job.failures}
    each = tuple(
        _attempt(job, n, [entry for entry in job.history if entry.attempt == n], failures.get(n))
        for n in numbers
    )
    return Attempts(each=each, charged=charged(job.failures), most=job.retries.attempts)


def _attempt(job: Job, number: int, entries: Sequence[Move], failure: Failure | None) -> Attempt:
    end = next((entry for entry in entries if entry.state in _OVER), None)
    return Attempt(
        number=number,
        reserved=_at(entries, State.RESERVED),
        started=_at(entries, State.RUNNING),
        ended=None if end is None else end.at,
        how=None if end is None else _how(end),
        note="" if end is None else end.note or "",
        failure=failure,
        custom_job=_custom_job(job, number, entries),
    )


def _custom_job(job: Job, number: int, entries: Sequence[Move]) -> str | None:
    if number == job.attempt and job.custom_job is not None:
        return job.custom_job
    return next((entry.custom_job for entry in entries if entry.custom_job is not None), None)


def _at(entries: Sequence[Move], state: State) -> datetime | None:
    return next((entry.at for entry in entries if entry.state is state), None)


def _how(end: Move) -> str:
    known = end.outcome or end.reason
    return end.state.value if known is None else known.value


# --- in words --------------------------------------------------------------------------------------------


def attempts_told(attempts: Attempts, now: datetime) -> Iterator[str]:
    """`1: from 12:01:10, ran 8m03s, retried: rule 1 (exit code 137): retry on pool large; ...`."""
    if attempts.most > 1 or attempts.charged:
        yield f"{attempts.charged} of {attempts.most} charged"
    for attempt in attempts.each:
        yield _told(attempt, now)


def _told(attempt: Attempt, now: datetime) -> str:
    since = "" if attempt.reserved is None else f" from {clock_time(attempt.reserved, now)}"
    ran = _lasted(attempt, now)
    if attempt.how is None:
        return f"{attempt.number}:{since}{ran}, goes on"
    note = safe(attempt.note, limit=NOTE_LIMIT)
    return f"{attempt.number}:{since}{ran}, {attempt.how}" + (f": {note}" if note else "")


def _lasted(attempt: Attempt, now: datetime) -> str:
    """That it runs is seen up to a sweep late: of a short one perhaps only that it had replicas."""
    until = attempt.ended or now
    if attempt.started is not None:
        return f", ran {short_time(until - attempt.started)}"
    return "" if attempt.reserved is None else f", had replicas for {short_time(until - attempt.reserved)}"


def retries_told(retries: Retries) -> Iterator[str]:
    """What a job's retries say, a rule a line: `rule 1 (exit code 137): once, on pool large`."""
    whose = "the team's: " if retries.of_team else ""
    yield f"{whose}up to {retries.attempts} attempts charged"
    for number, rule in enumerate(retries.rules, start=1):
        yield safe(f"{retries.named(number)}: {_rule_told(rule)}", limit=NOTE_LIMIT)
    if not retries.rules:
        yield "each that failed is followed by another"


def _rule_told(rule: RetryRule) -> str:
    often = _OFTEN.get(rule.retry, f"{rule.retry} times")
    where = "" if rule.pool is None else f", on pool {rule.pool}"
    pause = "" if rule.pause is None else f", after {short_time(timedelta(seconds=rule.pause.first))}"
    return f"{often}{where}{pause}"


_OFTEN = {None: "again", 0: "never", 1: "once"}


# --- for programs ----------------------------------------------------------------------------------------


def attempts_fields(attempts: Attempts) -> dict[str, Any]:
    return {
        "charged_attempts": attempts.charged,
        "most_attempts": attempts.most,
        "attempts": [_fields(attempt) for attempt in attempts.each],
    }


def _fields(attempt: Attempt) -> dict[str, Any]:
    failure = attempt.failure
    return {
        "attempt": attempt.number,
        "reserved_at": _time(attempt.reserved),
        "started_at": _time(attempt.started),
        "ended_at": _time(attempt.ended),
        "ended_as": attempt.how,
        "note": attempt.note or None,
        "charged": failure and failure.is_charged,
        "rule": failure and failure.rule,
        "exit_codes": list(failure.exit_codes) if failure else [],
        "error_class": failure and failure.error_class,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
