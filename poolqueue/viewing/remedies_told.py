"""Remedies in words, and as what an operator or a publisher would do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from poolqueue.scheduling.arrays import is_maximum_key
from poolqueue.scheduling.pools import WHOLE_RESOURCE, PoolKey
from poolqueue.scheduling.reasons import Explanation
from poolqueue.scheduling.remedies import (
    FewerReplicas,
    GrowPools,
    HigherSerialLimit,
    LendReplicas,
    RaiseMaximum,
    RaisePriority,
    Remedy,
    Resume,
    ShorterTimeout,
    Unpause,
    UsePool,
    WaitUntil,
)
from poolqueue.scheduling.smallest import Kind, NoneFound
from poolqueue.viewing import wording
from poolqueue.viewing.text import clock_time, safe, short_time
from poolqueue.viewing.views import JobView

Names = Mapping[PoolKey, str]

_KINDS = {
    Kind.WAIT: "time alone",
    Kind.RESUME: "resuming alone",
    Kind.UNPAUSE: "unpausing alone",
    Kind.PRIORITY: "a higher priority",
    Kind.SHORTER_TIMEOUT: "a shorter timeout",
    Kind.FEWER_REPLICAS: "fewer replicas",
    Kind.OTHER_POOL: "another pool",
    Kind.SERIAL_LIMIT: "a higher serial limit",
    Kind.LEND: "lending by other teams",
    Kind.MAXIMUM: "a higher maximum",
    Kind.GROW: "larger pools",
}


def remedy_told(  # noqa: C901  one case per kind
    remedy: Remedy, explanation: Explanation, names: Names, job: JobView, now: datetime
) -> str:
    line = explanation.verdict.waiting
    match remedy:
        case WaitUntil(at=at):
            return f"wait until {clock_time(at, now)}: time alone lets it start"
        case Resume(pools=pools):
            return "resume it: " + " && ".join(_command(each, job.resource) for each in pools)
        case Unpause(team=team):
            return f"unpause its team: poolctl unpause {wording.name(team)}"
        case RaisePriority(to=to):
            told = f"raise its priority from {line.priority} to {to}"
            return f"{told}: poolctl priority {wording.name(job.job_id)} {to} --reason TEXT"
        case ShorterTimeout(to=to):
            shorter = short_time(timedelta(seconds=to))
            longer = short_time(timedelta(seconds=line.traits.timeout))
            return f"ask for it anew with a timeout of {shorter} ({to} s) instead of {longer}"
        case FewerReplicas(to=to):
            needs = {each.pool: each.needs for each in explanation.pools}
            fewer = ", ".join(
                f"{n:,} instead of {needs[key]:,} on {_name(key, names)}" for key, n in to.items()
            )
            return f"ask for it anew with fewer replicas: {fewer}"
        case UsePool(pool=pool, instead_of=instead):
            return f"ask for it anew on {_name(pool, names)} instead of {_name(instead, names)}"
        case HigherSerialLimit(to=to):
            limit = "max_parallel" if is_maximum_key(line.serial) else "serial_limit"
            return f"ask for it anew with a {limit} of {to}"
        case LendReplicas(teams=teams):
            return f"let team {', '.join(map(wording.name, teams))} lend what is guaranteed to it"
        case RaiseMaximum(by=by):
            return f"raise what team {wording.name(line.team)} may have: {_more(by, names)}"
        case GrowPools(by=by):
            has = {each.pool: each.capacity for each in explanation.pools}
            grown = ", ".join(f"{_name(key, names)} by {n:,}, to {has[key] + n:,}" for key, n in by.items())
            return f"grow {grown}"


def none_told(none: NoneFound) -> str:
    """`a higher priority`, or `larger pools (24 sizes tried)` where there is more to be tried."""
    told = _KINDS[none.kind]
    return told if none.is_all else f"{told} ({none.tried:,} sizes tried)"


def _command(pool: str, resource: str) -> str:
    part = "" if pool == WHOLE_RESOURCE else f" --pool {safe(pool, limit=80)}"
    return f"poolctl resume {wording.name(resource)}{part}"


def _more(by: Mapping[PoolKey, int], names: Names) -> str:
    return ", ".join(f"{n:,} more of {_name(key, names)}" for key, n in by.items())


def _name(key: PoolKey, names: Names) -> str:
    return safe(names[key], limit=40)
