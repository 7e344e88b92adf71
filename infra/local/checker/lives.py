"""Custom jobs' lives from the journal's facts, and what in them contradicts itself or never ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from infra.local.checker.entries import (
    CustomJobCreated,
    Entry,
    ReplicaEnded,
    ReplicasTaken,
    ReplicaStarted,
    StateChanged,
)
from infra.local.checker.report import CustomJobLife, Finding, FindingKind

TERMINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"})


@dataclass(frozen=True, kw_only=True)
class Lives:
    by_number: dict[str, CustomJobLife]
    findings: tuple[Finding, ...]


def lives_of(entries: Iterable[Entry]) -> Lives:
    """The life of every custom job that the journal shows being created."""
    lives: dict[str, CustomJobLife] = {}
    findings: list[Finding] = []
    for entry in entries:
        if entry.at is None:
            continue
        match entry.fact:
            case CustomJobCreated() as created if created.custom_job in lives:
                findings.append(_inconsistent(f"custom job {created.custom_job} is created twice", entry.at))
            case CustomJobCreated() as created:
                lives[created.custom_job] = _born(created, entry.line, entry.at)
            case StateChanged(custom_job=number) | ReplicasTaken(custom_job=number) if number not in lives:
                findings.append(_inconsistent(f"custom job {number} acts but was never created", entry.at))
            case StateChanged() as change:
                life = lives[change.custom_job]
                findings += [_inconsistent(problem, entry.at) for problem in _problems(life, change)]
                lives[change.custom_job] = _moved(life, change, entry.line, entry.at)
            case ReplicasTaken(custom_job=number):
                life = lives[number]
                if life.taken is None:
                    lives[number] = replace(life, taken=entry.at, taken_on=entry.line)
            case _:
                pass
    return Lives(by_number=lives, findings=(*findings, *_without_end(lives.values())))


def _born(created: CustomJobCreated, line: int, at: datetime) -> CustomJobLife:
    return CustomJobLife(
        custom_job=created.custom_job,
        display_name=created.display_name,
        resource=created.resource,
        labels=created.labels,
        demands=created.demands,
        state="",
        error=None,
        created=at,
        taken=None,
        started=None,
        ended=None,
        created_on=line,
        taken_on=None,
        ended_on=None,
    )


def _moved(life: CustomJobLife, change: StateChanged, line: int, at: datetime) -> CustomJobLife:
    life = replace(life, state=change.state, error=change.error or life.error)
    if change.state == "RUNNING" and life.started is None:
        life = replace(life, started=at)
    if change.state in TERMINAL and life.ended is None:
        life = replace(life, ended=at, ended_on=line)
    return life


def _problems(life: CustomJobLife, change: StateChanged) -> Iterator[str]:
    number = life.custom_job
    if life.state in TERMINAL:
        yield f"custom job {number} becomes {change.state} after its end as {life.state}"
    elif life.state and change.before and change.before != life.state:
        yield f"custom job {number} leaves {change.before} but was {life.state}"
    if change.state == "RUNNING" and life.resource and life.demands and life.taken is None:
        yield f"custom job {number} runs without having taken replicas"


def _without_end(lives: Iterable[CustomJobLife]) -> Iterator[Finding]:
    for life in lives:
        if life.ended is None:
            yield Finding(
                kind=FindingKind.NO_END,
                detail=f"custom job {life.custom_job} ({life.display_name}) is still {life.state or 'new'}",
                at=life.created,
            )


def process_findings(entries: Iterable[Entry]) -> Iterator[Finding]:
    """Replicas' processes that ended without a start, started twice at once, or never ended."""
    running: dict[tuple[str, str, int], datetime] = {}
    for entry in entries:
        if entry.at is None:
            continue
        match entry.fact:
            case ReplicaStarted(custom_job=number, replica=replica, pid=pid):
                if (number, replica, pid) in running:
                    yield _inconsistent(f"process {pid} of {number} {replica} starts twice", entry.at)
                running[number, replica, pid] = entry.at
            case ReplicaEnded(custom_job=number, replica=replica, pid=pid):
                if running.pop((number, replica, pid), None) is None:
                    yield _inconsistent(f"process {pid} of {number} {replica} ends without a start", entry.at)
            case _:
                pass
    for (number, replica, pid), at in running.items():
        detail = f"process {pid} of custom job {number} {replica} never ended"
        yield Finding(kind=FindingKind.PROCESS_WITHOUT_END, detail=detail, at=at)


def _inconsistent(detail: str, at: datetime) -> Finding:
    return Finding(kind=FindingKind.INCONSISTENT, detail=detail, at=at)
