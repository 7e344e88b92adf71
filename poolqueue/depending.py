"""What a new job depends on: whether all of it is known, and how it is recorded there that it waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from poolqueue.messages import Problem
from poolqueue.ports import Conflict, Document, Replace, Write
from poolqueue.records import job_path, read_job, write_job
from poolqueue.scheduling.dependants import DEPENDANTS_LIMIT, recorded
from poolqueue.scheduling.dependency import Dependency
from poolqueue.scheduling.jobs import Job, Reason, State, job_key
from poolqueue.system import Known

MOST_BYTES = 5_000_000  # of the requests of all that a job depends on: one commit writes them


@dataclass(frozen=True, kw_only=True)
class Unsound:
    """Why a job cannot depend on what it names."""

    problems: tuple[Problem, ...]
    reason: Reason


def check_dependencies(system: Known, job: Job) -> Unsound | None:
    """Whether all that the job depends on is known, and may be depended on by one more job.

    One read per dependency, and none without.
    """
    if not job.depends_on:
        return None
    found = _dependencies(system, job)
    known = [each for _, each in found if each is not None and each.state is not State.ENDED]
    reason = Reason.UNKNOWN_JOB
    problems = [_unknown(job, place) for place, (_, each) in enumerate(found) if each is None]
    if not problems:
        reason = Reason.TOO_MANY_WAITING
        problems = [*_too_many(job, known), *_too_large(known)]
    return Unsound(problems=tuple(problems), reason=reason) if problems else None


def tied(system: Known, job: Job) -> tuple[Job, list[Write]]:
    """The job with its first entry, and what is to be written together with it: each job that it waits for
    learns of it, on the condition that it has not ended meanwhile.

    Raises `Conflict` when one of them has gone.
    """
    found = _dependencies(system, job)
    jobs = [each for _, each in found if each is not None]
    if len(jobs) < len(found):
        raise Conflict(job.key)
    ended = {each.job_id: each.outcome for each in jobs if each.outcome is not None}
    first = recorded(job, ended, at=job.created)
    awaited = {each.job_id for each in first.waits_for}
    return first, [
        _with_dependant(system, document, each, job.job_id)
        for document, each in found
        if each is not None and each.job_id in awaited
    ]


def awaited(system: Known, job: Job) -> tuple[tuple[Dependency, ...], list[Write]]:
    """Of a job that is retried: those of its dependencies that have not ended, and what is to be written so
    that they know of it.
    """
    found = [
        (dependency, document, each)
        for dependency, (document, each) in zip(job.depends_on, _dependencies(system, job), strict=True)
        if each is not None and each.state is not State.ENDED
    ]
    left = tuple(dependency for dependency, _, _ in found)
    return left, [
        _with_dependant(system, document, each, job.job_id)
        for _, document, each in found
        if job.job_id not in each.dependants
    ]


def _with_dependant(system: Known, document: Document, job: Job, dependant: str) -> Write:
    dependants = tuple(dict.fromkeys([*job.dependants, dependant]))
    fields = write_job(replace(job, dependants=dependants), retention=system.settings.retention)
    return Replace(path=document.path, fields=fields, version=document.version)


def _dependencies(system: Known, job: Job) -> list[tuple[Document, Job | None]]:
    paths = [job_path(job_key(job.team, each.job_id)) for each in job.depends_on]
    documents = system.documents.read(paths)
    return [(each, None if each.fields is None else read_job(each.fields)) for each in documents]


def _unknown(job: Job, place: int) -> Problem:
    dependency = job.depends_on[place]
    return Problem(
        path=f"depends_on[{place}]",
        value=dependency.job_id,
        problem=f"team {job.team} has no job of this id",
        remedy="publish that one first, and this one once it is recorded; ended jobs expire in time",
    )


def _too_many(job: Job, known: Sequence[Job]) -> Iterator[Problem]:
    places = {each.job_id: place for place, each in enumerate(job.depends_on)}
    for each in known:
        if len(each.dependants) >= DEPENDANTS_LIMIT and job.job_id not in each.dependants:
            yield Problem(
                path=f"depends_on[{places[each.job_id]}]",
                value=each.job_id,
                problem=f"{len(each.dependants):,} jobs depend on this one, and no more may",
                remedy="depend on one of those instead, or on a job that comes between",
            )


def _too_large(known: Sequence[Job]) -> Iterator[Problem]:
    size = sum(len(each.custom_job_body.encode()) for each in known)
    if size > MOST_BYTES:
        yield Problem(
            path="depends_on",
            value=f"(a list of {len(known)})",
            problem=f"the requests of these jobs have {size:,} bytes together, more than {MOST_BYTES:,}",
            remedy="depend on fewer jobs, or on a job that comes between",
        )
