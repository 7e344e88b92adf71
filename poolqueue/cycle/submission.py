"""Submits admitted jobs to Vertex AI, one create call per submission token, and records what it answered."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any, assert_never

from poolqueue.announcing import Announcement, announce_and_remember
from poolqueue.cycle.draft import Admission
from poolqueue.cycle.retrying import until_settled
from poolqueue.ports import (
    INSTALLATION_LABEL,
    JOB_LABEL,
    MEMBER_LABEL,
    TEAM_LABEL,
    TOKEN_LABEL,
    Created,
    RefusalKind,
    Refused,
    Replace,
    Unanswered,
    VertexUnavailable,
)
from poolqueue.records import ResourceName, job_path, read_job, write_job
from poolqueue.scheduling.arrays import member_of
from poolqueue.scheduling.changes import SubmissionFailed, submitted
from poolqueue.scheduling.jobs import Job, Reason, State
from poolqueue.scheduling.matching import Assignment
from poolqueue.scheduling.specs import canonical_machine
from poolqueue.system import System

CALLS_AT_ONCE = 8

log = logging.getLogger(__name__)


class Submissions:
    """The create calls of one cycle, a few at a time.

    `failures` are the submissions of which it is by now certain that they left no custom job; they stay until
    they were put back in the queue.
    """

    def __init__(self, system: System, name: ResourceName) -> None:
        self._system = system
        self._name = name
        self._executor: ThreadPoolExecutor | None = None
        self._calls: list[Future[SubmissionFailed | None]] = []
        self._failures: list[SubmissionFailed] = []

    def begin(self, admissions: list[tuple[Admission, object]]) -> None:
        """Begin to submit these; each comes with the version of its job's document."""
        for admission, version in admissions:
            self._calls.append(self._threads().submit(self._submit, admission, version))

    def cancel(self, custom_jobs: Iterable[str]) -> None:
        """Begin to cancel these, whose jobs were preempted; what is not answered the sweep asks again."""
        for custom_job in custom_jobs:
            self._calls.append(self._threads().submit(self._cancel, custom_job))

    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="submit")
        return self._executor

    def failures(self) -> list[SubmissionFailed]:
        finished = [call for call in self._calls if call.done()]
        self._calls = [call for call in self._calls if call not in finished]
        self._failures += [failed for call in finished if (failed := _result(call)) is not None]
        return list(self._failures)

    def wait_for_failures(self) -> bool:
        """Wait for all calls; True when there are failures to put back."""
        wait(self._calls)
        return bool(self.failures())

    def put_back(self, failures: Sequence[SubmissionFailed]) -> None:
        """These are back in the queue, or ended."""
        self._failures = [failed for failed in self._failures if failed not in failures]

    def close(self) -> None:
        if self._executor is not None:
            self._executor.shutdown()

    def _submit(self, admission: Admission, version: object) -> SubmissionFailed | None:
        reservation = admission.reservation
        if self._system.clock() >= reservation.submit_by:
            return _not_sent(admission)
        timing = self._system.settings.timing
        answer = self._system.submitter.create(
            self._name.parent,
            body_of(admission, self._system.settings.installation, now=self._system.clock()),
            timeout_seconds=timing.call_timeout.total_seconds(),
        )
        _log_answer(admission, answer)
        match answer:
            case Created(custom_job=custom_job):
                self._record(admission, version, custom_job.name)
                return None
            case Refused():
                return _failure(admission, answer)
            case Unanswered():
                return None
            case unreachable:
                assert_never(unreachable)

    def _record(self, admission: Admission, version: object, custom_job: str) -> None:
        """Fenced by the token: whatever happened to the job meanwhile, the name belongs to this attempt."""
        stored: list[tuple[Job, object]] = [(admission.job, version)]

        def attempt() -> Job | None:
            job, at_version = stored.pop() if stored else self._read(admission.job.key)
            now = self._system.clock()
            if job.token != admission.reservation.token or job.state is State.ENDED:
                return None
            if job.custom_job is not None:
                return job
            after = submitted(job, custom_job=custom_job, now=now)
            path = job_path(job.key)
            fields = write_job(after, retention=self._system.settings.retention)
            write = Replace(path=path, fields=fields, version=at_version)
            self._system.documents.commit([write])
            return after

        job = until_settled(self._system, attempt)
        if job is None or job.state is State.CANCELLING:
            self._cancel(custom_job)
        if job is not None:
            change = Announcement(job=job, first=admission.job.sequence + 1)
            announce_and_remember(self._system, self._name, [change])

    def _read(self, key: str) -> tuple[Job, object]:
        document = self._system.documents.read([job_path(key)])[0]
        assert document.fields is not None
        return read_job(document.fields), document.version

    def _cancel(self, custom_job: str) -> None:
        """Nobody wants it any more; if this call fails, the sweep repeats it."""
        try:
            self._system.submitter.cancel(custom_job)
        except VertexUnavailable as error:
            log.warning("cancel_unanswered", extra={"custom_job": custom_job, "error": str(error)})


def _result(call: Future[SubmissionFailed | None]) -> SubmissionFailed | None:
    """One call whose answer could not be recorded stays unresolved, for the sweep; the others' count."""
    error = call.exception()
    if error is not None and not isinstance(error, Exception):
        raise error
    if error is not None:
        log.error("answer_not_recorded", exc_info=error)
        return None
    return call.result()


def body_of(admission: Admission, installation: str, *, now: datetime) -> Mapping[str, Any]:
    """The request's custom job as it is sent: to the resource that admitted it, with our labels, the disks
    that matching filled in, the machines of another pool where a retry goes there, and a timeout that ends
    the attempt by the job's deadline.
    """
    body: dict[str, Any] = json.loads(admission.job.custom_job_body)
    labels = {
        INSTALLATION_LABEL: installation,
        TOKEN_LABEL: admission.reservation.token,
        TEAM_LABEL: admission.job.team,
        **_job_labels(admission.job.job_id),
    }
    body["labels"] = {**body.get("labels", {}), **labels}
    body["jobSpec"]["persistentResourceId"] = ResourceName.from_key(admission.job.resource).id
    if admission.job.deadline is not None:
        _cut_timeout(body["jobSpec"], admission.job.deadline - now)
    specs = body["jobSpec"]["workerPoolSpecs"]
    for assignment in admission.admit.assignments:
        _place(specs[assignment.index], assignment)
    return body


def _job_labels(job_id: str) -> dict[str, str]:
    """A label's value has no dot."""
    member = member_of(job_id)
    return {JOB_LABEL: job_id} if member is None else {JOB_LABEL: member[0], MEMBER_LABEL: str(member[1])}


def _place(spec: dict[str, Any], assignment: Assignment) -> None:
    if canonical_machine(spec["machineSpec"]) != assignment.machine:
        spec["machineSpec"] = json.loads(assignment.machine)
    spec["diskSpec"] = json.loads(assignment.disk)


def _cut_timeout(spec: dict[str, Any], left: timedelta) -> None:
    """Never above the timeout that is there: every body has one, the request's or the team's."""
    scheduling = spec.get("scheduling", {})
    most = max(1, math.floor(left.total_seconds()))
    if most < float(scheduling.get("timeout", "inf").removesuffix("s")):
        spec["scheduling"] = {**scheduling, "timeout": f"{most}s"}


def _not_sent(admission: Admission) -> SubmissionFailed:
    return SubmissionFailed(
        key=admission.job.key,
        token=admission.reservation.token,
        reason=Reason.NEVER_CREATED,
        message="the time to submit it passed before its turn came; nothing was sent",
        backs_off=False,
    )


def _failure(admission: Admission, answer: Refused) -> SubmissionFailed:
    reason = _REASONS[answer.kind]
    return SubmissionFailed(
        key=admission.job.key,
        token=admission.reservation.token,
        reason=reason,
        message=answer.message,
        error_class=answer.error_class,
        is_final=answer.kind is RefusalKind.TERMINAL,
        pools_refused=answer.kind in {RefusalKind.CAPACITY, RefusalKind.QUOTA, RefusalKind.NOT_READY},
        not_ready=answer.kind is RefusalKind.NOT_READY,
        backs_off=False,
    )


_REASONS = {
    RefusalKind.TERMINAL: Reason.REFUSED_BY_VERTEX_AI,
    RefusalKind.NOT_READY: Reason.RESOURCE_NOT_READY,
    RefusalKind.CAPACITY: Reason.CAPACITY_REFUSED,
    RefusalKind.QUOTA: Reason.QUOTA,
    RefusalKind.RATE: Reason.PACED,
}


def _log_answer(admission: Admission, answer: Created | Refused | Unanswered) -> None:
    fields = {"job": admission.job.key, "attempt": admission.job.attempt}
    match answer:
        case Created(custom_job=custom_job):
            log.info("submitted", extra={**fields, "custom_job": custom_job.name})
        case Refused(kind=kind, message=message):
            log.warning("submission_refused", extra={**fields, "kind": kind.value, "error": message})
        case Unanswered(message=message):
            log.warning("submission_unresolved", extra={**fields, "error": message})
        case unreachable:
            assert_never(unreachable)
