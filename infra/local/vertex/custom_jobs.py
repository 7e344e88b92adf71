"""The record of one custom job: what was asked for, and every state it was in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from infra.local.vertex.names import now, rfc3339
from infra.local.vertex.pools import Demand, ResourceKey


class State(StrEnum):
    QUEUED = "JOB_STATE_QUEUED"
    PENDING = "JOB_STATE_PENDING"
    RUNNING = "JOB_STATE_RUNNING"
    SUCCEEDED = "JOB_STATE_SUCCEEDED"
    FAILED = "JOB_STATE_FAILED"
    CANCELLING = "JOB_STATE_CANCELLING"
    CANCELLED = "JOB_STATE_CANCELLED"
    PAUSED = "JOB_STATE_PAUSED"
    EXPIRED = "JOB_STATE_EXPIRED"
    UPDATING = "JOB_STATE_UPDATING"
    PARTIALLY_SUCCEEDED = "JOB_STATE_PARTIALLY_SUCCEEDED"


ENDED = frozenset(
    {
        State.SUCCEEDED,
        State.FAILED,
        State.CANCELLED,
        State.EXPIRED,
        State.PARTIALLY_SUCCEEDED,
        State.PAUSED,
    }
)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What the job looked like from `at` on."""

    at: datetime
    state: State
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: Mapping[str, Any] | None = None


@dataclass(kw_only=True)
class CustomJob:
    """`body` is the job as it was created, in canonical JSON; `demands` is empty for one off any resource."""

    id: str
    project: str
    location: str
    name: str
    body: Mapping[str, Any]
    resource: ResourceKey | None
    demands: tuple[Demand, ...]
    created_at: datetime = field(default_factory=now)
    deleted_at: datetime | None = None
    phases: list[Phase] = field(default_factory=list)

    @property
    def display_name(self) -> str:
        return str(self.body["displayName"])

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.body.get("labels", {})
        return labels

    @property
    def spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.body["jobSpec"]
        return spec

    @property
    def state(self) -> State:
        return self.phases[-1].state

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def timeout_seconds(self) -> float:
        """Vertex AI's default is 7 days."""
        given: str = self.spec.get("scheduling", {}).get("timeout", "604800s")
        return float(given.removesuffix("s")) or 604800.0

    def move(self, state: State, *, error: Mapping[str, Any] | None = None) -> None:
        at = now()
        last = self.phases[-1] if self.phases else None
        started_at = last.started_at if last else None
        if state is State.RUNNING and started_at is None:
            started_at = at
        ended_at = at if state in ENDED else None
        self.phases.append(Phase(at=at, state=state, started_at=started_at, ended_at=ended_at, error=error))

    def phase(self, *, lag_seconds: float = 0.0) -> Phase | None:
        """How the job looks to a reader who is behind; None if it is not there yet, or not any more."""
        seen_at = now() - timedelta(seconds=lag_seconds)
        if self.deleted_at is not None and self.deleted_at <= seen_at:
            return None
        if not lag_seconds:
            return self.phases[-1]
        return next((phase for phase in reversed(self.phases) if phase.at <= seen_at), None)

    def rendered(self, phase: Phase) -> dict[str, Any]:
        times = {
            "createTime": self.created_at,
            "startTime": phase.started_at,
            "endTime": phase.ended_at,
            "updateTime": phase.at,
        }
        return {
            "name": self.name,
            **self.body,
            "state": phase.state.value,
            **{key: rfc3339(moment) for key, moment in times.items() if moment is not None},
            **({"error": phase.error} if phase.error else {}),
        }
