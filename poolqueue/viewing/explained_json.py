"""An explanation as JSON for scripts: each happening and remedy with its kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from poolqueue.scheduling.happenings import Happening
from poolqueue.scheduling.pools import PoolKey
from poolqueue.scheduling.reasons import Explanation, Jobs, PoolNumbers
from poolqueue.scheduling.remedies import Remedy
from poolqueue.viewing.as_json import job_fields
from poolqueue.viewing.attempts import attempts_fields
from poolqueue.viewing.explained import Explained

Names = Mapping[PoolKey, str]


def explained_fields(explained: Explained) -> dict[str, Any]:
    job = {**job_fields(explained.job), **attempts_fields(explained.attempts)}
    if explained.explanation is None:
        return job
    return {**job, **_explanation(explained.explanation, explained.names)}


def _explanation(explanation: Explanation, names: Names) -> dict[str, Any]:
    place = explanation.place
    return {
        "turn": {"position": place.position, "of": place.of, "ahead_for_its_pools": _jobs(place.ahead)},
        "needs": [_pool(each, names) for each in explanation.pools],
        "could_start": [_kind(each, names) for each in explanation.happenings],
        "remedies": [_kind(each, names) for each in explanation.remedies],
        "not_enough": [
            {"kind": none.kind.value, "tried": none.tried, "is_all": none.is_all}
            for none in explanation.none_found
        ],
    }


def _pool(numbers: PoolNumbers, names: Names) -> dict[str, Any]:
    return {
        "pool": names[numbers.pool],
        "needs": numbers.needs,
        "capacity": numbers.capacity,
        "free": numbers.free,
        "taken_first": numbers.taken_first,
        "short_by": numbers.short_by,
        "holders": _jobs(numbers.holders),
        "foreign": numbers.foreign,
        "surplus": numbers.surplus,
    }


def _jobs(jobs: Jobs) -> dict[str, Any]:
    first = [
        {"team": team, "job_id": job_id, "replicas": each.replicas}
        for each in jobs.first
        for team, _, job_id in [each.key.partition(".")]
    ]
    return {"count": jobs.count, "replicas": jobs.replicas, "first": first}


def _kind(each: Happening | Remedy, names: Names) -> dict[str, Any]:
    """`{"kind": "raise_priority", "to": 81}`: its class and its fields."""
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(each).__name__).lower()
    return {"kind": kind} | {field.name: _value(getattr(each, field.name), names) for field in fields(each)}


def _value(value: Any, names: Names) -> Any:
    match value:
        case PoolKey():
            return names[value]
        case Mapping():
            return {names[key]: n for key, n in value.items()}
        case tuple():
            return list(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return value
