"""Which resources a sweep looks at, in which order, and the one listing per region that shows them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from poolqueue.observation import on_resource
from poolqueue.ports import CustomJob, Query, VertexUnavailable
from poolqueue.records import PAUSES_PATH, ResourceName, read_pauses, read_resource, region_key
from poolqueue.scheduling.pools import NO_PAUSES, Pauses, Resource
from poolqueue.sweep.allowance import Allowance
from poolqueue.sweep.forecasting import note_forecasts
from poolqueue.sweep.resource import NEVER, ResourceSweep
from poolqueue.system import System

RESOURCES_LIMIT = 500
LISTING_FRESH = timedelta(seconds=60)
UNSWEPT = timedelta(minutes=5)  # nobody has looked at a resource for so long
FORECASTING = timedelta(seconds=15)

log = logging.getLogger(__name__)

_Thing = TypeVar("_Thing")


def sweep(system: System, *, deadline: datetime) -> None:
    """Sweep every known resource of all regions. What Vertex AI does not answer is left to the next sweep.

    A fault with one resource stops no other; it is raised in the end, so that the message comes again.
    """
    faults = _Faults()
    for project, location in _rotated(sorted(system.settings.regions()), system.clock()):
        region = _Region(system, project, location)
        with faults.kept(region=region.name):
            region.sweep(deadline, faults)
    faults.raise_first()


class _Faults:
    """The faults of single regions and resources."""

    def __init__(self) -> None:
        self._faults: list[Exception] = []

    @contextmanager
    def kept(self, **fields: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # one resource's fault, whatever it is, must not stop the others'
            log.exception("not_swept", extra=fields)
            self._faults.append(error)

    def raise_first(self) -> None:
        if self._faults:
            raise self._faults[0]


class _Region:
    """A project and region as one listing shows it; asked for again once it is old."""

    def __init__(self, system: System, project: str, location: str) -> None:
        self._system = system
        self._project = project
        self._location = location
        self._known: dict[str, Resource] = {}
        self._listed: Sequence[CustomJob] = ()
        self._at = NEVER
        self._pauses = NO_PAUSES

    @property
    def name(self) -> str:
        return f"{self._project}/{self._location}"

    def sweep(self, deadline: datetime, faults: _Faults) -> None:
        """The resource observed longest ago comes first, so that no sweep is cut short of the same ones."""
        if not self._look():
            return
        allowance = Allowance(self._system.clock, self.name, deadline)
        in_turn = _rotated(list(self._known.values()), self._at)
        in_turn.sort(key=lambda resource: resource.observed_at or NEVER)
        for resource in in_turn:
            if allowance.is_over():
                return
            if not self._is_fresh() and not self._look():
                return
            with faults.kept(resource=resource.name):
                self._sweep_one(resource.name, allowance)
        self._note_forecasts(in_turn, allowance, faults)

    def _sweep_one(self, full_name: str, allowance: Allowance) -> None:
        resource = self._known.get(full_name)
        if resource is None:
            return
        name = ResourceName.from_full(full_name)
        listed = on_resource(self._listed, name)
        ResourceSweep(
            self._system,
            name,
            resource,
            listed,
            at=self._at,
            allowance=allowance,
            known=[*self._known.values()],
            pauses=self._pauses,
        ).run()

    def _note_forecasts(self, in_turn: Sequence[Resource], allowance: Allowance, faults: _Faults) -> None:
        """Last, and for as long as there is time: nothing depends on it."""
        until = self._system.clock() + FORECASTING
        for resource in in_turn:
            if allowance.is_over() or self._system.clock() >= until:
                return
            with faults.kept(resource=resource.name):
                name = ResourceName.from_full(resource.name)
                note_forecasts(self._system, name, is_waited_for=resource.waiting > 0)

    def _is_fresh(self) -> bool:
        return self._system.clock() - self._at <= LISTING_FRESH

    def _look(self) -> bool:
        """Our records are read before the listing is asked for; False when there is nothing to sweep."""
        where = {"region": region_key(self._project, self._location)}
        found = self._system.documents.find(Query(collection="resources", where=where, limit=RESOURCES_LIMIT))
        if len(found) == RESOURCES_LIMIT:
            log.error("too_many_resources", extra={"region": self.name, "limit": RESOURCES_LIMIT})
        resources = [read_resource(document.fields) for document in found if document.fields]
        self._known = {resource.name: resource for resource in resources}
        if not self._known:
            return False
        self._at = self._system.clock()
        self._pauses = self._read_pauses()
        try:
            self._listed = self._system.observer.unfinished(
                f"projects/{self._project}/locations/{self._location}"
            )
        except VertexUnavailable as error:
            log.warning("region_not_observed", extra={"region": self.name, "error": str(error)})
            return False
        return True

    def _read_pauses(self) -> Pauses:
        """Commands tell them to every resource that is swept; this, to those that nobody has looked at."""
        since = self._at - UNSWEPT
        if all(each.observed_at is not None and each.observed_at > since for each in self._known.values()):
            return NO_PAUSES
        return read_pauses(self._system.documents.read([PAUSES_PATH])[0].fields)


def _rotated(things: Sequence[_Thing], now: datetime) -> list[_Thing]:
    """Beginning somewhere else each minute."""
    start = int(now.timestamp() // 60) % len(things) if things else 0
    return [*things[start:], *things[:start]]
