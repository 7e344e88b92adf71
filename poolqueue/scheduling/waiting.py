"""One line of a persistent resource's queue: all that a decision knows of a waiting job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.jobs import Demand, Hold, job_key
from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.traits import NO_TRAITS, Traits


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A waiting job.

    `is_new`: not yet held against confirmed pools, so that it may still be refused for asking what none has.
    `deadline`: when it must have ended. `expires`: when it ends if it still waits, the earlier of `deadline`
    and the longest that its publisher lets it wait. `preemptions`: how often it was preempted;
    `max_preemptions`: how often it may be, None for what the policy says. `moves`: how often in a row it left
    a queue for another, `moved_at` when it came to this one. With `holds` it is held: it is
    offered to no decision.
    """

    team: str
    job_id: str
    priority: int
    arrived: datetime
    demands: tuple[Demand, ...]
    attempt: int = 0
    not_before: datetime | None = None
    is_new: bool = False
    traits: Traits = NO_TRAITS
    expires: datetime | None = None
    deadline: datetime | None = None
    alternatives: tuple[Alternative, ...] = ()
    preemptions: int = 0
    max_preemptions: int | None = None
    moves: int = 0
    moved_at: datetime | None = None
    holds: tuple[Hold, ...] = ()
    serial: Serial | None = None

    @property
    def key(self) -> str:
        return job_key(self.team, self.job_id)
