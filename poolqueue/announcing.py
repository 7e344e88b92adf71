"""Announces changes of jobs on `job-outcomes`."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from poolqueue.announced import Span
from poolqueue.messages import outcome_message
from poolqueue.ports import Message, PublishFailed
from poolqueue.records import ResourceName
from poolqueue.scheduling.arrays import member_of
from poolqueue.scheduling.failures import Failure
from poolqueue.scheduling.jobs import Job, Move, Reason, State
from poolqueue.scheduling.problems import Problem
from poolqueue.scheduling.retries import charged
from poolqueue.system import System

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """The entries of a job's history from the sequence number `first` on, or to `last` if that is given."""

    job: Job
    first: int
    last: int | None = None

    def entries(self) -> list[Move]:
        last = self.job.sequence if self.last is None else self.last
        return [entry for entry in self.job.history if self.first <= entry.sequence <= last]


def announce(system: System, changes: Iterable[Announcement]) -> bool:
    """Publish; False when Pub/Sub did not take it all. What it did not take, the sweep announces again."""
    messages = [_message(system, change.job, entry) for change in changes for entry in change.entries()]
    try:
        system.publisher.publish_all(messages)
    except PublishFailed as error:
        log.warning("outcomes_not_published", extra={"count": len(messages), "error": str(error)})
        return False
    return True


def announce_and_remember(system: System, name: ResourceName, changes: Iterable[Announcement]) -> None:
    """Publish changes that the resource's document lists, and remember to take them off its list."""
    listed = [change for change in changes if change.entries()]
    if listed and announce(system, listed):
        spans = {c.job.key: Span(first=c.first, last=c.job.sequence) for c in listed}
        system.announced.add(name.key, spans)


def _message(system: System, job: Job, entry: Move) -> Message:
    custom_job = job.custom_job if entry.attempt == job.attempt else None
    failure = _failure_told(job, entry)
    body, attributes = outcome_message(
        job_id=job.public_id,
        team=job.team,
        state=entry.state.value,
        outcome=None if entry.outcome is None else entry.outcome.value,
        sequence=entry.sequence,
        at=entry.at,
        reason=None if entry.reason is None else entry.reason.value,
        note=entry.note,
        attempt=entry.attempt,
        persistent_resource=ResourceName.from_key(job.resource).full,
        custom_job=custom_job,
        problems=[Problem(**problem) for problem in job.problems],
        error=_error_told(job, entry, failure),
        failure=None if failure is None else _failure_fields(job, failure),
        queued=job.arrived,
        submitted=job.submitted,
        started=job.started,
        ended=job.ended,
        array=None if (member := member_of(job.job_id)) is None else member[0],
        members=None if job.array is None else {"size": job.array.size, **job.array.counts()},
    )
    topic = system.topic(system.settings.outcomes_topic)
    return Message(topic=topic, body=body, attributes=attributes)


def _failure_told(job: Job, entry: Move) -> Failure | None:
    """That of the attempt that ended badly with this change, if it is one."""
    failure = next((failure for failure in job.failures if failure.attempt == entry.attempt), None)
    if failure is None or entry.reason is Reason.RETRIED or entry.outcome == failure.end.value:
        return failure
    return None


def _error_told(job: Job, entry: Move, failure: Failure | None) -> str | None:
    return job.error if failure is None or entry.state is State.ENDED else failure.error


def _failure_fields(job: Job, failure: Failure) -> dict[str, object]:
    """`charged` of `attempts` are used up with it."""
    until = job.failures[: job.failures.index(failure) + 1]
    fields = {
        "charged": charged(until),
        "attempts": job.retries.attempts,
        "is_charged": failure.is_charged,
        "rule": failure.rule,
        "exit_codes": list(failure.exit_codes) or None,
        "error_class": failure.error_class,
    }
    return {name: value for name, value in fields.items() if value is not None}
