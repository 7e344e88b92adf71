"""The document of a job: `jobs/{team}.{job_id}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from poolqueue.records.expiry import expiring
from poolqueue.records.names import SCHEMA
from poolqueue.records.retries import read_failures, read_retries, write_failures, write_retries
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.arrays import Array
from poolqueue.scheduling.dependency import After, Dependency, OnFailed
from poolqueue.scheduling.jobs import Demand, Hold, Job, Move, Outcome, Reason, State
from poolqueue.scheduling.retries import NO_RETRIES
from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.traits import NO_TRAITS, Traits

_Member = TypeVar("_Member", Outcome, Reason)

_PLAIN = (
    "team",
    "job_id",
    "resource",
    "priority",
    "digest",
    "display_name",
    "custom_job_body",
    "created",
    "variant",
    "message_id",
    "attempt",
    "sequence",
    "token",
    "custom_job",
    "not_before",
    "ending",
    "setbacks",
    "error",
    "submitted",
    "started",
    "expected_run",
    "max_preemptions",
    "deadline",
    "max_wait",
    "moved_at",
    "returned",
    "max_parallel",
)


# What the line of a new job is made of, without what may be large: the request's body and the history.
ARRIVAL_FIELDS = (
    "team", "job_id", "variant", "resource", "priority", "created", "state", "inbox", "demands", "attempt",
    "not_before", "deadline", "max_wait", "traits", "alternatives", "preemptions", "max_preemptions",
    "failures", "moves", "moved_at", "returned", "serial", "array", "max_parallel",
)  # fmt: skip
_LEFT_OUT = {"digest": "", "display_name": "", "custom_job_body": "", "tokens": (), "history": ()}


def job_path(key: str) -> str:
    return f"jobs/{key}"


def endings_inbox(resource: str) -> str:
    """What `inbox` says of a job whose end was noted: those are looked for apart from new jobs."""
    return f"{resource}/endings"


def write_job(job: Job, *, retention: timedelta) -> dict[str, Any]:
    """The job's fields. `inbox` and `ended_at`, the indexed ones, are there only while they select it. One
    that has ended is kept for as long as `retention`.
    """
    fields: dict[str, Any] = {"schema": SCHEMA} | {name: getattr(job, name) for name in _PLAIN}
    fields |= {
        "state": job.state.value,
        "outcome": _value(job.outcome),
        "reason": _value(job.reason),
        "cancel_reason": _value(job.cancel_reason),
        "tokens": list(job.tokens),
        "demands": [_write_demand(demand) for demand in job.demands],
        "problems": [dict(problem) for problem in job.problems],
        "history": [_write_move(entry) for entry in job.history],
    }
    fields |= _write_wishes(job)
    if job.inbox:
        fields["inbox"] = job.resource if job.ending is None else endings_inbox(job.resource)
    if job.ended is not None:
        fields |= {"ended_at": job.ended, **expiring(job.ended, retention)}
    return {name: value for name, value in fields.items() if value is not None}


def read_job(fields: Mapping[str, Any]) -> Job:
    plain = {name: fields[name] for name in _PLAIN if name in fields}
    return Job(
        **plain,
        state=State(fields["state"]),
        outcome=_enum(Outcome, fields.get("outcome")),
        reason=_enum(Reason, fields.get("reason")),
        cancel_reason=_enum(Reason, fields.get("cancel_reason")),
        inbox="inbox" in fields,
        tokens=tuple(fields["tokens"]),
        demands=tuple(Demand(**demand) for demand in fields["demands"]),
        problems=tuple(fields.get("problems", ())),
        ended=fields.get("ended_at"),
        history=tuple(_read_move(entry) for entry in fields["history"]),
        min_run=fields.get("min_run", 0),
        preemptions=fields.get("preemptions", 0),
        moves=fields.get("moves", 0),
        alternatives=tuple(Alternative(**each) for each in fields.get("alternatives", ())),
        holds=tuple(_read_hold(each) for each in fields.get("holds", ())),
        traits=read_traits(fields.get("traits")),
        serial=read_serial(fields.get("serial")),
        array=_read_array(fields.get("array")),
        retries=read_retries(fields.get("retries")),
        failures=read_failures(fields.get("failures", ())),
        depends_on=_read_dependencies(fields.get("depends_on")),
        on_failed_dependency=OnFailed(fields.get("on_failed_dependency", OnFailed.END)),
        waits_for=_read_dependencies(fields.get("waits_for")),
        dependants=tuple(fields.get("dependants", ())),
    )


def read_arrival(fields: Mapping[str, Any]) -> Job:
    """From `ARRIVAL_FIELDS` alone."""
    return read_job({**_LEFT_OUT, **fields})


def _write_wishes(job: Job) -> dict[str, Any]:
    """What most jobs do not have, and then is not written."""
    fields: dict[str, Any] = {
        "min_run": job.min_run,
        "preemptions": job.preemptions,
        "moves": job.moves,
        "alternatives": [{"resource": each.resource, "after": each.after} for each in job.alternatives],
        "depends_on": _write_dependencies(job.depends_on),
        "waits_for": _write_dependencies(job.waits_for),
        "dependants": list(job.dependants),
        "holds": [{"reason": each.reason.value, "at": each.at, "note": each.note} for each in job.holds],
    }
    if job.traits != NO_TRAITS:
        fields["traits"] = write_traits(job.traits)
    if job.on_failed_dependency is not OnFailed.END:
        fields["on_failed_dependency"] = job.on_failed_dependency.value
    if job.serial is not None:
        fields["serial"] = {"key": job.serial.key, "limit": job.serial.limit}
    if job.array is not None:
        fields["array"] = _write_array(job.array)
    if job.retries != NO_RETRIES:
        fields["retries"] = write_retries(job.retries)
    fields["failures"] = write_failures(job.failures)
    return {name: value for name, value in fields.items() if value}


def _write_dependencies(dependencies: Iterable[Dependency]) -> list[dict[str, str]]:
    return [{"job_id": each.job_id, "after": each.after.value} for each in dependencies]


def _read_dependencies(fields: Iterable[Mapping[str, str]] | None) -> tuple[Dependency, ...]:
    return tuple(Dependency(job_id=each["job_id"], after=After(each["after"])) for each in fields or ())


def _read_hold(fields: Mapping[str, Any]) -> Hold:
    return Hold(reason=Reason(fields["reason"]), at=fields["at"], note=fields["note"])


def read_serial(fields: Mapping[str, Any] | None) -> Serial | None:
    return None if fields is None else Serial(**fields)


def _write_array(array: Array) -> dict[str, Any]:
    """Sets of members as bits, the first one lowest."""
    ended = {outcome: _write_members(members) for outcome, members in array.ended.items()}
    fields = {"size": array.size, "max_parallel": array.max_parallel, "apart": _write_members(array.apart)}
    return {**fields, "ended": ended}


def _read_array(fields: Mapping[str, Any] | None) -> Array | None:
    if fields is None:
        return None
    return Array(
        size=fields["size"],
        max_parallel=fields["max_parallel"],
        apart=_read_members(fields["apart"]),
        ended={outcome: _read_members(members) for outcome, members in fields["ended"].items()},
    )


def _write_members(members: int) -> bytes:
    return members.to_bytes((members.bit_length() + 7) // 8, "little")


def _read_members(members: bytes) -> int:
    return int.from_bytes(members, "little")


def write_traits(traits: Traits) -> dict[str, Any]:
    return {
        "keys": list(traits.keys),
        "timeout": traits.timeout,
        "claimed": traits.claimed,
        "min_run": traits.min_run,
    }


def read_traits(fields: Mapping[str, Any] | None) -> Traits:
    return NO_TRAITS if fields is None else Traits(**{**fields, "keys": tuple(fields["keys"])})


def _write_demand(demand: Demand) -> dict[str, Any]:
    return {
        "index": demand.index,
        "machine": demand.machine,
        "disk": demand.disk,
        "replicas": demand.replicas,
    }


def _write_move(entry: Move) -> dict[str, Any]:
    fields = {
        "sequence": entry.sequence,
        "at": entry.at,
        "state": entry.state.value,
        "attempt": entry.attempt,
        "outcome": _value(entry.outcome),
        "reason": _value(entry.reason),
        "note": entry.note,
        "command": entry.command,
        "custom_job": entry.custom_job,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _read_move(fields: Mapping[str, Any]) -> Move:
    return Move(
        sequence=fields["sequence"],
        at=fields["at"],
        state=State(fields["state"]),
        attempt=fields["attempt"],
        outcome=_enum(Outcome, fields.get("outcome")),
        reason=_enum(Reason, fields.get("reason")),
        note=fields.get("note"),
        command=fields.get("command"),
        custom_job=fields.get("custom_job"),
    )


def _value(member: Outcome | Reason | None) -> str | None:
    return None if member is None else member.value


def _enum(kind: type[_Member], value: str | None) -> _Member | None:
    return None if value is None else kind(value)
