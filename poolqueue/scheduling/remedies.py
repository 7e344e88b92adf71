"""What could be changed so that a waiting job starts: kinds of remedies, and what each does to a case.

What a job asks of pools is never changed: such a remedy is to cancel it, and to ask for it anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from poolqueue.scheduling.cases import Case
from poolqueue.scheduling.events import Paused, Resumed, apply
from poolqueue.scheduling.jobs import Demand
from poolqueue.scheduling.matching import Assignment
from poolqueue.scheduling.policies import Policy, Quota
from poolqueue.scheduling.pools import Pauses, PoolKey
from poolqueue.scheduling.sharing import quota_of


@dataclass(frozen=True, kw_only=True)
class WaitUntil:
    """Time alone lets it start then, if nobody else takes its replicas."""

    at: datetime

    def apply(self, case: Case) -> Case:
        return case.at(self.at)


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Admit again to these pools (ids, or `*` for the resource); size: how many."""

    pools: tuple[str, ...]

    def apply(self, case: Case) -> Case:
        resource = case.board.resource
        for pool in self.pools:
            resource = apply(resource, Resumed(pool=pool))
        return case.of_resource(resource)


@dataclass(frozen=True, kw_only=True)
class Unpause:
    """Admit jobs of this team again."""

    team: str

    def apply(self, case: Case) -> Case:
        before = case.board.resource.pauses
        teams = {team: pause for team, pause in before.teams.items() if team != self.team}
        pauses = Pauses(version=before.version + 1, teams=teams)
        return case.of_resource(apply(case.board.resource, Paused(pauses=pauses)))


@dataclass(frozen=True, kw_only=True)
class RaisePriority:
    """Give it this priority, at its place; size: the priority."""

    to: int

    def apply(self, case: Case) -> Case:
        return case.with_priority(self.to)


@dataclass(frozen=True, kw_only=True)
class FewerReplicas:
    """Ask for so many replicas of each pool; size: how many fewer in all. The largest worker pool specs of a
    pool give them up, none goes without.
    """

    to: Mapping[PoolKey, int]

    def apply(self, case: Case) -> Case:
        return case.asked_anew(demands=with_replicas(case.line.demands, case.assignments, self.to))


@dataclass(frozen=True, kw_only=True)
class UsePool:
    """Ask for machines of this pool instead of that one's; these have no size."""

    pool: PoolKey
    instead_of: PoolKey

    def apply(self, case: Case) -> Case:
        moved = {each.index for each in case.assignments if each.key == self.instead_of}
        demands = tuple(
            replace(demand, machine=self.pool.machine, disk=self.pool.disk)
            if demand.index in moved
            else demand
            for demand in case.line.demands
        )
        return case.asked_anew(demands=demands)


@dataclass(frozen=True, kw_only=True)
class ShorterTimeout:
    """Ask for it with a timeout of so many seconds; size: how much shorter that is."""

    to: int

    def apply(self, case: Case) -> Case:
        return case.asked_anew(traits=replace(case.line.traits, timeout=self.to))


@dataclass(frozen=True, kw_only=True)
class HigherSerialLimit:
    """Ask for it with a serial limit of so many; size: the limit."""

    to: int

    def apply(self, case: Case) -> Case:
        assert case.line.serial is not None
        return case.asked_anew(serial=replace(case.line.serial, limit=self.to))


@dataclass(frozen=True, kw_only=True)
class LendReplicas:
    """Let these teams lend what they are guaranteed of all pools; size: how many teams."""

    teams: tuple[str, ...]

    def apply(self, case: Case) -> Case:
        policy = case.board.policy
        quotas = {
            team: {pool: replace(q, lends=True) for pool, q in pools.items()} if team in self.teams else pools
            for team, pools in policy.quotas.items()
        }
        return case.of_policy(replace(policy, quotas=quotas))


@dataclass(frozen=True, kw_only=True)
class RaiseMaximum:
    """Let the job's team have so many more replicas of each pool; size: how many in all. Where it may not
    borrow, that is what it is guaranteed.
    """

    by: Mapping[PoolKey, int]

    def apply(self, case: Case) -> Case:
        policy, team = case.board.policy, case.line.team
        for pool in case.board.resource.pools:
            if by := self.by.get(pool.key):
                borrows = case.board.quotas().of(team, pool.key).borrows
                policy = _raised(policy, team, pool.ids[0], by, borrows=borrows)
        return case.of_policy(policy)


@dataclass(frozen=True, kw_only=True)
class GrowPools:
    """Give these pools so many more replicas; size: how many in all."""

    by: Mapping[PoolKey, int]

    def apply(self, case: Case) -> Case:
        resource = case.board.resource
        pools = tuple(
            replace(pool, capacity=pool.capacity + self.by.get(pool.key, 0)) for pool in resource.pools
        )
        return case.of_resource(replace(resource, pools=pools))


# The cheapest first: what costs nothing, then what costs others their turn, the asker something, others
# their rights, and money.
Remedy = (
    WaitUntil
    | Resume
    | Unpause
    | RaisePriority
    | ShorterTimeout
    | FewerReplicas
    | UsePool
    | HigherSerialLimit
    | LendReplicas
    | RaiseMaximum
    | GrowPools
)


def with_replicas(
    demands: Iterable[Demand], assignments: Iterable[Assignment], to: Mapping[PoolKey, int]
) -> tuple[Demand, ...]:
    """The demands with so many replicas of each pool named: the largest ones change, to no less than 1."""
    replicas = {demand.index: demand.replicas for demand in demands}
    keys = {each.index: each.key for each in assignments}
    for key, n in to.items():
        replicas |= spread({index: has for index, has in replicas.items() if keys.get(index) == key}, n)
    return tuple(replace(demand, replicas=replicas[demand.index]) for demand in demands)


def spread(replicas: Mapping[int, int], total: int) -> dict[int, int]:
    """So many in all: the largest changes, the last of several; none goes below 1."""
    result = dict(replicas)
    while result and (difference := total - sum(result.values())):
        largest = max(result, key=lambda index: (result[index], index))
        if difference < 0 and result[largest] == 1:
            break
        result[largest] += difference if difference > 0 else -1
    return result


def _raised(policy: Policy, team: str, pool: str, by: int, *, borrows: bool) -> Policy:
    of_team = policy.quotas.get(team, {})
    quota = quota_of(of_team, pool) or Quota()
    raised = (
        replace(quota, maximum=None if quota.maximum is None else quota.maximum + by)
        if borrows
        else replace(quota, guaranteed=quota.guaranteed + by)
    )
    return replace(policy, quotas={**policy.quotas, team: {**of_team, pool: raised}})
