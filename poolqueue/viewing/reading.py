"""Reads what the views show: a bounded number of documents, whatever waits, in queries that have an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from poolqueue.config import Settings, policy_of
from poolqueue.cycle.serial_keys import keys_elsewhere
from poolqueue.learned_run_times import LearnedRunTimes
from poolqueue.ports import Document, Documents, Query
from poolqueue.records import (
    ResourceName,
    forecasts_path,
    job_path,
    pace_path,
    queue_path,
    read_job,
    read_pace,
    read_queue,
    read_resource,
    read_scorecard,
    region_key,
    resource_path,
)
from poolqueue.scheduling.jobs import Job, job_key
from poolqueue.scheduling.lines import waiting_line
from poolqueue.scheduling.pace import take
from poolqueue.scheduling.policies import Policy
from poolqueue.scheduling.pools import Reservation, Resource
from poolqueue.scheduling.scorecard import UNCORRECTED, Correction, correction
from poolqueue.scheduling.waiting import Waiting
from poolqueue.viewing.ended import ENDED_FIELDS, read_ended
from poolqueue.viewing.making import Snapshot, ended_view, resource_view
from poolqueue.viewing.views import JobView, ResourceView

RESOURCES_LIMIT = 500
ARRIVALS_LIMIT = 200
DETAILS_LIMIT = 500
ARRAYS_LIMIT = 200
SLOTS_ASKED = 50
CREATES_PER_MINUTE = 50
CALL_TIMEOUT = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads the resources of `regions`, pairs of project and location, by the rules of an installation."""

    documents: Documents
    regions: Sequence[tuple[str, str]]
    policy_of: Callable[[str], Policy] = lambda _id: Policy()
    creates_per_minute: int = CREATES_PER_MINUTE
    call_timeout: timedelta = CALL_TIMEOUT
    run_times: LearnedRunTimes = field(default_factory=LearnedRunTimes)

    @classmethod
    def of(
        cls, documents: Documents, settings: Settings, *, regions: Sequence[tuple[str, str]] | None = None
    ) -> Self:
        """By the settings' rules; their regions unless others are given."""
        return cls(
            documents=documents,
            regions=settings.regions() if regions is None else regions,
            policy_of=lambda id_: policy_of(settings, id_),
            creates_per_minute=settings.pacing.creates_per_minute,
            call_timeout=settings.timing.call_timeout,
        )

    def resources(
        self,
        *,
        now: datetime,
        only: ResourceName | str | None = None,
        details: int = DETAILS_LIMIT,
        estimates: int = 0,
    ) -> list[ResourceView]:
        """The resources known in the regions, or the one named. Documents of up to `details` jobs per
        resource that hold replicas are read, for their priority and exact state. Of the first
        `estimates` jobs that wait it is worked out when they start, which may take seconds.
        """
        found = (
            self.snapshot(name, now=now, details=details, estimates=estimates) for name in self.names(only)
        )
        return [resource_view(snapshot, now=now) for snapshot in found if snapshot is not None]

    def known(self) -> list[Resource]:
        """Of every resource in the regions its own document, and nothing of its queue: one read each."""
        found = [
            each
            for region in self.regions
            for each in self.documents.find(
                Query(collection="resources", where={"region": region_key(*region)}, limit=RESOURCES_LIMIT)
            )
        ]
        return [read_resource(each.fields) for each in found if each.fields]

    def ended(self, *, limit: int) -> list[JobView]:
        """The jobs that ended last, the latest first."""
        query = Query(collection="jobs", newest_first="ended_at", select=ENDED_FIELDS, limit=limit)
        found = self.documents.find(query)
        return [ended_view(read_ended(each.fields)) for each in found if each.fields]

    def names(self, only: ResourceName | str | None) -> list[ResourceName]:
        """Of the resources known in the regions; or of the one named, in each region where it may be."""
        if isinstance(only, ResourceName):
            return [only]
        if only is not None:
            return [ResourceName(project=p, location=l_, id=only) for p, l_ in self.regions]
        return [name for region in self.regions for name in self._known(*region)]

    def _known(self, project: str, location: str) -> list[ResourceName]:
        where = {"region": region_key(project, location)}
        query = Query(collection="resources", where=where, select=("name",), limit=RESOURCES_LIMIT)
        found = self.documents.find(query)
        return [ResourceName.from_full(each.fields["name"]) for each in found if each.fields]

    def snapshot(
        self, name: ResourceName, *, now: datetime, details: int = 0, estimates: int = 0
    ) -> Snapshot | None:
        """What is known of one resource; None if nothing is."""
        # Arrivals first: what is folded into the queue meanwhile is then seen twice rather than not at all.
        query = Query(collection="jobs", where={"inbox": name.key}, limit=ARRIVALS_LIMIT)
        arrivals = [read_job(each.fields) for each in self.documents.find(query) if each.fields]
        resource_document, *shards = self._resource_and_queue(name)
        if resource_document.fields is None and not arrivals:
            return None
        resource = _resource(resource_document, name)
        lines = read_queue(shard.fields for shard in shards).lines
        reserved = {job_key(r.team, r.job_id) for r in resource.reservations.values()}
        new = [waiting_line(job) for job in arrivals if job.key not in lines and job.key not in reserved]
        known = [line.waiting for key, line in lines.items() if key not in reserved] + new
        return Snapshot(
            resource=resource,
            waiting=[line for line in known if not line.holds],
            held=[line for line in known if line.holds],
            jobs=self._jobs(_oldest(resource, details), _arrays(resource, known)),
            slots=self._slots(name, now),
            policy=self.policy_of(name.id),
            call_timeout=self.call_timeout,
            more_arrivals=len(arrivals) == ARRIVALS_LIMIT,
            run_times=self.run_times.of(self.documents, name, now=now),
            estimates=estimates,
            correction=self.correction_of(name) if estimates else UNCORRECTED,
            elsewhere=keys_elsewhere(self.documents, name, known),
        )

    def _resource_and_queue(self, name: ResourceName) -> list[Document]:
        """The resource's document and its queue's, as of one moment: one read unless there are shards."""
        shards = 1
        while True:
            paths = [queue_path(name, shard) for shard in range(shards)]
            found = self.documents.read([resource_path(name), *paths])
            there = _resource(found[0], name).shards
            if there <= shards:
                return found[: there + 1]
            shards = there

    def correction_of(self, name: ResourceName) -> Correction:
        """What earlier forecasts teach."""
        return correction(read_scorecard(self.documents.read([forecasts_path(name)])[0].fields))

    def _slots(self, name: ResourceName, now: datetime) -> int:
        document = self.documents.read([pace_path(name.project, name.location)])[0]
        pace = read_pace(document.fields)
        return take(pace, SLOTS_ASKED, limit=self.creates_per_minute, now=now).slots

    def _jobs(self, reservations: Iterable[Reservation], arrays: Iterable[str]) -> dict[str, Job]:
        keys = dict.fromkeys([*(job_key(r.team, r.job_id) for r in reservations), *arrays])
        found = [read_job(each.fields) for each in self.documents.read([*map(job_path, keys)]) if each.fields]
        return {job.key: job for job in found}


def _oldest(resource: Resource, count: int) -> list[Reservation]:
    """Those that run first: in that order they are shown."""
    found = sorted(resource.reservations.values(), key=lambda r: (not r.running, r.reserved_at))
    return found[:count]


def _arrays(resource: Resource, lines: Iterable[Waiting]) -> list[str]:
    """The keys of those that have members here."""
    keys = [line.array for line in lines] + [each.array for each in resource.reservations.values()]
    return [*dict.fromkeys(key for key in keys if key is not None)][:ARRAYS_LIMIT]


def _resource(document: Document, name: ResourceName) -> Resource:
    return Resource(name=name.full) if document.fields is None else read_resource(document.fields)
