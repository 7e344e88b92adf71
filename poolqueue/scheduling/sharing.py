"""What teams may have of a resource: their quotas, and whose turn it is by weight and use.

A team's use is counted in seconds of the whole resource: replicas held, as parts of their pool's capacity,
times seconds. What ended is forgotten by half per half-life; what runs counts with all that it is expected
to take (the entry penalty), so that a burst does not start as a whole before any of it has counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from poolqueue.scheduling.policies import Policy, Quota
from poolqueue.scheduling.pools import PoolKey, Resource

Wanted = Sequence[tuple[PoolKey, int]]

# How far behind the others a team may be, by its use, when it begins to wait. In seconds of the whole
# resource, per unit of weight.
LONGEST_CREDIT = timedelta(minutes=30)
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
        self.held = held

    def __bool__(self) -> bool:
        return bool(self._quotas)

    def of(self, team: str, pool: PoolKey) -> Quota:
        return self._quotas.get((team, pool), NO_QUOTA)

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


class Uses:
    """How much each team has used, decayed to now, with all that runs, per unit of its weight."""

    def __init__(self, resource: Resource, policy: Policy, *, now: datetime) -> None:
        self._policy = policy
        self._parts = {pool.key: 1 / pool.capacity for pool in resource.pools if pool.capacity > 0}
        self._seconds = {
            team: use.decayed(now, resource.share_half_life) for team, use in resource.uses.items()
        }

    def charge(self, team: str, wanted: Iterable[tuple[PoolKey, int]], seconds: float) -> None:
        part = sum(n * self._parts.get(key, 0.0) for key, n in wanted)
        self._seconds[team] = self._seconds.get(team, 0.0) + part * seconds

    def position(self, team: str) -> float:
        return self._seconds.get(team, 0.0) / self._weight(team)

    def join(self, joining: Iterable[str], waiting: Iterable[str]) -> dict[str, float]:
        """Teams that begin to wait: having been away earns no more than the longest credit on those that
        wait already. By how much the use of each was raised, in seconds of the resource.
        """
        lowest = min((self.position(team) for team in waiting), default=0.0)
        lowest -= LONGEST_CREDIT.total_seconds()
        raised = {}
        for team in joining:
            if self.position(team) < lowest:
                raised[team] = (lowest - self.position(team)) * self._weight(team)
                self._seconds[team] = self._seconds.get(team, 0.0) + raised[team]
        return raised

    def _weight(self, team: str) -> float:
        return self._policy.weights.get(team, 1.0)
