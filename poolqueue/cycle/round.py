"""One round of an admission cycle: read a bounded snapshot, decide, commit; all of it or nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from poolqueue.announced import Span
from poolqueue.cycle.draft import Admission, Draft, Moved
from poolqueue.cycle.pacing import Slots
from poolqueue.cycle.snapshot import COMMIT_BYTES, Snapshot, body_bytes, read_snapshot
from poolqueue.observation import look, reserved_tokens
from poolqueue.ports import VertexUnavailable
from poolqueue.records import ResourceName, job_path
from poolqueue.scheduling.admission import Admit, Policy, Reject, Verdict, Wait, admitted, decide
from poolqueue.scheduling.changes import Change
from poolqueue.scheduling.events import Event
from poolqueue.scheduling.jobs import Job, Reason, State
from poolqueue.system import System

ADMISSIONS_LIMIT = 140
NEW_LINES_LIMIT = 40
UNANNOUNCED_LIMIT = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a round is to do: changes to make and events to apply first; whether to take up new jobs, and ends
    that were only noted; whether to admit anything; and until when its submissions may begin.
    """

    changes: Sequence[Change] = ()
    events: Sequence[Event] = ()
    arrivals: bool = True
    endings: bool = False
    admit: bool = True
    submit_within: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a round committed. `more`: there is work that this commit could not carry; `due`: when time alone
    lets something start.
    """

    moved: Mapping[str, Moved] = field(default_factory=dict)
    admissions: Sequence[tuple[Admission, object]] = ()
    more: bool = False
    due: datetime | None = None


def run_round(
    system: System, name: ResourceName, asked: Asked, *, slots: Slots, announced: Mapping[str, Span]
) -> Round:
    """One attempt. Raises `Conflict` when somebody else committed in between: then run it again."""
    snapshot = read_snapshot(system.documents, name, arrivals=asked.arrivals, endings=asked.endings)
    snapshot.read_jobs(change.key for change in asked.changes)
    draft = Draft(snapshot, now=system.clock())
    draft.apply(*asked.events)
    for change in asked.changes:
        draft.change(change)
    for ending in snapshot.endings:
        draft.end(ending)
    verdicts: list[Verdict] = []
    if asked.admit and _has_room(draft):
        _refresh(system, snapshot, draft)
        verdicts = _decide(system, draft, slots, admit=not snapshot.more_arrivals)
    snapshot.read_jobs(_to_be_moved(verdicts))
    drawing = _Drawing(system, snapshot, draft, within=asked.submit_within)
    for verdict in verdicts:
        drawing.add(verdict)
    return _commit(system, draft, verdicts, slots, announced=announced, more=drawing.more)


def _has_room(draft: Draft) -> bool:
    """While outcomes cannot be published, nothing begins that would have to be announced."""
    listed = len(draft.resource.unannounced)
    if listed >= UNANNOUNCED_LIMIT:
        log.error("announcements_pending", extra={"resource": draft.resource.name, "count": listed})
    return listed < UNANNOUNCED_LIMIT


def _refresh(system: System, snapshot: Snapshot, draft: Draft) -> None:
    """Nobody admits on old news: if the last sweep is too long ago, look at Vertex AI now."""
    now = system.clock()
    if draft.resource.is_fresh(now) or not draft.waiting():
        return
    try:
        observed = look(
            system.observer,
            snapshot.name,
            ours=reserved_tokens(snapshot.resource) | reserved_tokens(draft.resource),
            installation=system.settings.installation,
            now=now,
        )
    except VertexUnavailable as error:
        log.warning("resource_not_observed", extra={"resource": snapshot.name.full, "error": str(error)})
        return
    draft.apply(observed)


def _decide(system: System, draft: Draft, slots: Slots, *, admit: bool) -> list[Verdict]:
    """Decide as if there were slots enough, take those that it needs, and decide with what was granted.

    Without `admit` nothing is to start yet: as long as there are arrivals that nobody has looked at, one of
    them may come before those that would start now.
    """
    now = system.clock()
    policy = Policy()
    queue = draft.waiting()
    verdicts = decide(draft.resource, queue, now=now, slots=ADMISSIONS_LIMIT, policy=policy)
    wanted = len(admitted(verdicts)) if admit else 0
    granted = slots.hold(wanted)
    if granted == wanted:
        return verdicts
    return decide(draft.resource, queue, now=now, slots=granted, policy=policy)


def _to_be_moved(verdicts: Sequence[Verdict]) -> list[str]:
    """The jobs that this round may move, as many as it may: they are read in one go."""
    new = [v.waiting.key for v in verdicts if isinstance(v, Reject) or _is_news(v)]
    return [admit.waiting.key for admit in admitted(verdicts)] + new[:NEW_LINES_LIMIT]


def _is_news(verdict: Verdict) -> bool:
    """Is this the first time that the job was held against its pools?"""
    return isinstance(verdict, Wait) and verdict.waiting.is_new and verdict.has_pools


class _Drawing:
    """Puts verdicts into a draft, as many as one commit can carry; `more` tells that some were left."""

    def __init__(self, system: System, snapshot: Snapshot, draft: Draft, *, within: timedelta) -> None:
        self._system = system
        self._snapshot = snapshot
        self._draft = draft
        self._within = within
        self._bytes = COMMIT_BYTES
        self._lines = NEW_LINES_LIMIT
        self.more = snapshot.more_arrivals or snapshot.more_endings

    def add(self, verdict: Verdict) -> None:
        key = verdict.waiting.key
        arrives = key in self._snapshot.arrivals and key not in self._draft.moved
        match verdict:
            case Admit() if self._snapshot.more_arrivals:
                if arrives:
                    self._draft.defer(key)
            case Admit():
                self._admit(verdict)
            case Wait():
                if arrives or (_is_news(verdict) and self._takes_up(key)):
                    self._draft.fold(verdict)
            case Reject():
                if arrives or self._takes_up(key):
                    self._draft.reject(verdict)
            case unreachable:
                assert_never(unreachable)

    def _admit(self, admit: Admit) -> None:
        job = self._waiting_job(admit.waiting.key)
        if job is None:
            return
        self._bytes -= body_bytes(job)
        if self._bytes < 0 and self._draft.admissions:
            self.more = True
            return
        self._draft.admit(admit, token=self._system.token(), submit_within=self._within)

    def _takes_up(self, key: str) -> bool:
        """Is there room for one more job whose line was new until now?"""
        self._lines -= 1
        job = self._waiting_job(key) if self._lines >= 0 else None
        if job is not None:
            self._bytes -= body_bytes(job)
        self.more = self.more or self._lines < 0 or self._bytes < 0
        return job is not None and self._bytes >= 0

    def _waiting_job(self, key: str) -> Job | None:
        """The job of a line; None, and the line goes, if it does not wait any more."""
        job = self._draft.job(key)
        if job is None or job.state is not State.QUEUED:
            self._draft.drop_line(key)
            self.more = True
            return None
        return job


def _commit(
    system: System,
    draft: Draft,
    verdicts: Sequence[Verdict],
    slots: Slots,
    *,
    announced: Mapping[str, Span],
    more: bool,
) -> Round:
    writes = draft.writes(announced)
    versions = dict(
        zip((write.path for write in writes), system.documents.commit(writes), strict=True) if writes else ()
    )
    slots.use(len(draft.admissions))
    _log_decisions(draft)
    paced = any(isinstance(v, Wait) and v.reason is Reason.PACED for v in verdicts)
    full = len(draft.admissions) >= ADMISSIONS_LIMIT
    return Round(
        moved=draft.moved,
        admissions=[(a, versions[job_path(a.job.key)]) for a in draft.admissions],
        more=more or full,
        due=_due(verdicts, slots.more_at if paced and not full else None),
    )


def _due(verdicts: Sequence[Verdict], more_slots_at: datetime | None) -> datetime | None:
    times = [v.until for v in verdicts if isinstance(v, Wait) and v.until is not None]
    return min([*times, *([more_slots_at] if more_slots_at else [])], default=None)


def _log_decisions(draft: Draft) -> None:
    for moved in draft.moved.values():
        job = moved.after
        log.info(
            "job_moved",
            extra={
                "job": job.key,
                "state": job.state.value,
                "attempt": job.attempt,
                "reason": job.reason and job.reason.value,
                "outcome": job.outcome and job.outcome.value,
            },
        )
