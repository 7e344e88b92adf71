"""What the checker makes of a journal: custom jobs' lives, pools' occupancy, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

JobKey = tuple[str, str]  # team, job
PoolKey = tuple[str, str]  # resource as `project.location.id`, pool


class FindingKind(StrEnum):
    OVER_CAPACITY = "over_capacity"  # replicas taken beyond what the pool has
    DID_NOT_FIT = "did_not_fit"  # a create call for more replicas than were free
    OVERLAP = "overlap"  # two custom jobs of one job at the same time
    AFTER_SUCCESS = "after_success"  # a custom job of a job of which another had succeeded
    REPEATED_TOKEN = "repeated_token"
    NO_END = "no_end"  # a custom job that is not terminal when the journal stops
    NEVER_RELEASED = "never_released"  # a custom job that ended and kept its replicas
    PROCESS_WITHOUT_END = "process_without_end"
    INCONSISTENT = "inconsistent"  # the journal contradicts itself
    MALFORMED = "malformed"  # a line that cannot be read


@dataclass(frozen=True, kw_only=True)
class Finding:
    kind: FindingKind
    detail: str
    at: datetime | None = None

    def __str__(self) -> str:
        moment = f"{self.at:%H:%M:%S.%f} " if self.at else ""
        return f"{moment}{self.kind}: {self.detail}"


@dataclass(frozen=True, kw_only=True)
class CustomJobLife:
    """One custom job from creation to end; a moment is None when the journal does not show it."""

    custom_job: str
    display_name: str
    resource: str | None
    labels: Mapping[str, str]
    demands: Mapping[str, int]
    state: str
    error: str | None
    created: datetime
    taken: datetime | None  # got its replicas
    started: datetime | None  # first RUNNING
    ended: datetime | None
    created_on: int  # lines of the journal: they order what bears the same time
    taken_on: int | None
    ended_on: int | None

    @property
    def run_time(self) -> timedelta | None:
        return self.ended - self.started if self.ended and self.started else None


@dataclass(frozen=True, kw_only=True)
class Step:
    """From `at` to the next step, `taken` of `capacity` replicas are in use."""

    at: datetime
    taken: int
    capacity: int


@dataclass(frozen=True, kw_only=True)
class Report:
    jobs: Mapping[JobKey, tuple[CustomJobLife, ...]]  # in order of creation
    foreign: tuple[CustomJobLife, ...]  # custom jobs without the labels of a job
    pools: Mapping[PoolKey, tuple[Step, ...]]
    findings: tuple[Finding, ...]
    began: datetime | None = None
    stopped: datetime | None = None
    refused_creates: Mapping[JobKey, int] = field(default_factory=dict)

    @property
    def lives(self) -> tuple[CustomJobLife, ...]:
        """All custom jobs in order of creation."""
        every = [life for lives in self.jobs.values() for life in lives] + list(self.foreign)
        return tuple(sorted(every, key=lambda life: life.created_on))

    def of_kind(self, kind: FindingKind) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.kind is kind)

    def assert_nothing_found(self) -> None:
        if self.findings:
            raise AssertionError(
                "the journal shows:\n" + "\n".join(f"  {finding}" for finding in self.findings)
            )

    def peak_occupancy(self, resource: str, pool: str) -> int:
        """The most replicas of the pool that were taken at one time; KeyError for a pool never seen."""
        return max(step.taken for step in self.steps(resource, pool))

    def utilisation(self, resource: str, pool: str) -> float | None:
        """The taken part of the replicas that the pool had over the time of the journal; None for no time."""
        steps = self.steps(resource, pool)
        ends = [step.at for step in steps[1:]] + [self.stopped or steps[-1].at]
        spans = [(step, (end - step.at).total_seconds()) for step, end in zip(steps, ends, strict=True)]
        had = sum(step.capacity * seconds for step, seconds in spans)
        return sum(step.taken * seconds for step, seconds in spans) / had if had > 0 else None

    def steps(self, resource: str, pool: str) -> tuple[Step, ...]:
        """`resource` may be its id alone where that is unambiguous; KeyError for a pool never seen."""
        found = [
            key
            for key in self.pools
            if key[1] == pool and (key[0] == resource or key[0].endswith(f".{resource}"))
        ]
        if len(found) != 1:
            raise KeyError(f"{resource}/{pool} fits {len(found)} of the pools {sorted(self.pools)}")
        return self.pools[found[0]]

    def started(self, job: JobKey) -> datetime | None:
        """When the job first ran; None if it never did."""
        moments = [life.started for life in self.jobs.get(job, ()) if life.started]
        return min(moments, default=None)

    def waits(self, published: Mapping[JobKey, datetime]) -> dict[JobKey, timedelta | None]:
        """From publishing to the first start, per job; None for a job that never started."""
        return {
            job: start - moment if (start := self.started(job)) else None for job, moment in published.items()
        }

    def assert_started_in_order(self, *jobs: JobKey) -> None:
        """Each of `jobs` got its replicas for the first time before the next one did.

        Taking replicas, not RUNNING, is what an ordering decides: how long machines then prepare is chance.
        """
        lines = {job: self._first_taken_on(job) for job in jobs}
        never = [job for job, line in lines.items() if line is None]
        if never:
            raise AssertionError(f"these never started: {_names(never)}")
        actual = sorted(jobs, key=lambda job: lines[job] or 0)
        if actual != list(jobs):
            raise AssertionError(f"expected starts in the order {_names(jobs)}, but it was {_names(actual)}")

    def _first_taken_on(self, job: JobKey) -> int | None:
        lines = [life.taken_on for life in self.jobs.get(job, ()) if life.taken_on is not None]
        return min(lines, default=None)


def _names(jobs: tuple[JobKey, ...] | list[JobKey]) -> str:
    return ", ".join("/".join(job) for job in jobs)
