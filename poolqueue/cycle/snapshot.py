"""What one round of a cycle reads: the resource, its queue, new arrivals and the jobs to be changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from poolqueue.ports import Create, Documents, Query
from poolqueue.records import (
    Queue,
    ResourceName,
    Template,
    endings_inbox,
    job_path,
    queue_path,
    read_job,
    read_queue,
    read_resource,
    read_template,
    resource_path,
    template_path,
    write_resource,
)
from poolqueue.scheduling.arrays import array_key
from poolqueue.scheduling.changes import CustomJobEnded
from poolqueue.scheduling.jobs import Job
from poolqueue.scheduling.pools import Resource

INBOX_LIMIT = 140  # new jobs, ends and admissions together stay below the 500 writes of a commit
COMMIT_BYTES = 2_500_000


@dataclass(frozen=True, kw_only=True)
class StoredJob:
    job: Job
    version: object


@dataclass(kw_only=True)
class Snapshot:
    """One bounded view of a resource: `arrivals` are its new jobs, `endings` the ends that were only noted.

    The resource is read first: what is read after it is at least as new,
    and a commit fails if the resource has moved on, so that no change of the queue can be missed.
    """

    name: ResourceName
    documents: Documents
    resource: Resource
    version: object
    arrivals: dict[str, StoredJob] = field(default_factory=dict)
    endings: list[CustomJobEnded] = field(default_factory=list)
    more_arrivals: bool = False
    more_endings: bool = False
    jobs: dict[str, StoredJob] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    shard_versions: list[object | None] = field(default_factory=list)
    _queue: Queue | None = None

    def queue(self) -> Queue:
        """The queue, read when it is first needed."""
        if self._queue is None:
            paths = [queue_path(self.name, shard) for shard in range(self.resource.shards)]
            shards = self.documents.read(paths)
            self.shard_versions = [document.version for document in shards]
            self._queue = read_queue(document.fields for document in shards)
        return self._queue

    def waiting_queue(self) -> Queue:
        """The queue without a read when the resource says that it is empty."""
        return self.queue() if self.resource.waiting or self._queue is not None else Queue()

    def read_jobs(self, keys: Iterable[str], *, unborn: Iterable[str] = ()) -> None:
        """Add the jobs `keys` that are not known yet, and the arrays of those that are members; without a
        document they stay unknown. For members that are `unborn` also what their arrays make them of.
        """
        wanted = [*keys]
        found = [(key, array_key(key)) for key in wanted]
        jobs = dict.fromkeys([*wanted, *(array for _, array in found if array is not None)])
        templates = {array for key in unborn if (array := array_key(key)) is not None} - self.templates.keys()
        paths = [job_path(key) for key in jobs if key not in self.jobs]
        for document in self.documents.read([*paths, *map(template_path, sorted(templates))]):
            if document.fields is None:
                continue
            collection, _, key = document.path.partition("/")
            if collection == "templates":
                self.templates[key] = read_template(document.fields)
            else:
                self.jobs[key] = StoredJob(job=read_job(document.fields), version=document.version)


def read_snapshot(documents: Documents, name: ResourceName, *, arrivals: bool, endings: bool) -> Snapshot:
    document = documents.read([resource_path(name)])[0]
    if document.fields is None:
        snapshot = _first_mention(documents, name)
    else:
        resource = read_resource(document.fields)
        snapshot = Snapshot(name=name, documents=documents, resource=resource, version=document.version)
    if endings:
        ended, snapshot.more_endings = _read_inbox(snapshot, endings_inbox(name.key))
        snapshot.endings = [CustomJobEnded(**s.job.ending) for s in ended if s.job.ending is not None]
    if arrivals:
        arrived, snapshot.more_arrivals = _read_inbox(snapshot, name.key)
        snapshot.arrivals = {stored.job.key: stored for stored in arrived}
    return snapshot


def _first_mention(documents: Documents, name: ResourceName) -> Snapshot:
    """The resource's document comes before all else: the sweep finds what a dead process left through it."""
    resource = Resource(name=name.full)
    create = Create(path=resource_path(name), fields=write_resource(resource))
    version = documents.commit([create])[0]
    return Snapshot(name=name, documents=documents, resource=resource, version=version)


def _read_inbox(snapshot: Snapshot, inbox: str) -> tuple[list[StoredJob], bool]:
    """As many jobs of an inbox as one commit can carry, and whether there are more."""
    query = Query(collection="jobs", where={"inbox": inbox}, limit=INBOX_LIMIT)
    found: list[StoredJob] = []
    room = COMMIT_BYTES
    documents = snapshot.documents.find(query)
    for document in documents:
        assert document.fields is not None
        stored = StoredJob(job=read_job(document.fields), version=document.version)
        room -= body_bytes(stored.job)
        if room < 0 and found:
            break
        found.append(stored)
    snapshot.jobs |= {stored.job.key: stored for stored in found}
    return found, len(found) < len(documents) or len(documents) == INBOX_LIMIT


def body_bytes(job: Job) -> int:
    """What a job's document weighs, as far as its size is not bounded otherwise."""
    return len(job.custom_job_body.encode())
