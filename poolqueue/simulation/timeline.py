"""How many replicas a run held, and how many jobs waited, from its beginning on."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from poolqueue.simulation.run import Run

Change = tuple[float, int]
"""A time in seconds, and by how much a number changes then."""


def held(run: Run) -> list[Change]:
    """Of the replicas that attempts hold, in all pools together."""
    jobs = run.workload.jobs
    starts = [(start, jobs[job].replicas) for job, start, _ in run.spans]
    return sorted([*starts, *((end, -jobs[job].replicas) for job, _, end in run.spans)])


def waiting(run: Run) -> list[Change]:
    """Of the jobs that wait."""
    arrivals = [(job.arrives, 1) for job in run.workload.jobs]
    requeued = [(end, 1) for _, _, end in run.preempted]
    return sorted([*arrivals, *requeued, *((start, -1) for _, start, _ in run.spans)])


def means(changes: Iterable[Change], *, begin: float, end: float, parts: int) -> list[float]:
    """The mean of a number that is 0 at first, over each of `parts` equal parts of the time.

    `changes` are in the order of time.
    """
    width = (end - begin) / parts
    totals = [0.0] * parts
    value = 0
    for (at, change), (until, _) in pairwise([*changes, (end, 0)]):
        value += change
        if value and at < end:
            _add(totals, value, (max(at, begin) - begin) / width, (min(until, end) - begin) / width)
    return totals


def _add(totals: list[float], value: float, begin: float, end: float) -> None:
    """`value` for the time from `begin` to `end`, both in parts."""
    part = int(begin)
    while begin < end and part < len(totals):
        here = min(end, part + 1)
        totals[part] += value * (here - begin)
        begin, part = here, part + 1
