"""One line of a persistent resource's queue: all that a decision knows of a waiting job."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.arrays import Ranges, array_key, member_id, member_of, members_of, ranges_of
from poolqueue.scheduling.jobs import Demand, Hold, job_key
from poolqueue.scheduling.serial_keys import Serial
from poolqueue.scheduling.traits import NO_TRAITS, Traits


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A waiting job; or an array, for all of its `members` that wait and have no job of their own yet.

    `is_new`: not yet held against confirmed pools, so that it may still be refused for asking what none has.
    `deadline`: when it must have ended. `expires`: when it ends if it still waits, the earlier of `deadline`
    and the longest that its publisher lets it wait. `preemptions`: how often it was preempted;
    `max_preemptions`: how often it may be, None for what the policy says. `moves`: how often in a row it left
    a queue for another, `moved_at` when it came to this one. With `holds` it is held: it is offered to no
    decision. `max_parallel`: how many members of its array may hold replicas at a time. `of`: the key of the
    array in whose line this member stands.
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
    members: Ranges = ()
    max_parallel: int | None = None
    of: str | None = None

    @property
    def key(self) -> str:
        return job_key(self.team, self.job_id)

    @property
    def count(self) -> int:
        """How many jobs it stands for."""
        return sum(end - first for first, end in self.members) if self.members else 1

    @property
    def array(self) -> str | None:
        """The key of the array that it is, or is a member of."""
        return self.key if self.members else array_key(self.key)

    def nth(self, n: int) -> Waiting:
        """The job itself, or the member of that place among those that wait, from 0 on."""
        for first, end in self.members:
            if n < end - first:
                job_id = member_id(self.job_id, first + n)
                return replace(self, job_id=job_id, members=(), of=self.key)
            n -= end - first
        return self

    def without(self, keys: Iterable[str]) -> Waiting | None:
        """The array without the members of these keys, None if no other one waits."""
        left = members_of(self.members)
        for key in keys:
            left &= ~(1 << _number(key))
        return replace(self, members=ranges_of(left)) if left else None


def is_awake(line: Waiting, now: datetime) -> bool:
    """May it start now, as far as its own times go?"""
    if line.not_before is not None and line.not_before > now:
        return False
    return line.expires is None or line.expires > now


def is_among(lines: Iterable[Waiting]) -> Callable[[str], bool]:
    """Tells by its key whether a job is one of these, or stands in the line of its array among them."""
    by_key = {line.key: line for line in lines}

    def is_there(key: str) -> bool:
        if key in by_key:
            return True
        array = by_key.get(array_key(key) or "")
        return array is not None and any(first <= _number(key) < end for first, end in array.members)

    return is_there


def _number(key: str) -> int:
    found = member_of(key.partition(".")[2])
    assert found is not None, f"{key} is no member of an array"
    return found[1]
