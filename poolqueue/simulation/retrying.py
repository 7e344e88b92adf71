"""Jobs that retry alone: what happens without a queue, when each publisher tries again on a backoff."""

from __future__ import annotations

import heapq
import math
import random

from poolqueue.simulation.replay import INSTANTS_BETWEEN_PROGRESS, Machines
from poolqueue.simulation.run import Progress
from poolqueue.simulation.workload import Workload

FIRST_PAUSE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 600.0
SPREAD = 0.1


def retry_alone(workload: Workload, progress: Progress, *, seed: int) -> tuple[float, ...]:
    """When each job starts. A job that does not fit when it arrives tries again after 10, 20, 40 ... 600,
    600 ... s, each times a uniform 0.9-1.1. Replicas that come free wake nobody.
    """
    jobs = workload.jobs
    jitter = random.Random(seed).uniform  # noqa: S311  a simulation must be repeatable
    machines = Machines(workload)
    starts = [math.nan] * len(jobs)
    # Arrivals of one instant come before retries: they are tried in the order in which they were given.
    tries = [(job.arrives, 0, number, FIRST_PAUSE_SECONDS) for number, job in enumerate(jobs)]
    started = 0
    while tries:
        now, _, number, pause = tries[0]
        machines.end_all(now)
        if machines.fit(jobs[number].needs):
            heapq.heappop(tries)
            machines.start(number, now)
            starts[number] = now
            started += 1
            if started % INSTANTS_BETWEEN_PROGRESS == 0:
                progress(started)
        else:
            again = now + pause * jitter(1 - SPREAD, 1 + SPREAD)
            longer = min(2 * pause, LONGEST_PAUSE_SECONDS)
            heapq.heapreplace(tries, (again, 1, number, longer))
    return tuple(starts)
