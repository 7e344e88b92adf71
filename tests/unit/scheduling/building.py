"""Builds a valid job, resource and queue; a test changes only what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.expectations import TimeoutsOnly
from poolqueue.scheduling.jobs import Demand, Job, State, move, record
from poolqueue.scheduling.policies import Policy
from poolqueue.scheduling.pools import Pool, PoolKey, Reservation, Resource
from poolqueue.scheduling.traits import NO_TRAITS, Traits
from poolqueue.scheduling.verdicts import Verdict
from poolqueue.scheduling.waiting import Waiting

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SSD = '{"bootDiskSizeGb":100,"bootDiskType":"pd-ssd"}'
CPU = PoolKey('{"machineType":"n1-standard-4"}', SSD)
GPU = PoolKey('{"machineType":"g2-standard-12"}', SSD)
NAME = "projects/demo-p/locations/us-central1/persistentResources/shared"
KEY = "demo-p.us-central1.shared"


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def pool(key: PoolKey = CPU, capacity: int = 4, **changes: Any) -> Pool:
    ids = changes.pop("ids", ("cpu",) if key == CPU else ("gpu",))
    return Pool(key=key, ids=ids, capacity=capacity, **changes)


def reservation(
    token: str = "t1", job_id: str = "j", replicas: Mapping[PoolKey, int] | None = None, **more: Any
) -> Reservation:
    fields: dict[str, Any] = {
        "team": "research",
        "attempt": 1,
        "reserved_at": NOW,
        "submit_by": at(60),
        **more,
    }
    return Reservation(token=token, job_id=job_id, replicas=replicas or {CPU: 1}, **fields)


def resource(*reservations: Reservation, pools: tuple[Pool, ...] | None = None, **more: Any) -> Resource:
    fields: dict[str, Any] = {"state": "RUNNING", "observed_at": NOW, **more}
    return Resource(
        name=NAME,
        pools=(pool(), pool(GPU, 2)) if pools is None else pools,
        reservations={each.token: each for each in reservations},
        **fields,
    )


def demand(replicas: int = 1, key: PoolKey = CPU, index: int = 0) -> Demand:
    return Demand(index=index, machine=key.machine, disk=key.disk, replicas=replicas)


def lasting(seconds: int, **more: Any) -> Traits:
    """Traits of jobs that are expected to take so long, where nothing but timeouts is known."""
    return replace(NO_TRAITS, timeout=seconds, **more)


def waiting(job_id: str = "j", *demands: Demand, age: float = 0, **more: Any) -> Waiting:
    fields: dict[str, Any] = {"team": "research", "priority": 0, **more}
    return Waiting(job_id=job_id, arrived=at(-age), demands=demands or (demand(),), **fields)


def job(job_id: str = "j", *demands: Demand, **more: Any) -> Job:
    fields: dict[str, Any] = {
        "team": "research",
        "resource": KEY,
        "priority": 0,
        "digest": "d",
        "display_name": job_id,
        "custom_job_body": "{}",
        "created": NOW,
        "message_id": "1",
        **more,
    }
    return record(Job(job_id=job_id, demands=demands or (demand(),), **fields), at=NOW)


def reserved_job(token: str = "t1", **more: Any) -> Job:
    return move(job(**more), State.RESERVED, at=NOW, attempt=1, token=token, tokens=(token,), inbox=False)


def job_in(state: State, token: str = "t1", **more: Any) -> Job:
    """A job of one attempt that has come as far as `state` (any but HELD and ENDED)."""
    if state is State.QUEUED:
        return job(**more)
    reserved = reserved_job(token, **more)
    if state is State.RESERVED:
        return reserved
    if state is State.CANCELLING:
        return move(reserved, state, at=NOW)
    submitted = move(reserved, State.SUBMITTED, at=NOW, custom_job="projects/1/customJobs/7", submitted=NOW)
    return submitted if state is State.SUBMITTED else move(submitted, state, at=NOW, started=NOW)


def board(on: Resource, *queue: Waiting, expectations: Any = None, **policy: Any) -> Board:
    known = TimeoutsOnly() if expectations is None else expectations
    return Board(on, queue, policy=Policy(**policy), expectations=known, now=NOW)


def decided(on: Resource, *queue: Waiting, slots: int = 50, **policy: Any) -> list[Verdict]:
    """The verdicts in the order of turns."""
    return [*decide(board(on, *queue, **policy), now=NOW, slots=slots).verdicts()]
