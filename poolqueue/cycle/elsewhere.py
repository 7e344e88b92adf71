"""Looks, for one cycle, where else the waiting jobs of a resource may go: reads what decides that, and lets
those resources know that it has jobs for them.

Nothing is read unless a job waits that may go elsewhere. What is read there is a hint: the move is committed
here, and a place that filled up meanwhile is one more queue to wait in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from poolqueue.allowed import may_use
from poolqueue.cycle.sites import Site, read_sites
from poolqueue.ports import Conflict, Create, Query, Replace, Write
from poolqueue.records import (
    ResourceName,
    read_resource,
    region_key,
    write_resource,
)
from poolqueue.scheduling.admission import Decision
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.board import specs
from poolqueue.scheduling.events import Courted, apply
from poolqueue.scheduling.jobs import Demand, Reason
from poolqueue.scheduling.matching import Matched, match_pools
from poolqueue.scheduling.pools import SUITORS_LIMIT, Resource, free
from poolqueue.scheduling.relocating import (
    Candidate,
    can_run_nowhere,
    is_rested,
    next_opening,
    open_alternatives,
    opens,
    relocations,
)
from poolqueue.scheduling.turns import is_awake
from poolqueue.scheduling.verdicts import Reject, Wait
from poolqueue.scheduling.waiting import Waiting
from poolqueue.system import System

RESOURCES_LIMIT = 500
SITES_LIMIT = 10
ANY_LIMIT = 5
RELOCATIONS_LIMIT = 30
LOOKS_AGAIN = 3

_UNMATCHED = {Reason.NO_MATCHING_POOL, Reason.ABOVE_CAPACITY}


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A look `at` that time for the jobs `keys`, some of which still want to go to `courted`. `opening`: when
    the next of those that stay may use one more resource; `is_cut`: more of them go than one commit carries.
    """

    at: datetime
    opening: datetime | None = None
    keys: Collection[str] = ()
    courted: Sequence[Site] = ()
    is_cut: bool = False


class Elsewhere:
    """`everyone`: look for all jobs that wait, not only for new ones and those that may use one more resource
    since this began. `known`: all resources of the region, where they were read already.
    """

    def __init__(
        self,
        system: System,
        name: ResourceName,
        *,
        everyone: bool = False,
        known: Sequence[Resource] | None = None,
    ) -> None:
        self._system = system
        self._name = name
        self._everyone = everyone
        self._known = known
        self._since = system.clock()
        self._seen: set[str] = set()
        self._again = LOOKS_AGAIN
        self._matching: dict[tuple[str, tuple[Demand, ...]], list[str]] = {}

    def look(self, system: System, decision: Decision, *, now: datetime) -> Looked:
        """Add to the decision who goes elsewhere, and who can run nowhere."""
        self._system = system  # by whose settings the round decides
        waits = list(_may_go(decision, now))
        due = [wait for wait in waits if self._is_due(wait.waiting, now)]
        courted = self._look_for(decision, due, now) if due else ()
        opening = next_opening((wait.waiting for wait in waits), self._name.key, now)
        keys = {wait.waiting.key for wait in due}
        is_cut = len(decision.relocates) == RELOCATIONS_LIMIT
        return Looked(at=now, opening=opening, keys=keys, courted=courted, is_cut=is_cut)

    def committed(self, looked: Looked) -> bool:
        """Its round is committed: court where jobs still want to go. True when there is more to look for, or
        what was seen there has changed since.
        """
        self._seen |= set(looked.keys)
        self._since, self._everyone = looked.at, self._everyone and looked.is_cut
        changed = [site for site in looked.courted if not self._court(site)]
        if not changed or self._again == 0:
            return looked.is_cut
        self._again -= 1
        self._everyone = True
        return True

    def _is_due(self, line: Waiting, now: datetime) -> bool:
        if self._everyone or (line.is_new and line.key not in self._seen):
            return True
        return any(self._since < opens(each, line) <= now for each in line.alternatives)

    def _look_for(self, decision: Decision, due: Sequence[Wait], now: datetime) -> Sequence[Site]:
        """The sites that jobs still want to go to, and which do not know of it."""
        here = self._name.key
        candidates = [
            Candidate(line=line, goals=self._goals(line, open_alternatives(line, here, now)))
            for line in (wait.waiting for wait in due)
        ]
        stuck = [wait for wait in due if wait.waiting.is_new and wait.reason in _UNMATCHED]
        anywhere = {wait.waiting.key: self._goals(wait.waiting, wait.waiting.alternatives) for wait in stuck}
        keys = dict.fromkeys(key for goals in (c.goals for c in candidates) for key in goals)
        keys |= dict.fromkeys(key for goals in anywhere.values() for key in goals)
        sites = read_sites(
            self._system, [*keys][:SITES_LIMIT], expectations=decision.board.expectations, now=now
        )
        boards = {key: site.board for key, site in sites.items() if site.board is not None}
        found = relocations(decision.board, decision, candidates, boards, now=now)
        decision.relocates += found[:RELOCATIONS_LIMIT]
        for wait in stuck:
            resources = [sites[key].resource if key in sites else None for key in anywhere[wait.waiting.key]]
            if can_run_nowhere(wait.waiting, resources, now):
                decision.rejects.append(_reject(decision, wait))
        leaving = {line.key for line in decision.leaving()}
        wanted = {key for each in candidates if each.line.key not in leaving for key in each.goals}
        return [site for key, site in sites.items() if key in wanted and self._is_to_be_courted(site)]

    # --- where to

    def _goals(self, line: Waiting, alternatives: Iterable[Alternative]) -> tuple[str, ...]:
        """Keys in the asked order; one that is named is no part of any."""
        team = self._system.settings.team_named(line.team)
        if team is None:
            return ()
        named = {each.resource for each in line.alternatives}
        goals: dict[str, None] = {}
        for each in alternatives:
            keys = (
                [key for key in self._any(line) if key not in named]
                if each.resource is None
                else [each.resource]
            )
            allowed = (
                key for key in keys if may_use(ResourceName.from_key(key), team, self._system.settings)
            )
            goals |= dict.fromkeys(allowed)
        goals.pop(self._name.key, None)
        return tuple(goals)

    def _any(self, line: Waiting) -> list[str]:
        """Resources of this project and region whose pools match, one with room before others. All are
        looked at anew: what was read of them here only chooses among many.
        """
        kind = (line.team, line.demands)
        if kind not in self._matching:
            team = self._system.settings.team_named(line.team)
            ranked = sorted(
                (rank, each.name)
                for each in self._region()
                if each.name != self._name.full
                and team is not None
                and may_use(ResourceName.from_full(each.name), team, self._system.settings)
                and (rank := _rank(line.demands, each)) is not None
            )
            self._matching[kind] = [ResourceName.from_full(name).key for _, name in ranked[:ANY_LIMIT]]
        return self._matching[kind]

    def _region(self) -> Sequence[Resource]:
        if self._known is None:
            where = {"region": region_key(self._name.project, self._name.location)}
            query = Query(collection="resources", where=where, limit=RESOURCES_LIMIT)
            found = self._system.documents.find(query)
            self._known = [read_resource(each.fields) for each in found if each.fields]
        return self._known

    # --- courting

    def _is_to_be_courted(self, site: Site) -> bool:
        if site.resource is None:
            return True
        suitors = site.resource.suitors
        return self._name.key not in suitors and len(suitors) < SUITORS_LIMIT

    def _court(self, site: Site) -> bool:
        """Have it tell us when replicas come free there; False if it has changed since it was read.

        A resource that is not known yet becomes so, and the next sweep looks at it.
        """
        resource = site.resource or Resource(name=site.name.full)
        fields = write_resource(apply(resource, Courted(suitor=self._name.key)))
        path, version = site.document.path, site.document.version
        write: Write = (
            Create(path=path, fields=fields)
            if version is None
            else Replace(path=path, fields=fields, version=version)
        )
        try:
            self._system.documents.commit([write])
        except Conflict:
            return False
        return True


def _may_go(decision: Decision, now: datetime) -> Iterator[Wait]:
    """The jobs that stay, are awake, and may go elsewhere if they have a place to go to."""
    lines = [line for line in decision.board.lines() if line.alternatives]
    leaving = {line.key for line in decision.leaving()} if lines else set()
    for line in lines:
        if line.key in leaving or not is_awake(line, now) or not is_rested(line, now):
            continue
        wait = decision.wait_of(line)
        if wait.reason is not Reason.PACED:
            yield wait


def _rank(demands: Sequence[Demand], resource: Resource) -> tuple[int, int] | None:
    """Room now first, then the shorter queue; last what is not known well enough to be ruled out."""
    match = match_pools(demands, specs(resource))
    if not isinstance(match, Matched):
        return None if resource.is_ready else (2, resource.waiting)
    left = free(resource)
    has_room = resource.is_ready and all(n <= left[key] for key, n in match.demands)
    return (0 if has_room else 1, resource.waiting)


def _reject(decision: Decision, wait: Wait) -> Reject:
    problems = decision.board.group_of(wait.waiting).problems
    return Reject(waiting=wait.waiting, reason=wait.reason, problems=problems)
