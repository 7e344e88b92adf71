"""Views as JSON for scripts: names as on the wire, durations in seconds, times in RFC 3339."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, assert_never

from poolqueue.cli.comparing import Comparison
from poolqueue.cli.terms import Terms
from poolqueue.cli.views import Expected, JobView, PoolView, ResourceView
from poolqueue.dead_letters import DeadLetter, problem_fields
from poolqueue.records import SettingsVersion
from poolqueue.scheduling.estimates import Estimate, NoEstimate
from poolqueue.scheduling.pools import Drain


def as_text(fields: Mapping[str, Any]) -> str:
    """In ASCII, so that no character of somebody else's text reaches a terminal."""
    return json.dumps(fields, indent=2, ensure_ascii=True)


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
        **_terms(job.terms or Terms()),
        **expected_fields(job.expected),
    }


def resource_fields(view: ResourceView) -> dict[str, Any]:
    return {
        "persistent_resource": view.name.full,
        "state": view.state,
        "observed_at": _time(view.observed_at),
        "drained": _drain(view.drained),
        "waiting": len(view.waiting),
        "pools": [_pool(pool) for pool in view.pools],
    }


def dead_letter_fields(letter: DeadLetter) -> dict[str, Any]:
    """Without the message and its attributes, which may hold secrets."""
    return {
        "id": letter.id,
        "at": _time(letter.at),
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
                "start_p50": _time(it.start_p50),
                "start_p90": _time(it.start_p90),
                "end_p50": _time(it.end_p50),
                "end_p90": _time(it.end_p90),
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
        "not_before": _time(terms.not_before),
        "deadline": _time(terms.deadline),
        "expires": _time(terms.expires),
        "preemptions": terms.preemptions,
        "alternatives": [
            {"persistent_resource": each.resource or "any", "after_seconds": _seconds(each.after)}
            for each in terms.alternatives
        ],
    }


def comparison_fields(comparison: Comparison) -> dict[str, Any]:
    """`base_version` is the version compared with, 0 for the deployed file."""
    return {
        "base_version": comparison.found.version,
        "equal": not comparison.differences,
        "differences": [
            {"part": each.part, "field": each.field, "old": each.old, "new": each.new}
            for each in comparison.differences
        ],
        "problems": list(comparison.problems),
        "notes": list(comparison.notes),
    }


def settings_fields(applied: SettingsVersion | None, text: str) -> dict[str, Any]:
    return {**({"version": 0} if applied is None else version_fields(applied)), "text": text}


def version_fields(version: SettingsVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "applied_at": _time(version.at),
        "author": version.author,
        "reason": version.reason,
        "command": version.command,
        "digest": version.digest,
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
        "left_alone_until": None if pool.backoff is None else _time(pool.backoff.until),
        "holders": [
            {"team": holder.team, "job_id": holder.job_id, "replicas": holder.replicas}
            for holder in pool.holders
        ],
    }


def _drain(drain: Drain | None) -> dict[str, Any] | None:
    if drain is None:
        return None
    return {"reason": drain.reason, "author": drain.author, "at": _time(drain.at)}


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 3)
