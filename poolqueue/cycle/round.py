"""One round of an admission cycle: read a bounded snapshot, decide, commit; all of it or nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from poolqueue.announced import Span
from poolqueue.cycle.draft import Admission, Draft, Moved
from poolqueue.cycle.pacing import Slots
from poolqueue.cycle.snapshot import COMMIT_CHARACTERS, Snapshot, read_snapshot
from poolqueue.observation import look, reserved_tokens
from poolqueue.ports import VertexUnavailable
from poolqueue.records import ResourceName, job_path
from poolqueue.scheduling.admission import Admit, Policy, Reject, Verdict, Wait, admitted, decide
from poolqueue.scheduling.changes import Change
from poolqueue.scheduling.events import Event
from poolqueue.scheduling.jobs import Reason, State
from poolqueue.system import System

ADMISSIONS_LIMIT = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a round is to do: changes to make first, events to apply, and whether to look at new arrivals and
    to admit anything.
    """

    changes: Sequence[Change] = ()
    events: Sequence[Event] = ()
    arrivals: bool = True
    admit: bool = True


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
    snapshot = read_snapshot(system.documents, name, arrivals=asked.arrivals)
    snapshot.read_jobs(change.key for change in asked.changes)
    draft = Draft(snapshot, now=system.clock())
    draft.apply(*asked.events)
    for change in asked.changes:
        draft.change(change)
    for ending in snapshot.endings:
        draft.end(ending)
    verdicts: list[Verdict] = []
    if asked.admit:
        _refresh(system, snapshot, draft)
        verdicts = _decide(system, name, draft, slots)
    skipped = _draw_up(system, snapshot, draft, verdicts)
    return _commit(system, snapshot, draft, verdicts, slots, announced=announced, skipped=skipped)


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


def _decide(system: System, name: ResourceName, draft: Draft, slots: Slots) -> list[Verdict]:
    """Decide as if there were slots enough, take those that it needs, and decide with what was granted."""
    now = system.clock()
    policy = Policy(patience=system.settings.of_resource(name.id).patience)
    queue = draft.waiting()
    verdicts = decide(draft.resource, queue, now=now, slots=ADMISSIONS_LIMIT, policy=policy)
    wanted = len(admitted(verdicts))
    granted = slots.hold(wanted)
    if granted == wanted:
        return verdicts
    return decide(draft.resource, queue, now=now, slots=granted, policy=policy)


def _draw_up(system: System, snapshot: Snapshot, draft: Draft, verdicts: Sequence[Verdict]) -> bool:
    """Put the verdicts into the draft; True when some admissions must be left to the next round."""
    skipped = False
    room = COMMIT_CHARACTERS
    snapshot.read_jobs(admit.waiting.key for admit in admitted(verdicts))
    for verdict in verdicts:
        key = verdict.waiting.key
        match verdict:
            case Admit():
                job = draft.job(key)
                if job is None or job.state is not State.QUEUED:
                    draft.drop_line(key)
                    skipped = True
                    continue
                room -= len(job.custom_job_body)
                if room < 0 and draft.admissions:
                    skipped = True
                    continue
                within = system.settings.timing.submit_within
                draft.admit(verdict, token=system.token(), submit_within=within)
            case Wait():
                if key in snapshot.arrivals and key not in draft.moved:
                    draft.fold(verdict)
            case Reject():
                draft.reject(verdict)
            case unreachable:
                assert_never(unreachable)
    return skipped


def _commit(
    system: System,
    snapshot: Snapshot,
    draft: Draft,
    verdicts: Sequence[Verdict],
    slots: Slots,
    *,
    announced: Mapping[str, Span],
    skipped: bool,
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
        more=skipped or full or snapshot.more_arrivals,
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
