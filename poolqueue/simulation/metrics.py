"""The figures of a run: how long jobs waited, and how much of the machines' time was used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from poolqueue.simulation.run import Run
from poolqueue.simulation.workload import SimulatedJob

SHORTEST_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Waits:
    """How long some jobs waited, in seconds; each of them counts once, whatever its size.

    `p50_wait_s` is element n // 2 of the n sorted waits, `p90_wait_s` element int(0.9 n), `p95_wait_s`
    element int(0.95 n). A job's bounded slowdown is max(1, (wait + run time) / max(run time, 10 s)), after
    Feitelson et al. 1997: how many times as long as on machines of its own it took.
    """

    jobs: int
    mean_wait_s: float
    p50_wait_s: float
    p90_wait_s: float
    p95_wait_s: float
    max_wait_s: float
    mean_bounded_slowdown: float


@dataclass(frozen=True, kw_only=True)
class Figures(Waits):
    """`makespan_s`: from the first arrival to the last end. `utilisation`: the replica-seconds that attempts
    held, preempted ones included, divided by those that all pools had in the makespan.
    """

    makespan_s: float
    utilisation: float


class By(StrEnum):
    """What jobs are told apart by."""

    USER = "user"
    GROUP = "group"
    TEAM = "team"
    SIZE = "size"


_KEYS: dict[By, Callable[[SimulatedJob], str]] = {
    By.USER: lambda job: job.user,
    By.GROUP: lambda job: job.group,
    By.TEAM: lambda job: job.team,
    By.SIZE: lambda job: str(job.replicas),
}


def figures(run: Run) -> Figures:
    """Of all jobs, of which there must be one."""
    jobs = run.workload.jobs
    waits = _waits(jobs, run.waits)
    makespan = max(span.end for span in run.spans) - jobs[0].arrives
    held = sum((end - start) * jobs[job].replicas for job, start, end in run.spans)
    offered = makespan * sum(run.workload.capacity)
    return Figures(**vars(waits), makespan_s=makespan, utilisation=held / offered if offered else 0.0)


def waits_of(run: Run, keep: Callable[[SimulatedJob], bool]) -> Waits | None:
    """Of the jobs that `keep` chooses; None if there are none."""
    chosen = [(job, wait) for job, wait in zip(run.workload.jobs, run.waits, strict=True) if keep(job)]
    return _waits([job for job, _ in chosen], [wait for _, wait in chosen]) if chosen else None


def waits_by(run: Run, by: By) -> dict[str, Waits]:
    """Of each user, group, team or size, those with the most jobs first, sizes in their order. A name that
    is not known is empty.
    """
    parts: dict[str, list[tuple[SimulatedJob, float]]] = defaultdict(list)
    for job, wait in zip(run.workload.jobs, run.waits, strict=True):
        parts[_KEYS[by](job)].append((job, wait))
    found = {key: _waits([job for job, _ in part], [wait for _, wait in part]) for key, part in parts.items()}
    order = _by_size if by is By.SIZE else _by_number_of_jobs
    return dict(sorted(found.items(), key=order))


def _by_size(part: tuple[str, Waits]) -> tuple[int, str]:
    return int(part[0]), ""


def _by_number_of_jobs(part: tuple[str, Waits]) -> tuple[int, str]:
    return -part[1].jobs, part[0]


def _waits(jobs: Sequence[SimulatedJob], waits: Sequence[float]) -> Waits:
    n, ordered = len(jobs), sorted(waits)
    return Waits(
        jobs=n,
        mean_wait_s=_mean(waits),
        p50_wait_s=ordered[n // 2],
        p90_wait_s=ordered[int(0.9 * n)],
        p95_wait_s=ordered[int(0.95 * n)],
        max_wait_s=ordered[-1],
        mean_bounded_slowdown=_mean([_slowdown(*each) for each in zip(jobs, waits, strict=True)]),
    )


def _slowdown(job: SimulatedJob, wait: float) -> float:
    return max(1.0, (wait + job.runs) / max(job.runs, SHORTEST_SECONDS))


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
