"""Other resources as a look elsewhere reads them: what is free there, and who waits for it already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from poolqueue.config import policy_of
from poolqueue.ports import Document, Query
from poolqueue.records import (
    ARRIVAL_FIELDS,
    ResourceName,
    queue_path,
    read_arrival,
    read_queue,
    read_resource,
    resource_path,
)
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.expectations import Expectations
from poolqueue.scheduling.lines import waiting_line
from poolqueue.scheduling.pools import Resource, free
from poolqueue.scheduling.waiting import Waiting
from poolqueue.system import System

ARRIVALS_LIMIT = 100


@dataclass(frozen=True, kw_only=True)
class Site:
    """Another resource as it was read, None if it is not known; `board` only where something may start."""

    name: ResourceName
    document: Document
    resource: Resource | None
    board: Board | None


def read_sites(
    system: System, keys: Sequence[str], *, expectations: Expectations, now: datetime
) -> dict[str, Site]:
    """The resources `keys`: their documents in one read, the queues of those that are open in another; new
    jobs are read only where they may come before others.
    """
    names = [ResourceName.from_key(key) for key in keys]
    documents = system.documents.read([resource_path(name) for name in names])
    found = [None if each.fields is None else read_resource(each.fields) for each in documents]
    pairs = zip(names, found, strict=True)
    queues = _queues(system, {n: r for n, r in pairs if r is not None and r.is_ready and r.is_fresh(now)})
    return {
        name.key: Site(
            name=name,
            document=document,
            resource=resource,
            board=_board(system, resource, queues[name], expectations, now) if name in queues else None,
        )
        for name, document, resource in zip(names, documents, found, strict=True)
    }


def _queues(system: System, open_: Mapping[ResourceName, Resource]) -> dict[ResourceName, list[Waiting]]:
    paths = {
        name: [queue_path(name, shard) for shard in range(resource.shards)] if resource.waiting else []
        for name, resource in open_.items()
    }
    documents = system.documents.read([path for each in paths.values() for path in each])
    fields = {document.path: document.fields for document in documents}
    return {name: read_queue(fields[path] for path in each).waiting() for name, each in paths.items()}


def _board(
    system: System,
    resource: Resource | None,
    queue: Sequence[Waiting],
    expectations: Expectations,
    now: datetime,
) -> Board:
    assert resource is not None
    name = ResourceName.from_full(resource.name)
    lines = {line.key: line for line in queue}
    if any(n > 0 for n in free(resource).values()):
        lines |= {line.key: line for line in _arrivals(system, name)}
    policy = policy_of(system.settings, name.id)
    return Board(resource, lines.values(), policy=policy, expectations=expectations, now=now)


def _arrivals(system: System, name: ResourceName) -> list[Waiting]:
    query = Query(collection="jobs", where={"inbox": name.key}, select=ARRIVAL_FIELDS, limit=ARRIVALS_LIMIT)
    found = system.documents.find(query)
    jobs = [read_arrival(each.fields) for each in found if each.fields is not None]
    return [waiting_line(job) for job in jobs if job.waits]
