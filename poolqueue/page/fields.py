"""What the page shows, as JSON: every time is absolute, so that it stays the same while nothing happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from poolqueue.page.rows import Placed, placed
from poolqueue.records import ResourceName
from poolqueue.scheduling.estimates import Estimate, NoEstimate
from poolqueue.scheduling.jobs import Job, Move, Reason
from poolqueue.scheduling.pools import Drain, Resource
from poolqueue.scheduling.scorecard import Scorecard, accuracy, overdue
from poolqueue.viewing import wording
from poolqueue.viewing.as_json import expected_fields, time_text
from poolqueue.viewing.stays import Kind, Stay
from poolqueue.viewing.teams import TeamView
from poolqueue.viewing.text import safe
from poolqueue.viewing.views import Expected, JobView, PoolView, ResourceView, Share

NOTE_LIMIT = 300
LINES_LIMIT = 40
LINE_LIMIT = 400

Fields = dict[str, Any]


def several_lines(text: str | None) -> str:
    """Somebody else's text, of which each character can be seen, in its lines."""
    if not text:
        return ""
    lines = text.splitlines()
    shown = [safe(line, limit=LINE_LIMIT) for line in lines[:LINES_LIMIT]]
    return "\n".join(shown + (["…"] if len(lines) > LINES_LIMIT else []))


# --- resources -------------------------------------------------------------------------------------------


def resource_fields(view: ResourceView, resource: Resource, *, waiting: int) -> Fields:
    return {
        "name": view.name.full,
        "id": view.name.id,
        "project": view.name.project,
        "location": view.name.location,
        "state": safe(view.state, limit=40),
        "observed_at": time_text(view.observed_at),
        "drained": drain_fields(view.drained),
        "waiting": waiting,
        "holding": len(resource.reservations),
        "pools": [_pool(pool) for pool in view.pools],
    }


def _pool(pool: PoolView) -> Fields:
    teams: Counter[str] = Counter()
    for holder in pool.holders:
        teams[holder.team] += holder.replicas
    return {
        "name": wording.name(pool.name),
        "machine": safe(pool.machine, limit=120),
        "disk": safe(pool.disk, limit=120),
        "capacity": pool.capacity,
        "reserved": pool.reserved,
        "foreign": pool.foreign,
        "surplus": pool.surplus,
        "free": pool.free,
        "teams": [{"team": team, "replicas": n} for team, n in sorted(teams.items())],
        "drained": drain_fields(pool.drained),
        "left_alone_until": None if pool.backoff is None else time_text(pool.backoff.until),
    }


def drain_fields(drain: Drain | None) -> Fields | None:
    if drain is None:
        return None
    author, reason = safe(drain.author, limit=60), safe(drain.reason, limit=NOTE_LIMIT)
    return {"author": author, "reason": reason, "at": time_text(drain.at)}


def chart_fields(resource: Resource, stays: Iterable[Stay], *, now: datetime) -> list[Fields]:
    """A chart per pool: how many rows it has, and the bars in them."""
    by_pool: dict[object, list[Stay]] = {pool.key: [] for pool in resource.pools}
    for stay in stays:
        if stay.pool in by_pool:
            by_pool[stay.pool].append(stay)
    return [
        _chart(", ".join(pool.ids), pool.capacity, placed(by_pool[pool.key], pool.capacity), now)
        for pool in resource.pools
    ]


def _chart(name: str, capacity: int, bars: Sequence[Placed], now: datetime) -> Fields:
    below = max((block.row + block.rows for bar in bars for block in bar.blocks), default=0)
    return {
        "pool": wording.name(name),
        "capacity": capacity,
        "rows": max(capacity, below),
        "bars": [_bar(bar, now) for bar in bars],
    }


def _bar(bar: Placed, now: datetime) -> Fields:
    stay = bar.stay
    is_foreseen = stay.kind in {Kind.PLANNED, Kind.RUNNING, Kind.STARTING}
    start = _coarse(stay.start, now) if stay.kind is Kind.PLANNED else stay.start
    fields: Fields = {
        "kind": stay.kind.value,
        "team": stay.team,
        "job_id": stay.job_id,
        "attempt": stay.attempt,
        "replicas": stay.replicas,
        "blocks": [[block.row, block.rows] for block in bar.blocks],
        "start": None if stay.kind is Kind.OTHERS else time_text(start),
        "began": time_text(stay.began),
        "end": time_text(_coarse(stay.end, now) if is_foreseen and stay.end else stay.end),
        "outcome": stay.outcome and stay.outcome.value,
        "reason": stay.reason and stay.reason.value,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _coarse(at: datetime, now: datetime) -> datetime:
    """What is foreseen is told to a fiftieth of how far off it is: it must not change at each look."""
    step = max(1, 2 ** int(abs((at - now).total_seconds()) / 50).bit_length())
    return datetime.fromtimestamp(round(at.timestamp() / step) * step, at.tzinfo)


def reasons_fields(waiting: Iterable[JobView]) -> list[Fields]:
    """Why jobs wait, the most frequent reason first, with the words of the first job that has it."""
    numbers: Counter[Reason] = Counter()
    notes: dict[Reason, str] = {}
    for job in waiting:
        if job.reason is not None:
            numbers[job.reason] += 1
            notes.setdefault(job.reason, job.note)
    return [
        {"reason": reason.value, "jobs": n, "note": safe(notes[reason], limit=NOTE_LIMIT)}
        for reason, n in numbers.most_common()
    ]


def team_fields(team: TeamView) -> Fields:
    return {
        "name": team.name,
        "weight": team.weight,
        "share": round(team.share, 4),
        "used": round(team.used, 3),
        "holds": round(team.holds, 4),
        "waiting": team.waiting,
        "pools": [
            {
                "pool": wording.name(each.pool),
                "held": each.held,
                "guaranteed": each.guaranteed,
                "maximum": each.maximum,
            }
            for each in team.pools
        ],
    }


def accuracy_fields(card: Scorecard, *, now: datetime) -> Fields:
    """Of the latest forecasts; `coverage_p50` ought to be about 0.5, and `coverage_p90` about 0.9."""
    its = accuracy(card)
    told = None
    if its is not None:
        told = {
            "scored": its.scored,
            "coverage_p50": round(its.coverage_p50, 4),
            "coverage_p90": round(its.coverage_p90, 4),
            "median_error_seconds": round(its.median_error_seconds),
        }
    return {
        "latest": told,
        "ever": card.totals.scored,
        "open": len(card.open),
        "overdue": overdue(card, now=now),
    }


# --- jobs ------------------------------------------------------------------------------------------------


def _shares(shares: Iterable[Share]) -> list[Fields]:
    return [{"pool": safe(each.pool, limit=120), "replicas": each.replicas} for each in shares]


def waiting_fields(job: JobView, *, now: datetime) -> Fields:
    terms = job.terms
    return {
        "team": job.team,
        "job_id": job.job_id,
        "state": job.state.value,
        "position": job.position,
        "priority": job.priority,
        "pools": _shares(job.shares),
        "arrived": None if job.waited is None else time_text(now - job.waited),
        "reason": job.reason and job.reason.value,
        "note": safe(job.note, limit=NOTE_LIMIT) + wording.elsewhere(job),
        "planned": time_text(job.planned),
        "deadline": None if terms is None else time_text(terms.expires),
        "not_before": None if terms is None else time_text(terms.not_before),
    }


def estimate_fields(estimate: Estimate | NoEstimate, *, now: datetime) -> Fields:
    return expected_fields(Expected(estimate=estimate, as_of=now))


def ended_fields(job: Job, shares: Iterable[Share]) -> Fields:
    return {
        "team": job.team,
        "job_id": job.public_id,
        "display_name": safe(job.display_name, limit=120),
        "resource": ResourceName.from_key(job.resource).full,
        "outcome": job.outcome and job.outcome.value,
        "reason": job.reason and job.reason.value,
        "error": several_lines(job.error),
        "attempts": job.attempt,
        "pools": _shares(shares),
        "arrived": time_text(job.created),
        "started": time_text(job.started),
        "ended": time_text(job.ended),
    }


def move_fields(entry: Move) -> Fields:
    return {
        "sequence": entry.sequence,
        "at": time_text(entry.at),
        "state": entry.state.value,
        "attempt": entry.attempt,
        "outcome": entry.outcome and entry.outcome.value,
        "reason": entry.reason and entry.reason.value,
        "note": safe(entry.note or "", limit=NOTE_LIMIT),
    }


def attempt_fields(stay: Stay) -> Fields:
    return {
        "attempt": stay.attempt,
        "kind": stay.kind.value,
        "start": time_text(stay.start),
        "began": time_text(stay.began),
        "end": time_text(stay.end),
        "outcome": stay.outcome and stay.outcome.value,
        "reason": stay.reason and stay.reason.value,
    }


def seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def problem_lines(problems: Iterable[Mapping[str, str]]) -> list[Fields]:
    return [{name: safe(value, limit=NOTE_LIMIT) for name, value in each.items()} for each in problems]
