"""Builders of resources, reservations, lines and jobs, and a store that is filled with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.ports import Create
from poolqueue.records import (
    Queue,
    ResourceName,
    job_path,
    queue_path,
    resource_path,
    write_job,
    write_queue,
    write_resource,
)
from poolqueue.scheduling.jobs import Demand, Job, State, record
from poolqueue.scheduling.pools import Backoff, Drain, Pool, PoolKey, Reservation, Resource
from poolqueue.scheduling.waiting import Waiting
from poolqueue.viewing.making import Snapshot, resource_view
from poolqueue.viewing.views import ResourceView

LONG_ID = "a-job-with-an-id-of-sixty-three-characters-which-is-the-longest"
NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
PROJECT = "demo-cli"
LOCATION = "us-central1"
NAME = ResourceName(project=PROJECT, location=LOCATION, id="gpu-a")
DISK = '{"bootDiskSizeGb":100,"bootDiskType":"pd-ssd"}'
SMALL = PoolKey('{"machineType":"n1-standard-4"}', DISK)
GPU = PoolKey('{"acceleratorCount":1,"acceleratorType":"NVIDIA_L4","machineType":"g2-standard-12"}', DISK)


def pool(key: PoolKey = SMALL, *ids: str, capacity: int = 4) -> Pool:
    return Pool(key=key, ids=ids or ("small",), capacity=capacity)


def resource(**changes: Any) -> Resource:
    pools = (pool(), pool(GPU, "gpus", capacity=8))
    observed = NOW - timedelta(seconds=12)
    return Resource(
        **{"name": NAME.full, "state": "RUNNING", "pools": pools, "observed_at": observed, **changes}
    )


def reservation(job_id: str, **changes: Any) -> Reservation:
    at = NOW - timedelta(minutes=5)
    fields = {
        "token": f"token-{job_id}",
        "team": "research",
        "job_id": job_id,
        "attempt": 1,
        "replicas": {SMALL: 1},
        "reserved_at": at,
        "submit_by": at + timedelta(seconds=60),
        **changes,
    }
    return Reservation(**fields)


def reservations(*each: Reservation) -> dict[str, Reservation]:
    return {one.token: one for one in each}


def demand(replicas: int = 1, key: PoolKey = SMALL, *, index: int = 0) -> Demand:
    return Demand(index=index, machine=key.machine, disk=key.disk, replicas=replicas)


def line(job_id: str, *demands: Demand, **changes: Any) -> Waiting:
    fields = {
        "team": "research",
        "job_id": job_id,
        "priority": 0,
        "arrived": NOW - timedelta(minutes=3),
        "demands": demands or (demand(),),
        **changes,
    }
    return Waiting(**fields)


def job(job_id: str, **changes: Any) -> Job:
    created = changes.pop("created", NOW - timedelta(minutes=10))
    fields = {
        "team": "research",
        "job_id": job_id,
        "resource": NAME.key,
        "priority": 0,
        "digest": "digest",
        "display_name": job_id,
        "custom_job_body": "{}",
        "demands": (demand(),),
        "created": created,
    }
    later = {name: value for name, value in changes.items() if name not in fields}
    return replace(record(Job(**{**fields, **changes}), at=created), **later)


def reserved_job(job_id: str, state: State, **changes: Any) -> Job:
    return job(job_id, state=state, inbox=False, token=f"token-{job_id}", attempt=1, **changes)


def store(*resources: Resource, lines: Iterable[Waiting] = (), jobs: Iterable[Job] = ()) -> MemoryDocuments:
    """A store with these resources, jobs, and the first resource's queue."""
    documents = MemoryDocuments()
    queue, _ = Queue().changed(add=lines)
    for each in resources:
        name = ResourceName.from_full(each.name)
        fields = write_resource(replace(each, waiting=len(queue.lines)))
        documents.commit([Create(path=resource_path(name), fields=fields)])
    for shard in range(queue.shards) if resources else ():
        name = ResourceName.from_full(resources[0].name)
        documents.commit([Create(path=queue_path(name, shard), fields=write_queue(queue, shard))])
    for one in jobs:
        documents.commit(
            [Create(path=job_path(one.key), fields=write_job(one, retention=timedelta(days=30)))]
        )
    return documents


def view(*lines: Waiting, **changes: Any) -> ResourceView:
    return resource_view(Snapshot(resource=resource(**changes), waiting=lines), now=NOW)


def busy(text: str = "maintenance") -> ResourceView:
    """A resource on which everything that can be shown is shown, with `text` wherever others may write."""
    held = [reservation(f"{text}-{n}", team=text, replicas={SMALL: 1}, running=True) for n in range(5)]
    return view(
        line(LONG_ID, demand(2)),
        line(text, demand(1, GPU), team=text, priority=100, arrived=NOW - timedelta(days=300)),
        pools=(pool(SMALL, "small", "small-too", capacity=10_000), pool(GPU, "gpus", capacity=8)),
        reservations=reservations(*held),
        foreign={SMALL: 9_000},
        surplus={SMALL: 3},
        drained={
            "*": Drain(reason=text, author=text, at=NOW),
            "gpus": Drain(reason=text, author=text, at=NOW),
        },
        backoffs={SMALL: Backoff(until=NOW + timedelta(minutes=1), step=1)},
    )
