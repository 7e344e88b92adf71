"""What an operator is shown of a persistent resource and its jobs: pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from poolqueue.records import ResourceName
from poolqueue.scheduling.estimates import Estimate, NoEstimate
from poolqueue.scheduling.jobs import Outcome, Reason, State, job_key
from poolqueue.scheduling.pools import Backoff, Drain
from poolqueue.viewing.terms import Terms

HOLDING = (State.RUNNING, State.SUBMITTED, State.RESERVED, State.CANCELLING)


@dataclass(frozen=True, kw_only=True)
class Share:
    """A job's replicas on a pool; `pool` is its ids, or the machine where no pool serves the demand."""

    pool: str
    replicas: int


@dataclass(frozen=True, kw_only=True)
class Expected:
    """When a waiting job is expected to start and end, as of a moment, or why nobody says."""

    estimate: Estimate | NoEstimate
    as_of: datetime


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far an array is: how many of its members have ended, by outcome, and how many hold replicas or are
    about to, `at_work`.
    """

    size: int
    at_work: int
    ended: Mapping[str, int]
    max_parallel: int | None = None


@dataclass(frozen=True, kw_only=True)
class JobView:
    """A job as a row. `waited`: from its request to its start; `held`: how long it has had replicas without
    running; `ran`: from its start on. `note` says more about `reason`. `position`: in turn, from 1 on, among
    those that wait for its resource. `planned`: the start that was first planned for it, which others do not
    delay. `terms` are None where only its reservation was read; `expected` is there only of a waiting job,
    `array` only of an array, which is one row for all members that wait.
    """

    team: str
    job_id: str
    state: State
    resource: str
    shares: tuple[Share, ...]
    waited: timedelta | None = None
    held: timedelta | None = None
    ran: timedelta | None = None
    priority: int | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None
    note: str = ""
    position: int | None = None
    planned: datetime | None = None
    terms: Terms | None = None
    expected: Expected | None = None
    array: Progress | None = None

    @property
    def key(self) -> str:
        return job_key(self.team, self.job_id)


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A job that holds replicas of a pool."""

    team: str
    job_id: str
    replicas: int


@dataclass(frozen=True, kw_only=True)
class PoolView:
    """All pools of one machine and disk. `waiting` counts the jobs that wait for it, perhaps among others."""

    ids: tuple[str, ...]
    machine: str
    disk: str
    capacity: int
    reserved: int
    foreign: int
    surplus: int
    free: int
    waiting: int = 0
    holders: tuple[Holder, ...] = ()
    drained: Drain | None = None
    backoff: Backoff | None = None

    @property
    def name(self) -> str:
        return ", ".join(self.ids)


@dataclass(frozen=True, kw_only=True)
class ResourceView:
    """A persistent resource. `holding` have replicas, `waiting` are in the order of their consideration,
    `held` are kept from being considered, the oldest first. `arrays` are those of whose members some have
    replicas and none stands in the queue for all of them.
    """

    name: ResourceName
    state: str
    seen_at: datetime
    observed_at: datetime | None
    is_fresh: bool
    pools: tuple[PoolView, ...] = ()
    holding: tuple[JobView, ...] = ()
    waiting: tuple[JobView, ...] = ()
    held: tuple[JobView, ...] = ()
    arrays: tuple[JobView, ...] = ()
    more_arrivals: bool = False
    drained: Drain | None = None

    @property
    def age(self) -> timedelta | None:
        """How long ago Vertex AI was asked."""
        return None if self.observed_at is None else self.seen_at - self.observed_at
