"""The members of arrays, as far as commands have to do with them one by one."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from poolqueue.cycle import settle
from poolqueue.new_job import member_job
from poolqueue.ports import VertexUnavailable
from poolqueue.records import ResourceName, job_path, read_job, read_template, template_path
from poolqueue.scheduling import members
from poolqueue.scheduling.arrays import Array, array_key, member_id, member_of, numbers_of
from poolqueue.scheduling.commands import CancelAsked, Commanded, Order
from poolqueue.scheduling.jobs import Job, Reason, State, job_key, record
from poolqueue.system import System

CHANGES_AT_ONCE = 20  # of 320 KB each, at the most
CANCELS_AT_ONCE = 30  # of the requests that Vertex AI allows; sweeps ask for as many each minute

log = logging.getLogger(__name__)


class Members:
    """`deadline` is that of the invocation."""

    def __init__(self, system: System, *, deadline: datetime) -> None:
        self._system = system
        self._deadline = deadline

    def waiting(self, key: str, known: Job | None) -> Job | None:
        """The job that a member gets which waits in the line of its array; `known` is what it had before."""
        array = array_key(key)
        if array is None or (known is not None and known.state is not State.ENDED):
            return None
        found, template = self._system.documents.read([job_path(array), template_path(array)])
        if found.fields is None or template.fields is None:
            return None
        job, job_id = read_job(found.fields), key.partition(".")[2]
        if not members.awaits(job, job_id):
            return None
        if known is not None:
            return members.again(known, job, now=self._system.clock())
        return record(member_job(job, read_template(template.fields), job_id), at=job.created)

    def first(self, job: Job) -> Job:
        """Of an array its first member, which asks for what all of them do; any other job itself."""
        if job.array is None:
            return job
        fields = self._system.documents.read([template_path(job.key)])[0].fields
        return job if fields is None else member_job(job, read_template(fields), member_id(job.job_id, 0))

    def outcome(self, team: str, job_id: str) -> str | None:
        """How a member ended that never had a job of its own."""
        found = member_of(job_id)
        fields = self._read([job_key(team, found[0])])[0] if found is not None else None
        if found is None or fields is None or fields.array is None:
            return None
        ended = fields.array.ended.items()
        return next((outcome for outcome, numbers in ended if numbers >> found[1] & 1), None)

    def cancel(self, job: Job, array: Array, order: Order) -> str:
        """Cancel those that have a job which has not ended; what was done, in words. Those of which Vertex AI
        is not asked at once the sweeps ask about.
        """
        waited = array.ended.get("cancelled", 0) & ~array.apart
        keys = [job_key(job.team, member_id(job.job_id, n)) for n in numbers_of(array.active)]
        asked = 0
        for start in range(0, len(keys), CHANGES_AT_ONCE):
            chunk = keys[start : start + CHANGES_AT_ONCE]
            self._settle([each for each in self._read(chunk) if each is not None], order)
            asked += self._ask_vertex(self._read(chunk), CANCELS_AT_ONCE - asked)
        told = [f"cancelled; of its members {waited.bit_count()} waited and will not run"]
        return ", ".join([*told, *([f"{len(keys)} are being cancelled"] if keys else [])])

    def _settle(self, jobs: Sequence[Job], order: Order) -> None:
        """Each where it is."""
        alive = [each for each in jobs if each.state is not State.ENDED]
        for resource in dict.fromkeys(each.resource for each in alive):
            changes = [
                Commanded(asked=CancelAsked(key=each.key, order=order))
                for each in alive
                if each.resource == resource
            ]
            settle(self._system, ResourceName.from_key(resource), changes, deadline=self._deadline)

    def _ask_vertex(self, jobs: Iterable[Job | None], most: int) -> int:
        asked = 0
        for job in jobs:
            if job is None or job.state is not State.CANCELLING or job.cancel_reason is not Reason.ASKED:
                continue
            if job.custom_job is None or asked >= most:
                continue
            asked += 1
            try:
                self._system.submitter.cancel(job.custom_job)
            except VertexUnavailable as error:
                log.warning("cancel_unanswered", extra={"job": job.key, "error": str(error)})
        return asked

    def _read(self, keys: Sequence[str]) -> list[Job | None]:
        documents = self._system.documents.read([job_path(key) for key in keys])
        return [None if each.fields is None else read_job(each.fields) for each in documents]
