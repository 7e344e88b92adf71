"""Looks, for one cycle, where else the waiting jobs of a resource may go: reads what decides that, and lets
those resources know that it has jobs for them.

Nothing is read unless a job waits that may go elsewhere. What is read there is a hint: the move is committed
here, and a place that filled up meanwhile is one more queue to wait in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain

from poolqueue.cycle.goals import Goals, Regions
from poolqueue.cycle.serial_keys import SerialKeys
from poolqueue.cycle.sites import Site, read_sites
from poolqueue.ports import Conflict, Create, Replace, Write
from poolqueue.records import (
    ResourceName,
    write_resource,
)
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.events import Courted, apply
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import SUITORS_LIMIT, Resource
from poolqueue.scheduling.relocating import (
    Candidate,
    can_run_nowhere,
    is_rested,
    next_opening,
    open_alternatives,
    opens,
    relocations,
)
from poolqueue.scheduling.verdicts import Reject, Wait
from poolqueue.scheduling.waiting import Waiting, is_awake
from poolqueue.system import System

SITES_LIMIT = 10
RELOCATIONS_LIMIT = 30
COMPARED_LIMIT = 2_000  # lines of a queue: with more of them, only sweeps take the time to compare
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
        self._regions: Regions = {} if known is None else {(name.project, name.location): known}
        self._since = system.clock()
        self._seen: set[str] = set()
        self._again = LOOKS_AGAIN

    def look(self, system: System, decision: Decision, serial: SerialKeys, *, now: datetime) -> Looked:
        """Add to the decision who goes elsewhere, and who can run nowhere."""
        self._system = system  # by whose settings the round decides
        waits = list(_may_go(decision, now))
        due = [wait for wait in waits if self._is_due(wait.waiting, now)]
        serial.look(wait.waiting for wait in due)
        due = [wait for wait in due if serial.is_free(wait.waiting)]
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
        goals = Goals(self._system.documents, self._system.settings, self._name, self._regions)
        candidates = [
            Candidate(line=line, goals=goals.of(line, open_alternatives(line, self._name.key, now)))
            for line in (wait.waiting for wait in due)
        ]
        stuck = [wait for wait in due if wait.waiting.is_new and wait.reason in _UNMATCHED]
        anywhere = {wait.waiting.key: goals.of(wait.waiting, wait.waiting.alternatives) for wait in stuck}
        keys = dict.fromkeys(chain.from_iterable([*(each.goals for each in candidates), *anywhere.values()]))
        sites = read_sites(
            self._system, [*keys][:SITES_LIMIT], expectations=decision.board.expectations, now=now
        )
        self._relocate(decision, candidates, sites, now)
        rejected: dict[str, Reject] = {}
        for wait in stuck:
            resources = [sites[key].resource if key in sites else None for key in anywhere[wait.waiting.key]]
            if can_run_nowhere(wait.waiting, resources, now):
                reject = _reject(decision, wait)
                rejected.setdefault(reject.waiting.key, reject)
        decision.rejects += rejected.values()
        return self._to_be_courted(decision, candidates, sites)

    def _relocate(
        self, decision: Decision, candidates: Sequence[Candidate], sites: Mapping[str, Site], now: datetime
    ) -> None:
        boards = {key: site.board for key, site in sites.items() if site.board is not None}
        queues = [board.resource.waiting for board in (decision.board, *boards.values())]
        compare = self._everyone or max(queues) <= COMPARED_LIMIT
        found = relocations(decision.board, decision, candidates, boards, now=now, compare=compare)
        decision.relocates += found[:RELOCATIONS_LIMIT]

    # --- courting

    def _to_be_courted(
        self, decision: Decision, candidates: Sequence[Candidate], sites: Mapping[str, Site]
    ) -> list[Site]:
        leaving = {line.key for line in decision.leaving()}
        wanted = {key for each in candidates if each.line.key not in leaving for key in each.goals}
        return [site for key, site in sites.items() if key in wanted and self._is_new_to(site)]

    def _is_new_to(self, site: Site) -> bool:
        suitors = () if site.resource is None else site.resource.suitors
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
    """The jobs that stay, are awake, and may go elsewhere if they have a place to go to; of an array as many
    members as one commit carries.
    """
    lines = [each for line in decision.board.lines() if line.alternatives for each in _single(decision, line)]
    leaving = {line.key for line in decision.leaving()} if lines else set()
    for line in lines:
        if line.key in leaving or not is_awake(line, now) or not is_rested(line, now):
            continue
        wait = decision.wait_of(line)
        if wait.reason is not Reason.PACED:
            yield wait


def _single(decision: Decision, line: Waiting) -> Iterator[Waiting]:
    """Members go one by one, each as a job of its own."""
    left = decision.left_of(line)
    if left is not None:
        yield from (replace(left.nth(n), of=None) for n in range(min(left.count, RELOCATIONS_LIMIT)))


def _reject(decision: Decision, wait: Wait) -> Reject:
    """Of an array all that wait, for they are alike."""
    line, board = wait.waiting, decision.board
    problems = board.group_of(line).problems
    whole = board.arrays.get(line.array or "", line) if board.arrays else line
    return Reject(waiting=whole, reason=wait.reason, problems=problems)
