"""Copies: a submission token seen twice, and custom jobs that one job must not have: two at the same time,
or one more after success.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from infra.local.checker.entries import CreateCall, CustomJobCreated, Entry, Fact, OverCapacity
from infra.local.checker.report import CustomJobLife, Finding, FindingKind, JobKey

TOKEN = "pool_queue_token"
TEAM = "pool_queue_team"
JOB = "pool_queue_job"
MEMBER = "pool_queue_member"


def by_job(
    lives: Iterable[CustomJobLife],
) -> tuple[dict[JobKey, tuple[CustomJobLife, ...]], list[CustomJobLife]]:
    """The custom jobs of each job in order of creation, and those that are of no job."""
    jobs: defaultdict[JobKey, list[CustomJobLife]] = defaultdict(list)
    foreign: list[CustomJobLife] = []
    for life in sorted(lives, key=lambda life: life.created_on):
        key = job_of(life.labels)
        if key is None:
            foreign.append(life)
        else:
            jobs[key].append(life)
    return {key: tuple(several) for key, several in jobs.items()}, foreign


def job_of(labels: Mapping[str, str]) -> JobKey | None:
    """A member of an array is a job of its own."""
    if JOB not in labels:
        return None
    member = f".{labels[MEMBER]}" if MEMBER in labels else ""
    return (labels.get(TEAM, ""), f"{labels[JOB]}{member}")


def overlaps(jobs: Mapping[JobKey, tuple[CustomJobLife, ...]]) -> Iterator[Finding]:
    for (team, job), lives in jobs.items():
        for first, second in itertools.combinations(lives, 2):
            if first.ended_on is None or second.created_on < first.ended_on:
                yield Finding(
                    kind=FindingKind.OVERLAP,
                    detail=f"{team}/{job}: {second.custom_job} was created before {first.custom_job} ended",
                    at=second.created,
                )


def after_success(jobs: Mapping[JobKey, tuple[CustomJobLife, ...]]) -> Iterator[Finding]:
    """Whatever was cancelled, preempted or refused may come again; what has succeeded may not."""
    for (team, job), lives in jobs.items():
        successes = [life for life in lives if life.state == "SUCCEEDED"]
        for first, second in itertools.product(successes, lives):
            if first.ended_on is not None and second.created_on > first.ended_on:
                yield Finding(
                    kind=FindingKind.AFTER_SUCCESS,
                    detail=f"{team}/{job}: {second.custom_job} came after {first.custom_job} had succeeded",
                    at=second.created,
                )


def repeated_tokens(entries: Iterable[Entry]) -> Iterator[Finding]:
    """One finding for every create call, or custom job, with a token that an earlier one bore.

    A call and the custom job that it made are one; calls are seen even if they were answered by an error.
    """
    entries = tuple(entries)
    calls = list(_repeats(entries, "a create call", _token_of_call))
    yield from calls
    if not calls:
        yield from _repeats(entries, "a custom job or refusal", _token_of_effect)


def _repeats(
    entries: Iterable[Entry], what: str, token_of: Callable[[Fact], str | None]
) -> Iterator[Finding]:
    seen: dict[str, datetime] = {}
    for entry in entries:
        token = token_of(entry.fact)
        if token is None or entry.at is None:
            continue
        if token in seen:
            detail = f"{what} bears token {token}, as another did at {seen[token]:%H:%M:%S.%f}"
            yield Finding(kind=FindingKind.REPEATED_TOKEN, detail=detail, at=entry.at)
        seen.setdefault(token, entry.at)


def _token_of_call(fact: Fact) -> str | None:
    return fact.labels.get(TOKEN) if isinstance(fact, CreateCall) else None


def _token_of_effect(fact: Fact) -> str | None:
    match fact:
        case CustomJobCreated(labels=labels) | OverCapacity(labels=labels, custom_job=None):
            return labels.get(TOKEN)
        case _:
            return None
