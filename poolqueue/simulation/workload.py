"""What a simulation is given: pools, and jobs with the replicas that each needs of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.traits import Traits

Needs = tuple[tuple[int, int], ...]
"""Replicas per pool, as pairs of a pool's place in `Workload.pools` and a number of at least 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TracedJob:
    """One row of a trace, before it is known which pool it would run on. Times are in seconds, from any
    beginning that all rows share. Numbers that are not known are None, texts are empty.
    """

    job_id: str
    arrives: float | None
    runs: float | None
    gpus: int | None = None
    replicas: int | None = None
    gpus_per_replica: int | None = None
    machine: str = ""
    team: str = ""
    user: str = ""
    group: str = ""
    status: str = ""
    priority: int | None = None
    requested: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedJob:
    """A job to be simulated: it arrives, needs all of `needs` at once, and then runs for `runs` seconds.

    `requested` is how long its publisher said it would run, or None. `traits` are those that it really had,
    if it was a job of ours; a traced job has none. Of those with the same `serial` key of a team only so many
    run at a time; baselines know no such keys.
    """

    job_id: str
    arrives: float
    runs: float
    needs: Needs
    team: str = ""
    user: str = ""
    group: str = ""
    priority: int | None = None
    requested: float | None = None
    traits: Traits | None = None
    serial: Serial | None = None

    @property
    def replicas(self) -> int:
        """Of all its pools together."""
        return sum(replicas for _, replicas in self.needs)


@dataclass(frozen=True, kw_only=True)
class SimulatedPool:
    """`replicas` machines of one kind, with `gpus` each."""

    id: str
    replicas: int
    machine: str = ""
    gpus: int = 1


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Jobs in the order of their arrival, those of one instant in the order in which they were given.

    Every job fits its pools when they are empty; `left_out` counts those that do not, and others that
    cannot be simulated, by reason.
    """

    pools: tuple[SimulatedPool, ...]
    jobs: tuple[SimulatedJob, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def capacity(self) -> tuple[int, ...]:
        """Replicas per pool."""
        return tuple(pool.replicas for pool in self.pools)


def by_arrival(jobs: Iterable[SimulatedJob]) -> tuple[SimulatedJob, ...]:
    return tuple(sorted(jobs, key=lambda job: job.arrives))
