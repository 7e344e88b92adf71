"""What teams may have of a resource: their quotas, and whose turn it is by weight and use.

A team's use is counted in seconds of the whole resource: replicas held, as parts of their pool's capacity,
times seconds, of which half is forgotten per half-life. Whatever is held counts as if it were held for an
hour more (the entry penalty), so that a burst does not start as a whole before any of it has counted. Run
times do not matter: whoever claims, or has, longer jobs gets neither more nor less.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from poolqueue.scheduling.planning import End, Wanted
from poolqueue.scheduling.policies import Policy, Quota
from poolqueue.scheduling.pools import PoolKey, Reservation, Resource

# How far behind the others a team may be when it begins to wait: it may have the whole resource for that
# long, times its share, before the others get anything again.
LONGEST_CREDIT = timedelta(minutes=30)
AHEAD_HALF_LIVES = 0.5
MOST_HALF_LIVES = 500
LEAST_PART = 1e-9  # less is what rounding leaves
NO_QUOTA = Quota()


@dataclass(frozen=True, kw_only=True)
class Maximum:
    """A team has `used` replicas of a pool, and may have no more than `most`."""

    pool: PoolKey
    used: int
    most: int


class Quotas:
    """The quotas of one resource's teams; `held` counts the replicas that each holds of each pool."""

    def __init__(self, resource: Resource, policy: Policy, held: Counter[tuple[str, PoolKey]]) -> None:
        self._quotas = {
            (team, pool.key): quota
            for team, named in policy.quotas.items()
            for pool in resource.pools
            if (quota := _of_ids(named, pool.ids)) is not None
        }
        self._teams = list(policy.quotas)
        self._capacity = {pool.key: pool.capacity for pool in resource.pools}
        self._withheld: Counter[PoolKey] = Counter()
        for (_, key), quota in self._quotas.items():
            self._withheld[key] += 0 if quota.lends else quota.guaranteed
        self._guaranteed = {team for (team, _), quota in self._quotas.items() if quota.guaranteed}
        self.held = held

    def __bool__(self) -> bool:
        return bool(self._quotas)

    def of(self, team: str, pool: PoolKey) -> Quota:
        return self._quotas.get((team, pool), NO_QUOTA)

    def guarantees(self, team: str) -> bool:
        return team in self._guaranteed

    def is_guaranteed(self, team: str, wanted: Wanted) -> bool:
        """Are these replicas the team's own, on top of what it has?"""
        return bool(self._quotas) and all(
            self.held[team, key] + n <= self.of(team, key).guaranteed for key, n in wanted
        )

    def exceeded(self, team: str, wanted: Wanted) -> Maximum | None:
        for key, n in wanted:
            most = most_of(self.of(team, key))
            if most is not None and self.held[team, key] + n > most:
                return Maximum(pool=key, used=self.held[team, key], most=most)
        return None

    def kept(self, team: str, pool: PoolKey) -> int:
        """Idle replicas that other teams are guaranteed and do not lend."""
        return sum(
            max(0, quota.guaranteed - self.held[other, pool])
            for other in self._teams
            if other != team and not (quota := self.of(other, pool)).lends
        )

    def opened(self, team: str, ends: Iterable[End], team_of: Callable[[str], str]) -> Iterator[End]:
        """These ends as they are for `team`: what others keep to themselves does not come free for it."""
        held = Counter(self.held)
        for at, token, replicas in ends:
            owner, given = team_of(token), dict(replicas)
            for key, n in replicas.items():
                quota = self.of(owner, key)
                if owner != team and not quota.lends:
                    given[key] = min(n, max(0, held[owner, key] - quota.guaranteed))
                held[owner, key] -= n
            yield at, token, given

    def left(self, team: str, pool: PoolKey) -> int | None:
        """How many replicas more the team may have, None for any number."""
        most = most_of(self.of(team, pool))
        return None if most is None else most - self.held[team, pool]

    def may_ever_have(self, team: str, pool: PoolKey, n: int) -> bool:
        """If it had none, and nobody else more than is guaranteed and not lent."""
        if not self._quotas:
            return n <= self._capacity[pool]
        quota = self.of(team, pool)
        most, own = most_of(quota), 0 if quota.lends else quota.guaranteed
        return (most is None or n <= most) and n <= self._capacity[pool] - self._withheld[pool] + own

    def borrowed(self, team: str, pool: PoolKey) -> int:
        """What the team holds beyond its guarantee."""
        return max(0, self.held[team, pool] - self.of(team, pool).guaranteed)


def most_of(quota: Quota) -> int | None:
    return quota.maximum if quota.borrows else quota.guaranteed


def quota_of(named: Mapping[str, Quota], pool: str) -> Quota | None:
    """A team's quota of the pool of that id, which may be that of all pools that it does not name."""
    return named.get(pool, named.get("*"))


def _of_ids(named: Mapping[str, Quota], ids: Iterable[str]) -> Quota | None:
    """Equal pools are one to the accounting, so their quotas add up."""
    found = [quota for id_ in ids if (quota := quota_of(named, id_)) is not None]
    if not found:
        return None
    most = [quota.maximum for quota in found if quota.maximum is not None]
    return Quota(
        guaranteed=sum(quota.guaranteed for quota in found),
        maximum=sum(most) if len(most) == len(found) else None,
        lends=all(quota.lends for quota in found),
        borrows=all(quota.borrows for quota in found),
    )


class Holdings:
    """What each team holds, as parts of the resource, and what it has used by that so far: known without a
    look at each reservation.
    """

    def __init__(self, resource: Resource, half_life: timedelta, *, now: datetime) -> None:
        self._parts = {pool.key: 1 / pool.capacity for pool in resource.pools if pool.capacity > 0}
        self._half_life = half_life
        self._origin = now
        self._held: dict[str, float] = {}
        self._grown: dict[str, float] = {}  # each part held since t, times 2 ** ((t - origin) / half-life)

    def count(self, reservation: Reservation, sign: int) -> None:
        if reservation.reserved_at - self._origin > MOST_HALF_LIVES * self._half_life:
            self._move_origin(reservation.reserved_at)
        team, part = reservation.team, sign * self.part_of(reservation.replicas.items())
        self._held[team] = self._held.get(team, 0.0) + part
        self._grown[team] = self._grown.get(team, 0.0) + part * self._growth(reservation.reserved_at)

    def part_of(self, wanted: Iterable[tuple[PoolKey, int]]) -> float:
        return sum(n * self._parts.get(key, 0.0) for key, n in wanted)

    def teams(self) -> Iterable[str]:
        return (team for team, part in self._held.items() if part > LEAST_PART)

    def held(self, team: str) -> float:
        return max(0.0, self._held.get(team, 0.0))

    def used_seconds(self, team: str, now: datetime) -> float:
        """Decayed to now."""
        lasting = self._half_life.total_seconds() / math.log(2)
        return lasting * max(0.0, self.held(team) - self._grown.get(team, 0.0) / self._growth(now))

    def _growth(self, at: datetime) -> float:
        return math.exp2(max(-MOST_HALF_LIVES, (at - self._origin) / self._half_life))

    def _move_origin(self, to: datetime) -> None:
        """After ages of idling, whatever was grown has come to nothing."""
        by = math.exp2((self._origin - to) / self._half_life)
        self._grown = {team: grown * by for team, grown in self._grown.items()}
        self._origin = to


class Uses:
    """Each team's position: what it used, decayed to now, and what it holds as if for another `AHEAD`, per
    unit of its weight. Whoever has the lowest is next.
    """

    def __init__(self, resource: Resource, policy: Policy, holdings: Holdings, *, now: datetime) -> None:
        self._policy = policy
        self._holdings = holdings
        self._ahead = AHEAD_HALF_LIVES * policy.share_half_life.total_seconds()
        self._used = {team: use.decayed(now, policy.share_half_life) for team, use in resource.uses.items()}
        self._held = {team: holdings.held(team) for team in holdings.teams()}
        for team in self._held:
            self._add(team, holdings.used_seconds(team, now))

    def charge(self, team: str, wanted: Iterable[tuple[PoolKey, int]]) -> None:
        """It gets these replicas too."""
        self._held[team] = self._held.get(team, 0.0) + self._holdings.part_of(wanted)

    def position(self, team: str) -> float:
        return self.used(team) + self._ahead * self._held.get(team, 0.0) / self._weight(team)

    def used(self, team: str) -> float:
        """Without what it holds from now on."""
        return self._used.get(team, 0.0) / self._weight(team)

    def join(self, joining: Collection[str], waiting: Collection[str]) -> dict[str, float]:
        """Teams that begin to wait: having been away earns no more than the longest credit on those that
        wait already. By how much the use of each was raised, in seconds of the resource.

        Where nobody waited, nobody was kept from anything: then all begin near the one that has used most.
        """
        if not joining:
            return {}
        if waiting:
            floor = min(self.used(team) for team in waiting)
        else:
            floor = max(self.used(team) for team in [*self._held, *joining])
        floor -= LONGEST_CREDIT.total_seconds() / sum(self._weight(team) for team in [*joining, *waiting])
        low = [team for team in joining if self.used(team) < floor]
        raised = {team: (floor - self.used(team)) * self._weight(team) for team in low}
        for team, seconds in raised.items():
            self._add(team, seconds)
        return raised

    def _add(self, team: str, seconds: float) -> None:
        self._used[team] = self._used.get(team, 0.0) + seconds

    def _weight(self, team: str) -> float:
        return self._policy.weights.get(team, 1.0)
