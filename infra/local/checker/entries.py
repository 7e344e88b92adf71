"""The stand-in's journal, line by line, as typed facts; what cannot be read becomes a `Malformed`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

Demands = Mapping[str, int]  # replicas by pool


@dataclass(frozen=True, kw_only=True)
class PoolsSet:
    """From now on these are the pools of the resource, with their capacities."""

    resource: str
    capacities: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class ResourceDeleted:
    resource: str


@dataclass(frozen=True, kw_only=True)
class CreateCall:
    """A CreateCustomJob request, whatever it was answered."""

    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class CustomJobCreated:
    custom_job: str
    display_name: str
    resource: str | None
    labels: Mapping[str, str]
    demands: Demands


@dataclass(frozen=True, kw_only=True)
class StateChanged:
    custom_job: str
    before: str | None
    state: str
    error: str | None


@dataclass(frozen=True, kw_only=True)
class ReplicasTaken:
    custom_job: str
    resource: str
    demands: Demands


@dataclass(frozen=True, kw_only=True)
class ReplicasReleased:
    custom_job: str
    resource: str
    demands: Demands


@dataclass(frozen=True, kw_only=True)
class OverCapacity:
    """A create call that did not fit; `custom_job` is None when it was refused."""

    custom_job: str | None
    resource: str
    labels: Mapping[str, str]
    demands: Demands
    behaviour: str


@dataclass(frozen=True, kw_only=True)
class ReplicaStarted:
    custom_job: str
    replica: str
    pid: int


@dataclass(frozen=True, kw_only=True)
class ReplicaEnded:
    custom_job: str
    replica: str
    pid: int
    exit_code: int | None


@dataclass(frozen=True, kw_only=True)
class Malformed:
    problem: str


Fact = (
    PoolsSet
    | ResourceDeleted
    | CreateCall
    | CustomJobCreated
    | StateChanged
    | ReplicasTaken
    | ReplicasReleased
    | OverCapacity
    | ReplicaStarted
    | ReplicaEnded
    | Malformed
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    line: int  # from 1
    at: datetime | None  # None only for what is malformed
    fact: Fact


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a journal file; a last line without its end is still being written and is left out."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            if not text.endswith("\n"):
                return
            try:
                line = json.loads(text)
            except ValueError:
                line = None
            yield line if isinstance(line, dict) else {"not_an_object": text.strip()[:200]}


def entries_of(lines: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """What the lines say about pools, custom jobs and replicas; events of other kinds are left out."""
    for number, line in enumerate(lines, start=1):
        at: datetime | None = None
        try:
            at = _moment(line["at"])
            fact = _fact(str(line["event"]), line)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            fact = Malformed(problem=f"line {number} cannot be read ({error!r}): {str(dict(line))[:160]}")
        if fact is not None:
            yield Entry(line=number, at=at, fact=fact)


def _fact(event: str, line: Mapping[str, Any]) -> Fact | None:
    read = _READERS.get(event)
    return read(line) if read else None


def _pools_set(line: Mapping[str, Any]) -> PoolsSet:
    capacities = {_text(pool["id"]): int(pool["capacity"]) for pool in line["pools"]}
    return PoolsSet(resource=_resource(line), capacities=capacities)


def _create_call(line: Mapping[str, Any]) -> CreateCall | None:
    return CreateCall(labels=_labels(line)) if line.get("rpc") == "CreateCustomJob" else None


def _custom_job_created(line: Mapping[str, Any]) -> CustomJobCreated:
    return CustomJobCreated(
        custom_job=_number(line["custom_job"]),
        display_name=str(line.get("display_name", "")),
        resource=_resource(line) if line.get("resource") else None,
        labels=_labels(line),
        demands=_demands(line.get("demands") or ()),
    )


def _state_changed(line: Mapping[str, Any]) -> StateChanged:
    return StateChanged(
        custom_job=_number(line["custom_job"]),
        before=_state(line["before"]) if line.get("before") else None,
        state=_state(line["state"]),
        error=_error(line.get("error")),
    )


def _over_capacity(line: Mapping[str, Any]) -> OverCapacity:
    return OverCapacity(
        custom_job=_number(line["custom_job"]) if line.get("custom_job") else None,
        resource=_resource(line),
        labels=_labels(line),
        demands=_demands(line["demands"]),
        behaviour=str(line.get("behaviour", "")),
    )


def _replica_ended(line: Mapping[str, Any]) -> ReplicaEnded:
    exit_code = line.get("exit_code")
    return ReplicaEnded(**_process(line), exit_code=None if exit_code is None else int(exit_code))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Fact | None]] = {
    "resource_created": _pools_set,
    "pools_changed": _pools_set,
    "resource_deleted": lambda line: ResourceDeleted(resource=_resource(line)),
    "request": _create_call,
    "custom_job_created": _custom_job_created,
    "custom_job_state": _state_changed,
    "replicas_taken": lambda line: ReplicasTaken(**_claim(line)),
    "replicas_released": lambda line: ReplicasReleased(**_claim(line)),
    "over_capacity": _over_capacity,
    "replica_started": lambda line: ReplicaStarted(**_process(line)),
    "replica_ended": _replica_ended,
}


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return moment


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is not a name")
    return value


def _resource(line: Mapping[str, Any]) -> str:
    """`project.location.id`, since ids are unique only there; the id alone where the line says no more."""
    known = [line[key] for key in ("project", "location") if line.get(key)]
    return ".".join([*map(_text, known), _text(line["resource"])])


def _number(value: Any) -> str:
    """A custom job's numeric id, which JSON may hold as a number or as text."""
    return str(int(value))


def _state(value: Any) -> str:
    return _text(value).removeprefix("JOB_STATE_")


def _error(value: Any) -> str | None:
    match value:
        case None | "" | {}:
            return None
        case {"message": message}:
            return str(message)
        case _:
            return str(value)


def _labels(line: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in dict(line.get("labels") or {}).items()}


def _demands(demands: Any) -> Demands:
    replicas: Counter[str] = Counter()
    for demand in demands:
        replicas[str(demand["pool"])] += int(demand["replicas"])
    return dict(replicas)


def _claim(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "custom_job": _number(line["custom_job"]),
        "resource": _resource(line),
        "demands": _demands(line["demands"]),
    }


def _process(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "custom_job": _number(line["custom_job"]),
        "replica": str(line["replica"]),
        "pid": int(line["pid"]),
    }
