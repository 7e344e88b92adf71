"""All that a decision looks at, arranged for it: the resource, its waiting jobs in groups, expected ends.

A cycle makes one from a snapshot; a simulation keeps one and tells it what happens. Both decide on it by the
same code.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from poolqueue.scheduling.events import (
    Announced,
    Changed,
    Event,
    Paused,
    Queued,
    Reckoned,
    Released,
    Reserved,
    apply,
)
from poolqueue.scheduling.expectations import Expectations
from poolqueue.scheduling.jobs import Demand
from poolqueue.scheduling.matching import Assignment, Matched, MatchProblem, PoolSpec, match_pools
from poolqueue.scheduling.planning import Ends
from poolqueue.scheduling.policies import Ordering, Policy
from poolqueue.scheduling.pools import PoolKey, Reservation, Resource, free
from poolqueue.scheduling.serial_keys import Holder, KeyName, Keys, Serial, SerialKey
from poolqueue.scheduling.sharing import Holdings, Quotas, Uses
from poolqueue.scheduling.traits import Traits
from poolqueue.scheduling.waiting import Waiting

CANCELLED_SECONDS = 60.0  # until what was cancelled is expected to have given its replicas back


Place = tuple[int, datetime, str, str]


@dataclass(kw_only=True, eq=False)
class Group:
    """Waiting jobs of one team that ask for the same, the same serial key if any, and resemble one another,
    ordered by `place`.

    `wanted` is empty where `problems` say that no pools can serve them.
    """

    team: str
    traits: Traits
    place: Callable[[Waiting], Place]
    wanted: tuple[tuple[PoolKey, int], ...] = ()
    assignments: tuple[Assignment, ...] = ()
    problems: tuple[MatchProblem, ...] = ()
    lines: list[Waiting] = field(default_factory=list)
    serial: Serial | None = None

    def add(self, line: Waiting) -> None:
        insort(self.lines, line, key=self.place)

    def remove(self, line: Waiting) -> None:
        place = bisect_left(self.lines, self.place(line), key=self.place)
        assert self.lines[place].key == line.key
        del self.lines[place]

    def exchange(self, line: Waiting, other: Waiting) -> None:
        """`other` has the same place."""
        place = bisect_left(self.lines, self.place(line), key=self.place)
        assert self.lines[place].key == line.key == other.key
        self.lines[place] = other


def by_priority(line: Waiting) -> Place:
    """Higher priority first, then who arrived first."""
    return (-line.priority, line.arrived, line.team, _name(line))


def by_arrival(line: Waiting) -> Place:
    return (0, line.arrived, line.team, _name(line))


def _name(line: Waiting) -> str:
    """Members that wait again come before those that still stand in the line of their array."""
    return f"{line.job_id}/" if line.members else line.job_id


_GroupKey = tuple[str, int, int, Serial | None]


class _GroupKeys:
    """Equal keys for lines that are alike. What lines share is hashed once per object, for hashing costs."""

    def __init__(self) -> None:
        self._by_id: dict[_GroupKey, tuple[_GroupKey, Waiting]] = {}  # keeps what the ids are of
        self._demands: dict[tuple[Demand, ...], int] = {}
        self._traits: dict[Traits, int] = {}

    def of(self, line: Waiting) -> _GroupKey:
        by_id = (line.team, id(line.demands), id(line.traits), line.serial)
        known = self._by_id.get(by_id)
        return known[0] if known is not None else self._new(by_id, line)

    def _new(self, by_id: _GroupKey, line: Waiting) -> _GroupKey:
        demands = self._demands.setdefault(line.demands, len(self._demands))
        traits = self._traits.setdefault(line.traits, len(self._traits))
        key = (line.team, demands, traits, line.serial)
        self._by_id[by_id] = (key, line)
        return key


class Board:
    """`resource` changes by `apply` alone, and `queue` by `add` and `remove`. `elsewhere`: who has which
    serial keys at other resources, as far as that was looked up.
    """

    def __init__(
        self,
        resource: Resource,
        queue: Iterable[Waiting] = (),
        *,
        policy: Policy,
        expectations: Expectations,
        now: datetime,
        elsewhere: Mapping[KeyName, SerialKey] | None = None,
    ) -> None:
        self.resource = resource
        self.elsewhere = {} if elsewhere is None else elsewhere
        self.policy = policy
        self.expectations = expectations
        self.groups: dict[_GroupKey, Group] = {}
        self.timed: dict[str, Waiting] = {}
        self.arrays: dict[str, Waiting] = {}
        self.maximums: dict[str, int] = {}
        self._shared: set[_GroupKey] = set()
        self._specs = specs(resource)
        self._group_keys = _GroupKeys()
        self._place = by_arrival if policy.ordering is Ordering.FIFO else by_priority
        self._arrange_pools(now)
        for line in queue:
            self.group_of(line).lines.append(line)
            self._watch(line)
        for group in self.groups.values():
            group.lines.sort(key=self._place)

    def _arrange_pools(self, now: datetime) -> None:
        resource = self.resource
        self.free = free(resource)
        self.capacity = {pool.key: pool.capacity for pool in resource.pools}
        self.names = {pool.key: ", ".join(pool.ids) for pool in resource.pools}
        self.held: Counter[tuple[str, PoolKey]] = Counter()
        self.parallel: Counter[str] = Counter()
        self.passers: dict[str, Reservation] = {}
        self._key_holders: dict[KeyName, dict[str, Holder]] = {}
        self.ends = Ends()
        self._holdings = Holdings(resource, self.policy.share_half_life, now=now)
        for reservation in resource.reservations.values():
            self._count(reservation, 1)
            self._expect_end(reservation, now)

    # --- the queue

    def lines(self) -> Iterator[Waiting]:
        return (line for group in self.groups.values() for line in group.lines)

    def add(self, line: Waiting) -> None:
        self.group_of(line)
        self._own(self._group_keys.of(line)).add(line)
        self._watch(line)

    def _watch(self, line: Waiting) -> None:
        if line.expires is not None or line.not_before is not None:
            self.timed[line.key] = line
        if line.members:
            self.arrays[line.key] = line
        if line.max_parallel is not None and line.array is not None:
            self.maximums[line.array] = line.max_parallel

    def remove(self, line: Waiting) -> None:
        """A member that stands in the line of its array leaves that."""
        if line.of is not None and line.of in self.arrays:
            self._take_out(line, self.arrays[line.of])
            return
        self.timed.pop(line.key, None)
        self.arrays.pop(line.key, None)
        key = self._group_keys.of(line)
        group = self._own(key)
        group.remove(line)
        if not group.lines:
            del self.groups[key]

    def _take_out(self, member: Waiting, array: Waiting) -> None:
        left = array.without([member.key])
        if left is None:
            self.remove(array)
            return
        self._own(self._group_keys.of(array)).exchange(array, left)
        self._watch(left)

    def is_at_maximum(self, line: Waiting, begun: int = 0) -> bool:
        """Do as many members of its array hold replicas as may, with those that have just `begun` to?"""
        array = line.array
        most = self.maximums.get(array) if array is not None and self.maximums else None
        return most is not None and self.parallel[array or ""] + begun >= most

    def first_of(self, group: Group) -> Waiting | None:
        """The first job of a group that its array does not keep back."""
        if not self.maximums:
            return group.lines[0]
        return next((line for line in group.lines if not self.is_at_maximum(line)), None)

    def copy(self, *, resource: Resource | None = None, policy: Policy | None = None, now: datetime) -> Board:
        """The same queue as of `now`, perhaps before another resource or by another policy. Either board may
        be changed without changing the other.
        """
        twin = Board(
            self.resource if resource is None else resource,
            policy=self.policy if policy is None else policy,
            expectations=self.expectations,
            now=now,
            elsewhere=self.elsewhere,
        )
        twin._group_keys = self._group_keys
        twin.timed, twin.groups = dict(self.timed), dict(self.groups)
        twin.arrays, twin.maximums = dict(self.arrays), dict(self.maximums)
        self._shared, twin._shared = set(self.groups), set(self.groups)
        is_alike = twin._place is self._place and _is_grown(self._specs, twin._specs)
        for key, group in self.groups.items():
            if not (is_alike and group.wanted):
                twin.groups[key] = twin._new_group(group.lines[0])
                twin.groups[key].lines = sorted(group.lines, key=twin._place)
        return twin

    def _own(self, key: _GroupKey) -> Group:
        """The group, to be changed: a copy if another board has it too."""
        group = self.groups[key]
        if key in self._shared:
            self._shared.discard(key)
            group = self.groups[key] = replace(group, lines=[*group.lines])
        return group

    def group_of(self, line: Waiting) -> Group:
        key = self._group_keys.of(line)
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = self._new_group(line)
        return group

    def _new_group(self, line: Waiting) -> Group:
        group = Group(team=line.team, traits=line.traits, place=self._place, serial=line.serial)
        match = match_pools(line.demands, self._specs)
        if isinstance(match, Matched):
            group.wanted, group.assignments = match.demands, match.assignments
        else:
            group.problems = match
        return group

    # --- what happens

    def apply(self, event: Event, *, now: datetime) -> None:
        """Let it happen to the resource."""
        before = self.resource
        self.resource = apply(before, event)
        match event:
            case Reserved(reservations=new):
                for reservation in new:
                    self._take(reservation, now)
            case Released(token=token) if token in before.reservations:
                self._give_back(before.reservations[token])
            case Reckoned() | Queued() | Changed() | Announced() | Paused():
                pass
            case _:
                self._rearrange(before, now)

    def confirm(self, at: datetime) -> None:
        """Vertex AI was looked at again, and all was as it is known here."""
        self.resource = replace(self.resource, observed_at=at)

    def _take(self, reservation: Reservation, now: datetime) -> None:
        for key, n in reservation.replicas.items():
            self.free[key] = self.free.get(key, 0) - n
        self._count(reservation, 1)
        self._expect_end(reservation, now)

    def _give_back(self, reservation: Reservation) -> None:
        for key, n in reservation.replicas.items():
            self.free[key] = self.free.get(key, 0) + n
        self._count(reservation, -1)
        self.ends.remove(reservation.token)
        self.passers.pop(reservation.token, None)

    def _rearrange(self, before: Resource, now: datetime) -> None:
        """Any other event may change anything, but only pools decide which of them serves what."""
        self._arrange_pools(now)
        if before.pools != self.resource.pools:
            self._specs = specs(self.resource)
            lines, self.groups, self._shared = [*self.lines()], {}, set()
            for line in lines:
                self.add(line)

    def _count(self, reservation: Reservation, sign: int) -> None:
        self._holdings.count(reservation, sign)
        for key, n in reservation.replicas.items():
            self.held[reservation.team, key] += sign * n
        if reservation.serial is not None:
            self._count_key(reservation, reservation.serial, sign)
        if (array := reservation.array) is not None:
            self.parallel[array] += sign

    def _count_key(self, reservation: Reservation, serial: Serial, sign: int) -> None:
        holders = self._key_holders.setdefault((reservation.team, serial.key), {})
        if sign > 0:
            holders[reservation.token] = holder(reservation, serial)
        else:
            holders.pop(reservation.token, None)

    # --- teams

    def quotas(self) -> Quotas:
        """With a count of their own of who holds what, to be used up by one decision."""
        held: Counter[tuple[str, PoolKey]] = Counter()
        dict.update(held, self.held)  # Counter's own counts anew
        return Quotas(self.resource, self.policy, held)

    def uses(self, now: datetime) -> Uses:
        """With a count of their own of who holds what, to be added to by one decision."""
        return Uses(self.resource, self.policy, self._holdings, now=now)

    # --- serial keys

    def keys(self, now: datetime) -> Keys:
        """Who has which, to be added to by one decision."""
        return Keys(self._key_holders, self.elsewhere, now=now)

    # --- expected ends

    def expect_overdue(self, now: datetime) -> None:
        """What ought to have ended by now is expected to end later, by how long it has run."""
        for token in self.ends.overdue(seconds_of(now)):
            self.ends.remove(token)
            self._expect_end(self.resource.reservations[token], now)

    def _expect_end(self, reservation: Reservation, now: datetime) -> None:
        if reservation.passes:
            self.passers[reservation.token] = reservation
        if reservation.cancelled_at is not None:
            left = CANCELLED_SECONDS
        else:
            elapsed = max(0.0, (now - reservation.since).total_seconds())
            left = self.expectations.left_seconds(reservation.traits, elapsed)
        self.ends.add(reservation.token, seconds_of(now) + left, reservation.replicas)


def holder(reservation: Reservation, serial: Serial, *, resource: str = "") -> Holder:
    """Of a serial key, from the reservation on; `resource` is the key of where it is."""
    return Holder(
        token=reservation.token,
        job_id=reservation.job_id,
        attempt=reservation.attempt,
        resource=resource,
        limit=serial.limit,
        since=reservation.reserved_at,
    )


def specs(resource: Resource) -> list[PoolSpec]:
    return [
        PoolSpec(id=", ".join(pool.ids), machine=pool.key.machine, disk=pool.key.disk, capacity=pool.capacity)
        for pool in resource.pools
    ]


def _is_grown(before: Sequence[PoolSpec], after: Sequence[PoolSpec]) -> bool:
    """Are they the same pools, none smaller than before? What had its pools then has the same ones still."""
    return len(before) == len(after) and all(
        replace(was, capacity=None) == replace(now, capacity=None)
        and (was.capacity or 0) <= (now.capacity or 0)
        for was, now in zip(before, after, strict=True)
    )


def seconds_of(at: datetime) -> float:
    return at.timestamp()


def time_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
