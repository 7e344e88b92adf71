"""How far each job of the demo is, from what was announced on `job-outcomes` alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from infra.local.stack import Announcement
from poolqueue.scheduling.jobs import Outcome, State

FIRST = 1


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """All announcements about one job, in their order; a copy of one counts once."""

    job_id: str
    announced: tuple[dict[str, Any], ...]

    @property
    def last(self) -> dict[str, Any]:
        return self.announced[-1]

    @property
    def is_considered(self) -> bool:
        """It was recorded and then admitted, refused, or told why it waits."""
        return self.last["sequence"] > FIRST or self.has_ended

    @property
    def has_ended(self) -> bool:
        return bool(self.last["state"] == State.ENDED.value)

    @property
    def outcome(self) -> Outcome | None:
        return Outcome(self.last["outcome"]) if self.has_ended else None

    @property
    def requeued(self) -> tuple[dict[str, Any], ...]:
        """The announcements that it was considered and stays in the queue, or returned to it."""
        again = [each for each in self.announced if each["sequence"] > FIRST]
        return tuple(each for each in again if each["state"] == State.QUEUED.value)

    @property
    def is_complete(self) -> bool:
        """No change is missing."""
        return [each["sequence"] for each in self.announced] == list(range(FIRST, len(self.announced) + 1))

    @property
    def ran(self) -> timedelta | None:
        """From start to end, as Vertex AI tells them."""
        started, ended = self.last.get("started"), self.last.get("ended")
        if not self.has_ended or started is None or ended is None:
            return None
        return datetime.fromisoformat(ended) - datetime.fromisoformat(started)

    @property
    def reserved(self) -> datetime | None:
        """When its replicas were first set aside."""
        found = [each["at"] for each in self.announced if each["state"] == State.RESERVED.value]
        return datetime.fromisoformat(found[0]) if found else None

    def at(self, sequence: int) -> datetime | None:
        found = [each["at"] for each in self.announced if each["sequence"] == sequence]
        return datetime.fromisoformat(found[0]) if found else None


def progress(announcements: Iterable[Announcement]) -> dict[str, JobProgress]:
    """By `job_id`, in the order in which each was first heard of."""
    by_job: dict[str, dict[int, dict[str, Any]]] = {}
    for each in announcements:
        by_job.setdefault(each.body["job_id"], {})[each.body["sequence"]] = each.body
    return {
        job_id: JobProgress(job_id=job_id, announced=tuple(bodies[number] for number in sorted(bodies)))
        for job_id, bodies in by_job.items()
    }
