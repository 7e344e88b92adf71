"""Stops a pool or a whole resource: it is drained first, then what runs there is requeued or cancelled.

Drained, nothing more can start there, so that what is found reserved after is all there is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime

from poolqueue.commanding.records import Result
from poolqueue.cycle import settle
from poolqueue.messages import Command, Running
from poolqueue.ports import VertexUnavailable
from poolqueue.records import ResourceName, job_path, read_job, read_resource, resource_path
from poolqueue.scheduling.commands import CancelAsked, Commanded, JobCommand, Order, RequeueAsked
from poolqueue.scheduling.jobs import Job, State
from poolqueue.scheduling.pools import Reservation, Resource
from poolqueue.system import System

AT_ONCE = 20  # jobs of 256 KB each, at the most, in one commit
CANCELS_AT_ONCE = 30
NAMED = 3

log = logging.getLogger(__name__)


def stop_what_runs(system: System, name: ResourceName, command: Command, *, deadline: datetime) -> Result:
    """The part that `command` names is drained. Few custom jobs are cancelled at once, for Vertex AI's limits
    are shared with others; sweeps cancel the rest, and repeat what is not answered.
    """
    fields = system.documents.read([resource_path(name)])[0].fields
    resource = Resource(name=name.full) if fields is None else read_resource(fields)
    keys = [each.key for each in _on(resource, command.pool)]
    for start in range(0, len(keys), AT_ONCE):
        changes = [Commanded(asked=_asked(key, command)) for key in keys[start : start + AT_ONCE]]
        settle(system, name, changes, deadline=deadline)
    stopped = [job for job in _jobs(system, keys) if job.state is State.CANCELLING]
    _cancel(system, [job.custom_job for job in stopped if job.custom_job is not None][:CANCELS_AT_ONCE])
    return Result(status="done", message=_told(name, resource, command, keys))


def _asked(key: str, command: Command) -> JobCommand:
    order = Order(command=command.id, author=command.author, reason=command.reason)
    if command.running is Running.CANCEL:
        return CancelAsked(key=key, order=order)
    return RequeueAsked(key=key, order=order)


def _on(resource: Resource, pool: str | None) -> Iterable[Reservation]:
    keys = {each.key for each in resource.pools if pool in each.ids}
    for reservation in resource.reservations.values():
        if pool is None or not keys.isdisjoint(reservation.replicas):
            yield reservation


def _jobs(system: System, keys: Sequence[str]) -> list[Job]:
    found = (read_job(each.fields) for each in system.documents.read([*map(job_path, keys)]) if each.fields)
    return [*found]


def _cancel(system: System, custom_jobs: Sequence[str]) -> None:
    for custom_job in custom_jobs:
        try:
            system.submitter.cancel(custom_job)
        except VertexUnavailable as error:
            log.warning("cancel_unanswered", extra={"custom_job": custom_job, "error": str(error)})


def _told(name: ResourceName, resource: Resource, command: Command, keys: Sequence[str]) -> str:
    what = name.id if command.pool is None else f"pool {command.pool} of {name.id}"
    foreign = sum(
        n for pool in resource.pools for n in [resource.foreign.get(pool.key, 0)]
        if command.pool is None or command.pool in pool.ids
    )  # fmt: skip
    told = f"nothing more is admitted to {what}"
    if keys:
        named = ", ".join(key.replace(".", "/", 1) for key in keys[:NAMED])
        more = f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else ""
        end = "cancelled" if command.running is Running.CANCEL else "cancelled there and queued again"
        told += f"; what runs there is {end}: {named}{more}"
    else:
        told += "; no job of the queue runs there"
    if foreign:
        told += (
            f"; {foreign:,} replicas are held by custom jobs that did not come through the queue: they go on"
        )
    return told
