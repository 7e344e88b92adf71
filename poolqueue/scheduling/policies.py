"""What may be chosen per persistent resource: the ordering, teams' shares and quotas, and preemption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Ordering(StrEnum):
    """Which waiting job is considered first, and who may go ahead of whom.

    `FIFO`: strictly who came first; nobody passes a job that waits for the same pool.
    `PRIORITY`: higher priority, then who came first; a later job goes ahead if that delays no planned start.
    `EXPECTED`: higher priority, then who is expected to be short, by what similar jobs of the team took;
    after some multiple of that, and after `Policy.firm_after` at the latest, a job has a firm place.
    """

    FIFO = "fifo"
    PRIORITY = "priority"
    EXPECTED = "expected"


class Preemption(StrEnum):
    """For whom a running attempt may be ended: for nobody, for a team whose replicas are lent, or for a
    higher priority too. In strict FIFO for nobody.
    """

    OFF = "off"
    LENT = "lent"
    HIGHER = "higher"


@dataclass(frozen=True, kw_only=True)
class Quota:
    """A team's replicas of one pool. `guaranteed` ones are its own: others get them while it leaves them
    idle, if it `lends`. Above them it gets what others leave, if it `borrows`, up to `maximum`.
    """

    guaranteed: int = 0
    maximum: int | None = None
    lends: bool = True
    borrows: bool = True


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules of one persistent resource.

    `weights`: teams' parts of what is not guaranteed, 1 for a team that is not named; `quotas`: per team and
    pool id. `share_half_life`: after that long, half of what a team used is forgotten.
    `max_preemptions`: how often one job may be preempted.
    """

    ordering: Ordering = Ordering.PRIORITY
    firm_after: timedelta = timedelta(hours=24)
    weights: Mapping[str, float] = field(default_factory=dict)
    quotas: Mapping[str, Mapping[str, Quota]] = field(default_factory=dict)
    share_half_life: timedelta = timedelta(days=1)
    preemption: Preemption = Preemption.OFF
    max_preemptions: int = 3
