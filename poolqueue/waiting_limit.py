"""How many jobs of a team may wait for a persistent resource: held against a new request."""

from __future__ import annotations

from poolqueue.config import Team
from poolqueue.messages import Problem
from poolqueue.records import ResourceName, queue_path
from poolqueue.records.queues import has_successor, waiting_of
from poolqueue.scheduling.jobs import Job
from poolqueue.system import Known


def check_waiting(system: Known, job: Job, team: Team) -> list[Problem]:
    """Whether the team has as many jobs waiting there as it may have, as the queue's document counts them:
    one read, and none for a team without a limit. Requests that arrive together may exceed the limit by those
    that no cycle has taken up yet.
    """
    if team.max_waiting is None:
        return []
    name = ResourceName.from_key(job.resource)
    waiting = _count(system, name, team.name)
    asked = 1 if job.array is None else job.array.size
    if waiting + asked <= team.max_waiting:
        return []
    problem = f"team {team.name} has {waiting} jobs waiting for {name.id}, and may have {team.max_waiting}"
    if job.array is not None:
        problem = f"{problem}; this array has {asked}"
    remedy = "publish it again when some of them have started, cancel some, or have max_waiting raised"
    return [Problem(path="job_id", value=job.job_id, problem=problem, remedy=remedy)]


def _count(system: Known, name: ResourceName, team: str) -> int:
    waiting = shard = 0
    while True:
        fields = system.documents.read([queue_path(name, shard)])[0].fields
        if fields is None:
            return waiting
        waiting += waiting_of(fields, team)
        if not has_successor(fields):
            return waiting
        shard += 1
