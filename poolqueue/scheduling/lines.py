"""The line of a job in its queue: what decisions know of it."""

from __future__ import annotations

from poolqueue.scheduling import arrays
from poolqueue.scheduling.jobs import Job
from poolqueue.scheduling.waiting import Waiting


def waiting_line(job: Job) -> Waiting:
    return Waiting(
        team=job.team,
        job_id=job.job_id,
        priority=job.priority,
        arrived=job.arrived,
        demands=job.demands,
        attempt=job.attempt,
        not_before=job.not_before,
        is_new=job.inbox,
        traits=job.traits,
        expires=job.expires,
        deadline=job.deadline,
        alternatives=job.alternatives,
        preemptions=job.preemptions,
        max_preemptions=job.max_preemptions,
        moves=job.moves,
        moved_at=job.moved_at,
        holds=job.holds,
        serial=job.serial,
        members=() if job.array is None else arrays.ranges_of(job.array.waiting),
        max_parallel=job.max_parallel if job.array is None else job.array.max_parallel,
    )
