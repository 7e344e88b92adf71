"""The checker: derives from the stand-in's journal alone whether the queue did right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra.local.checker.copies import after_success, by_job, job_of, overlaps, repeated_tokens
from infra.local.checker.entries import Entry, Malformed, OverCapacity, entries_of, read_journal
from infra.local.checker.lives import lives_of, process_findings
from infra.local.checker.occupancy import occupancy_of
from infra.local.checker.report import (
    CustomJobLife,
    Finding,
    FindingKind,
    JobKey,
    PoolKey,
    Report,
    Step,
)

__all__ = [
    "CustomJobLife",
    "Finding",
    "FindingKind",
    "JobKey",
    "PoolKey",
    "Report",
    "Step",
    "check_journal",
    "read_journal",
]


def check_journal(lines: Iterable[Mapping[str, Any]], *, allow_over_capacity: bool = False) -> Report:
    """What the journal shows, and everything in it that must not be.

    The order of lines is the order of events. With `allow_over_capacity` a create call that did not fit is
    no finding (another holder, or a fault on request, may have been quicker); taking more than there is
    always is one.
    """
    entries = tuple(entries_of(lines))
    lives = lives_of(entries)
    jobs, foreign = by_job(lives.by_number.values())
    ended = [number for number, life in lives.by_number.items() if life.ended]
    occupancy = occupancy_of(entries, ended=ended, allow_over_capacity=allow_over_capacity)
    moments = [entry.at for entry in entries if entry.at]
    findings = (
        *_unreadable(entries),
        *occupancy.findings,
        *overlaps(jobs),
        *after_success(jobs),
        *repeated_tokens(entries),
        *lives.findings,
        *process_findings(entries),
    )
    return Report(
        jobs=jobs,
        foreign=tuple(foreign),
        pools=occupancy.steps,
        findings=findings,
        began=min(moments, default=None),
        stopped=max(moments, default=None),
        refused_creates=_refused_creates(entries),
    )


def _unreadable(entries: Iterable[Entry]) -> Iterator[Finding]:
    for entry in entries:
        if isinstance(entry.fact, Malformed):
            yield Finding(kind=FindingKind.MALFORMED, detail=entry.fact.problem, at=entry.at)


def _refused_creates(entries: Iterable[Entry]) -> dict[JobKey, int]:
    keys = [
        job_of(entry.fact.labels)
        for entry in entries
        if isinstance(entry.fact, OverCapacity) and entry.fact.custom_job is None
    ]
    return dict(Counter(key for key in keys if key is not None))
