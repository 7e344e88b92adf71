"""Views as JSON for scripts: names as on the wire, durations in seconds, times in RFC 3339."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, assert_never

from poolqueue.dead_letters import DeadLetter, problem_fields
from poolqueue.scheduling.estimates import Estimate, NoEstimate
from poolqueue.scheduling.pools import Drain
from poolqueue.viewing.terms import Terms
from poolqueue.viewing.views import Expected, JobView, PoolView, Progress, ResourceView


def as_text(fields: Mapping[str, Any]) -> str:
    """In ASCII, so that no character of somebody else's text reaches a terminal."""
    return json.dumps(fields, indent=2, ensure_ascii=True)


def as_line(fields: Mapping[str, Any]) -> str:
    """Likewise, on one line."""
    return json.dumps(fields, ensure_ascii=True)


def job_fields(job: JobView) -> dict[str, Any]:
    return {
        "team": job.team,
        "job_id": job.job_id,
        "state": job.state.value,
        "outcome": job.outcome and job.outcome.value,
        "persistent_resource": job.resource,
        "pools": [{"pool": share.pool, "replicas": share.replicas} for share in job.shares],
        "priority": job.priority,
        "position": job.position,
        "waited_seconds": _seconds(job.waited),
        "held_seconds": _seconds(job.held),
        "ran_seconds": _seconds(job.ran),
        "reason": job.reason and job.reason.value,
        "note": job.note,
        "array": None if job.array is None else array_fields(job.array),
        **_terms(job.terms or Terms()),
        **expected_fields(job.expected),
    }


def array_fields(array: Progress) -> dict[str, Any]:
    return {
        "size": array.size,
        "at_work": array.at_work,
        "ended": dict(array.ended),
        "max_parallel": array.max_parallel,
    }


def resource_fields(view: ResourceView) -> dict[str, Any]:
    return {
        "persistent_resource": view.name.full,
        "state": view.state,
        "observed_at": time_text(view.observed_at),
        "drained": _drain(view.drained),
        "waiting": len(view.waiting),
        "held": len(view.held),
        "pools": [_pool(pool) for pool in view.pools],
    }


def dead_letter_fields(letter: DeadLetter) -> dict[str, Any]:
    """Without the message and its attributes, which may hold secrets."""
    return {
        "id": letter.id,
        "at": time_text(letter.at),
        "topic": letter.topic,
        "message_id": letter.message_id,
        "bytes": letter.size,
        "job": letter.job,
        "command": letter.command,
        "problems": [problem_fields(problem) for problem in letter.problems],
    }


def expected_fields(expected: Expected | None) -> dict[str, Any]:
    """The interval, or why there is none; neither of a job that does not wait."""
    match None if expected is None else expected.estimate:
        case Estimate() as it:
            times = {
                "start_p50": time_text(it.start_p50),
                "start_p90": time_text(it.start_p90),
                "end_p50": time_text(it.end_p50),
                "end_p90": time_text(it.end_p90),
            }
            return {"expected": {**times, "similar_runs": it.basis, "level": it.level}, "no_estimate": None}
        case NoEstimate(why=why):
            return {"expected": None, "no_estimate": why.value}
        case None:
            return {"expected": None, "no_estimate": None}
        case unreachable:
            assert_never(unreachable)


def _terms(terms: Terms) -> dict[str, Any]:
    return {
        "expected_run_seconds": _seconds(terms.expected_run),
        "not_before": time_text(terms.not_before),
        "deadline": time_text(terms.deadline),
        "expires": time_text(terms.expires),
        "preemptions": terms.preemptions,
        "serial_key": terms.serial and terms.serial.key,
        "serial_limit": terms.serial and terms.serial.limit,
        "alternatives": [
            {"persistent_resource": each.resource or "any", "after_seconds": _seconds(each.after)}
            for each in terms.alternatives
        ],
    }


def _pool(pool: PoolView) -> dict[str, Any]:
    return {
        "ids": list(pool.ids),
        "machine": pool.machine,
        "disk": pool.disk,
        "capacity": pool.capacity,
        "reserved": pool.reserved,
        "foreign": pool.foreign,
        "surplus": pool.surplus,
        "free": pool.free,
        "waiting": pool.waiting,
        "drained": _drain(pool.drained),
        "left_alone_until": None if pool.backoff is None else time_text(pool.backoff.until),
        "holders": [
            {"team": holder.team, "job_id": holder.job_id, "replicas": holder.replicas}
            for holder in pool.holders
        ],
    }


def _drain(drain: Drain | None) -> dict[str, Any] | None:
    if drain is None:
        return None
    return {"reason": drain.reason, "author": drain.author, "at": time_text(drain.at)}


def time_text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 3)
