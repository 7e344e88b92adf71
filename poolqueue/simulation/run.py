"""The seam: what a policy is given, how it tells its progress, and what it must return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from poolqueue.simulation.workload import Workload


class RunTimesMode(StrEnum):
    """What a policy of ours is told about how long jobs will run.

    `LEARNED`: nothing; it learns from the jobs that have ended. `REQUESTED`: the `requested` of each, and
    what it learns where that is not known. `TRUE`: how long they will really run.
    """

    LEARNED = "learned"
    REQUESTED = "requested"
    TRUE = "true"


Progress = Callable[[int], None]
"""Called now and then with how many jobs have started for good so far."""


class Span(NamedTuple):
    """An attempt that held its job's replicas from `start` to `end` and was preempted: its work is lost."""

    job: int
    start: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """One policy's run over a workload.

    `starts`: for each job, in the order of `workload.jobs`, when its last attempt started: the one that ran
    to the job's end. `preempted`: the attempts before, if any.
    """

    policy: str
    workload: Workload
    starts: tuple[float, ...]
    preempted: tuple[Span, ...] = ()

    @property
    def waits(self) -> list[float]:
        """Seconds from each job's arrival to the start of its last attempt."""
        return [start - job.arrives for start, job in zip(self.starts, self.workload.jobs, strict=True)]

    @property
    def spans(self) -> list[Span]:
        """All attempts, in no particular order."""
        jobs = self.workload.jobs
        last = [Span(n, start, start + jobs[n].runs) for n, start in enumerate(self.starts)]
        return [*self.preempted, *last]


class Simulator(Protocol):
    """Runs one policy over a workload. Events of one instant are ends first, then arrivals, then decisions.
    The baselines always know the true run times, so that `run_times` means nothing to them.
    """

    def __call__(self, workload: Workload, *, run_times: RunTimesMode, progress: Progress) -> Run: ...
