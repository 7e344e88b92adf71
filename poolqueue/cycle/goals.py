"""Which other resources a waiting job may go to, by name or as any whose pools match."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from poolqueue.allowed import may_use
from poolqueue.config import Settings, Team
from poolqueue.ports import Documents, Query
from poolqueue.records import ResourceName, read_resource, region_key
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.board import specs
from poolqueue.scheduling.jobs import Demand
from poolqueue.scheduling.matching import Matched, match_pools
from poolqueue.scheduling.pools import Resource, free
from poolqueue.scheduling.waiting import Waiting

RESOURCES_LIMIT = 500
ANY_LIMIT = 5


Regions = dict[tuple[str, str], Sequence[Resource]]


class Goals:
    """Of jobs that wait at `here`, by these settings. `regions` keeps what was read of each region."""

    def __init__(
        self, documents: Documents, settings: Settings, here: ResourceName, regions: Regions
    ) -> None:
        self._documents = documents
        self._settings = settings
        self._here = here
        self._regions = regions
        self._may_use = cache(self._allows)
        self._any = cache(self._matching)

    def of(self, line: Waiting, alternatives: Iterable[Alternative]) -> tuple[str, ...]:
        """Keys in the asked order; one that is named is no part of any."""
        named = {each.resource for each in line.alternatives}
        goals: dict[str, None] = {}
        for each in alternatives:
            if each.resource is not None:
                goals[each.resource] = None
            else:
                goals |= dict.fromkeys(key for key in self._any(line.team, line.demands) if key not in named)
        goals.pop(self._here.key, None)
        return tuple(key for key in goals if self._may_use(line.team, key))

    def _allows(self, team_name: str, key: str) -> bool:
        team = self._settings.team_named(team_name)
        return team is not None and may_use(ResourceName.from_key(key), team, self._settings)

    def _matching(self, team_name: str, demands: tuple[Demand, ...]) -> Sequence[str]:
        """Resources of the team's project and region, one with room before others. All are looked at anew:
        what was read of them here only chooses among many.
        """
        team = self._settings.team_named(team_name)
        if team is None:
            return ()
        ranked = [
            (rank, ResourceName.from_full(each.name).key)
            for each in self._region(team)
            if (rank := _rank(demands, each)) is not None
        ]
        allowed = (key for _, key in sorted(ranked) if self._may_use(team_name, key))
        return [key for key in allowed if key != self._here.key][:ANY_LIMIT]

    def _region(self, team: Team) -> Sequence[Resource]:
        region = (team.project or self._settings.project, team.location or self._settings.location)
        if region not in self._regions:
            where = {"region": region_key(*region)}
            found = self._documents.find(Query(collection="resources", where=where, limit=RESOURCES_LIMIT))
            self._regions[region] = [read_resource(each.fields) for each in found if each.fields]
        return self._regions[region]


def _rank(demands: Sequence[Demand], resource: Resource) -> tuple[int, int] | None:
    """Room now first, then the shorter queue; last what is not known well enough to be ruled out."""
    match = match_pools(demands, specs(resource))
    if not isinstance(match, Matched):
        return None if resource.is_ready else (2, resource.waiting)
    left = free(resource)
    has_room = resource.is_ready and all(n <= left[key] for key, n in match.demands)
    return (0 if has_room else 1, resource.waiting)
