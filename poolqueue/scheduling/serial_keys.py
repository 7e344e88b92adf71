"""Serial keys: of a team's jobs that name the same key only so many run at a time, wherever they run.

Whoever runs has the key from reservation to release. Those who would share it may ask for different limits:
what holds is the smallest among the one that would start and all that run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

TURN = timedelta(seconds=20)
NAMED = 3

KeyName = tuple[str, str]
"""A team, and what its jobs call the key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Serial:
    """What a job asks for: of those that name this key at most `limit` run at a time, itself included."""

    key: str
    limit: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """An attempt that has a key; `resource` is the key of the persistent resource where it is."""

    token: str
    job_id: str
    attempt: int
    resource: str
    limit: int
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiter:
    """The first in turn of the jobs that wait for a key at one resource."""

    resource: str
    job_id: str
    priority: int
    arrived: datetime

    @property
    def place(self) -> tuple[int, datetime]:
        return (-self.priority, self.arrived)


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What came free is left to this job until then: only who comes before it may go ahead."""

    waiter: Waiter
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SerialKey:
    """A key: who has it, and at which resources jobs wait for it."""

    holders: tuple[Holder, ...] = ()
    waiters: tuple[Waiter, ...] = ()
    turn: Turn | None = None

    @property
    def is_open(self) -> bool:
        """May anybody still have it besides?"""
        return len(self.holders) < min((each.limit for each in self.holders), default=1)

    @property
    def is_forgettable(self) -> bool:
        return not (self.holders or self.waiters or self.turn)

    def elsewhere(self, here: str) -> SerialKey:
        """As it concerns the decisions of the resource `here`, which knows its own holders itself."""
        others = tuple(each for each in self.holders if each.resource != here)
        is_others = self.turn is not None and self.turn.waiter.resource != here
        return SerialKey(holders=others, turn=self.turn if is_others else None)

    def released(self, here: str, own: Iterable[str], *, now: datetime) -> tuple[SerialKey, tuple[str, ...]]:
        """Once `own` are the tokens of all that have it `here`; and the resources that are to be told.

        Who waits elsewhere gets the first turn: the resource where it came free would always be quicker.
        """
        kept = set(own)
        left = tuple(each for each in self.holders if each.resource != here or each.token in kept)
        after = replace(self, holders=left, turn=self.turn if self.turn and self.turn.until > now else None)
        if len(left) == len(self.holders) or not after.is_open:
            return after, ()
        first = min(self.waiters, key=lambda each: each.place, default=None)
        others = tuple(each.resource for each in self.waiters if each.resource != here)
        is_others = first is not None and first.resource != here
        turn = Turn(waiter=first, until=now + TURN) if first is not None and is_others else None
        waiters = tuple(each for each in self.waiters if each.resource == here)
        return replace(after, waiters=waiters, turn=turn), others

    def taken(self, here: str, own: Sequence[Holder], waiter: Waiter | None) -> SerialKey:
        """Once `own` are all that have it `here`, and `waiter` is the first that waits for it there, if one
        does.
        """
        before = {each.token for each in self.holders}
        is_used = any(each.token not in before for each in own)
        others = [each for each in self.holders if each.resource != here]
        waiters = [each for each in self.waiters if each.resource != here]
        known = next((each for each in self.waiters if each.resource == here and not is_used), None)
        first = min(filter(None, (waiter, known)), key=lambda each: each.place, default=None)
        turn = self.turn
        if turn is not None and is_used and turn.waiter.resource == here:
            turn = None
        return SerialKey(
            holders=(*others, *own), waiters=(*waiters, *([first] if first is not None else [])), turn=turn
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """Why a job may not have a key now: `names` are the first of `count` jobs that have it, or the one that
    has the turn `until` then. `is_elsewhere`: not all of them are at the resource that decides.
    """

    serial: Serial
    limit: int
    names: tuple[str, ...]
    count: int
    until: datetime | None = None
    is_elsewhere: bool = False

    @property
    def said(self) -> str:
        named = ", ".join(self.names)
        more = f" and {self.count - len(self.names)} more" if self.count > len(self.names) else ""
        if self.until is not None:
            return f"serial key {self.serial.key}: {named} comes first"
        have = "has" if self.count == 1 else "have"
        return f"serial key {self.serial.key}: {self.limit} at a time; {named}{more} {have} it"


Here = Mapping[KeyName, Mapping[str, Holder]]
"""Per key who has it at the resource that decides, by token."""


class Keys:
    """Who has which key, as one decision goes on. `elsewhere` tells of those that are known to be shared."""

    def __init__(self, here: Here, elsewhere: Mapping[KeyName, SerialKey], *, now: datetime) -> None:
        self._here = here
        self._elsewhere = elsewhere
        self._now = now
        self._begun: dict[KeyName, list[tuple[str, int]]] = {}

    def take(self, team: str, serial: Serial, job_id: str) -> None:
        self._begun.setdefault((team, serial.key), []).append((job_id, serial.limit))

    def holders(self, name: KeyName) -> list[Holder]:
        """All that have the key; their resource is empty where that is the one that decides."""
        known = self._elsewhere.get(name)
        return [*self._here.get(name, {}).values(), *(() if known is None else known.holders)]

    def taken(self, team: str, serial: Serial, place: tuple[int, datetime]) -> Taken | None:
        """Why a job of this place, by priority and arrival, may not have it; None if it may."""
        name = (team, serial.key)
        holders, begun = self.holders(name), self._begun.get(name, ())
        limit = min([serial.limit, *(each.limit for each in holders), *(limit for _, limit in begun)])
        names = [*map(_named, holders), *(f"{job_id} (starts now)" for job_id, _ in begun)]
        if len(names) >= limit:
            return Taken(
                serial=serial,
                limit=limit,
                names=tuple(names[:NAMED]),
                count=len(names),
                is_elsewhere=any(each.resource for each in holders),
            )
        known = self._elsewhere.get(name)
        turn = None if known is None else known.turn
        if turn is None or turn.until <= self._now or place < turn.waiter.place:
            return None
        return Taken(
            serial=serial,
            limit=limit,
            names=(_named(turn.waiter),),
            count=1,
            until=turn.until,
            is_elsewhere=True,
        )


def _named(job: Holder | Waiter) -> str:
    """With the id of its resource, if that is another one."""
    return f"{job.job_id} on {job.resource.rsplit('.', 1)[-1]}" if job.resource else job.job_id
