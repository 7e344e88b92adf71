"""A persistent resource as the queue knows it: pools, reservations, and occupancy as their sum."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from poolqueue.scheduling.arrays import array_key
from poolqueue.scheduling.jobs import Reason, job_key
from poolqueue.scheduling.last_words import LastWords
from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.traits import NO_TRAITS, Traits

RESERVATIONS_LIMIT = 2_000
SUITORS_LIMIT = 20
OUTCOMES_LIMIT = 500  # more are not kept until they are learned; the oldest go
WORDS_LIMIT = 30
FRESH = timedelta(seconds=90)


class PoolKey(NamedTuple):
    """What identifies a pool to the accounting: its canonical machine and disk; equal pools are one."""

    machine: str
    disk: str


@dataclass(frozen=True, kw_only=True)
class Pool:
    """All resource pools of one machine and disk spec. `capacity`: replicas, autoscaled ones included."""

    key: PoolKey
    ids: tuple[str, ...]
    capacity: int
    used: int = 0


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """Replicas set aside for one attempt, from admission to release.

    `number` and `running` are what the sweep has seen of its custom job, `started` when that began to run;
    `absent_since` is when a sweep first found none though there ought to be one; `cancelled_at` is when
    Vertex AI was last asked to cancel it. `preemptions`: how often its job may still be preempted. `passes`:
    it went ahead of firm places, being surely short.
    """

    token: str
    team: str
    job_id: str
    attempt: int
    replicas: Mapping[PoolKey, int]
    reserved_at: datetime
    submit_by: datetime
    number: str | None = None
    running: bool = False
    absent_since: datetime | None = None
    cancelled_at: datetime | None = None
    priority: int = 0
    traits: Traits = NO_TRAITS
    started: datetime | None = None
    preemptions: int = 0
    passes: bool = False
    serial: Serial | None = None

    @property
    def key(self) -> str:
        return job_key(self.team, self.job_id)

    @property
    def array(self) -> str | None:
        """The key of the array of which it serves a member."""
        return array_key(self.key)

    @property
    def since(self) -> datetime:
        """From when on it is taken to run."""
        return self.started or self.reserved_at


@dataclass(frozen=True, kw_only=True)
class Drain:
    """Admission to a pool, or to the whole resource, is stopped."""

    reason: str
    author: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Nothing of a team is admitted."""

    reason: str
    author: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Pauses:
    """The teams that are paused. `version` counts the changes, so that a later one is not undone by an
    earlier one that comes late.
    """

    version: int = 0
    teams: Mapping[str, Pause] = field(default_factory=dict)


NO_PAUSES = Pauses()


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """A pool is left alone until then, because Vertex AI refused a job that was meant for it.

    `step` counts refusals in a row: without a start that came to run, or replicas that came free, in between.
    """

    until: datetime
    step: int
    reason: Reason = Reason.CAPACITY_REFUSED


@dataclass(frozen=True, kw_only=True)
class Unannounced:
    """The changes `first`..`last` of a job may not have been announced yet; recorded `at`."""

    first: int
    last: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Surplus:
    """Replicas in use that no listed job explains, as one sweep saw them at one epoch."""

    epoch: int
    replicas: Mapping[PoolKey, int]


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a team has used of the resource up to `at` by attempts that ended, in seconds of the whole
    resource. `waiting`: after the last decision it had jobs that waited for what others hold or were to get.
    """

    at: datetime
    seconds: float = 0.0
    waiting: bool = False

    def decayed(self, now: datetime, half_life: timedelta) -> float:
        """Half of it is forgotten per half-life."""
        return self.seconds * math.exp2(-max(timedelta(), now - self.at) / half_life)


def decayed_seconds(seconds: float, half_life: timedelta) -> float:
    """What is left at its end of a use that lasted so long, when half is forgotten per half-life."""
    lasting = half_life.total_seconds() / math.log(2)
    return -lasting * math.expm1(-seconds / lasting)


@dataclass(frozen=True, kw_only=True)
class Promise:
    """The first planned start that a waiting job was given, at `made`, and who has gone ahead of it since:
    `ahead` are the keys of the latest, `overtaken` is how many they were.
    """

    start: datetime
    made: datetime
    overtaken: int = 0
    ahead: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Overtakings:
    """How often jobs went ahead of planned starts so far; of the promises kept or not, how many were late by
    more than a minute, and by how many seconds in all.
    """

    count: int = 0
    settled: int = 0
    late: int = 0
    late_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A run that ended, for run times to be learned from and its team to be charged: since when it ran, for
    how long, whether it ended by itself or was cut, and the replicas that it had. Without a team it was
    written before these were told.
    """

    traits: Traits
    since: datetime
    seconds: float
    by_itself: bool
    team: str = ""
    replicas: Mapping[PoolKey, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Metered:
    """What became of replicas that are paid for, in seconds of single ones: of `paid` were `busy`, with our
    jobs or with others', and `wanted` those that idled while jobs waited that competed for replicas.
    """

    paid: float = 0.0
    busy: float = 0.0
    wanted: float = 0.0

    def plus(self, more: Metered) -> Metered:
        return Metered(
            paid=self.paid + more.paid, busy=self.busy + more.busy, wanted=self.wanted + more.wanted
        )


WHOLE_RESOURCE = "*"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One persistent resource. `name` is its full name; `state` is Vertex AI's, or MISSING.

    `epoch` counts reservations and releases; `waiting` is the number of lines in its queue; `foreign` and
    `surplus` are replicas held by others; `shards` is the number of its queue documents. `uses` are per team,
    `promises` per key of a waiting job. `suitors` are the keys of resources whose queues hold jobs that
    would come here, to be told when replicas come free. `pauses` are those of the installation, as far as
    they came here; `last_words`, per pool id or `*`, those on what is drained. `unsettled` are keys of ended
    jobs whose dependants may not know of it yet, and since when.
    `outcomes` are runs by token that run times are yet to learn from;
    `metered`, per month and pool, is yet to be taken into the months' own documents.
    """

    name: str
    state: str = "MISSING"
    created: datetime | None = None
    pools: tuple[Pool, ...] = ()
    reservations: Mapping[str, Reservation] = field(default_factory=dict)
    foreign: Mapping[PoolKey, int] = field(default_factory=dict)
    surplus: Mapping[PoolKey, int] = field(default_factory=dict)
    surplus_seen: Surplus | None = None
    observed_at: datetime | None = None
    epoch: int = 0
    released_at: Mapping[PoolKey, datetime] = field(default_factory=dict)
    drained: Mapping[str, Drain] = field(default_factory=dict)
    backoffs: Mapping[PoolKey, Backoff] = field(default_factory=dict)
    unannounced: Mapping[str, Unannounced] = field(default_factory=dict)
    waiting: int = 0
    shards: int = 1
    uses: Mapping[str, Use] = field(default_factory=dict)
    share_half_life: timedelta = timedelta(days=1)
    promises: Mapping[str, Promise] = field(default_factory=dict)
    overtakings: Overtakings = Overtakings()
    suitors: tuple[str, ...] = ()
    unsettled: Mapping[str, datetime] = field(default_factory=dict)
    outcomes: Mapping[str, Ran] = field(default_factory=dict)
    pauses: Pauses = NO_PAUSES
    last_words: LastWords = field(default_factory=dict)
    metered: Mapping[str, Mapping[PoolKey, Metered]] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        return self.state == "RUNNING"

    def is_fresh(self, now: datetime) -> bool:
        """Was the capacity observed recently enough to admit on it?"""
        return self.observed_at is not None and now - self.observed_at <= FRESH


def reserved(resource: Resource) -> Counter[PoolKey]:
    """Replicas reserved per pool: always the sum of the reservations, never a counter."""
    return total(reservation.replicas for reservation in resource.reservations.values())


def occupied(resource: Resource) -> Counter[PoolKey]:
    """Our reservations + other custom jobs listed on the resource + surplus, per pool."""
    return total((reserved(resource), resource.foreign, resource.surplus))


def free(resource: Resource) -> dict[PoolKey, int]:
    """Capacity minus occupancy per pool; negative after a shrinkage or beside foreign jobs."""
    taken = occupied(resource)
    return {pool.key: pool.capacity - taken[pool.key] for pool in resource.pools}


def total(parts: Iterable[Mapping[PoolKey, int]]) -> Counter[PoolKey]:
    result: Counter[PoolKey] = Counter()
    for part in parts:
        result.update(part)
    return result


def is_forgettable(resource: Resource) -> bool:
    """Was it missing when it was last observed, and is there nothing that its record is needed for?

    It also says how many documents its queue has, so one with several stays.
    """
    needed = resource.reservations or resource.waiting or resource.drained
    is_told = not (resource.unannounced or resource.unsettled)
    was_missing = resource.state == "MISSING" and resource.observed_at is not None
    return was_missing and not needed and is_told and resource.shards == 1
