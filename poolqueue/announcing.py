"""Announces changes of jobs on `job-outcomes`, and remembers which of them need no second announcement."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from poolqueue.messages import outcome_message
from poolqueue.ports import Message, PublishFailed
from poolqueue.records import ResourceName
from poolqueue.scheduling.jobs import Job, Move
from poolqueue.scheduling.problems import Problem
from poolqueue.system import System

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Change:
    """The entries of a job's history from the sequence number `first` on, or to `last` if that is given."""

    job: Job
    first: int
    last: int | None = None

    def entries(self) -> list[Move]:
        last = self.job.sequence if self.last is None else self.last
        return [entry for entry in self.job.history if self.first <= entry.sequence <= last]


class Announcer:
    """Publishes changes once they are committed; shared by the threads of one invocation.

    `settled` are the last announced sequence numbers by job, to be noted in the resource's document with its
    next write. What could not be published stays unannounced there, and the sweep publishes it.
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._lock = threading.Lock()
        self._settled: dict[str, int] = {}

    def announce(self, changes: Iterable[Change]) -> bool:
        """Publish; False when Pub/Sub did not take it all."""
        listed = list(changes)
        messages = [_message(self._system, c.job, entry) for c in listed for entry in c.entries()]
        if not messages:
            return True
        try:
            self._system.publisher.publish_all(messages)
        except PublishFailed as error:
            log.warning("outcomes_not_published", extra={"count": len(messages), "error": str(error)})
            return False
        with self._lock:
            for change in listed:
                last = max(change.job.sequence, self._settled.get(change.job.key, 0))
                self._settled[change.job.key] = last
        return True

    def settled(self) -> dict[str, int]:
        with self._lock:
            return dict(self._settled)

    def forget(self, noted: dict[str, int]) -> None:
        """These were noted in the resource's document."""
        with self._lock:
            for key, last in noted.items():
                if self._settled.get(key) == last:
                    del self._settled[key]


def _message(system: System, job: Job, entry: Move) -> Message:
    custom_job = job.custom_job if entry.attempt == job.attempt else None
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
        error=job.error,
        queued=job.created,
        submitted=job.submitted,
        started=job.started,
        ended=job.ended,
    )
    topic = system.topic(system.settings.outcomes_topic)
    return Message(topic=topic, body=body, attributes=attributes)
