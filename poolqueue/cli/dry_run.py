"""What would become of a request if it were published now, and of variations of it; nothing is published."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from poolqueue.cli.failures import Exit, Failure
from poolqueue.config import Settings, Team
from poolqueue.cycle.serial_keys import keys_elsewhere
from poolqueue.depending import tied
from poolqueue.messages import BadRequest, JobRequest, Problem
from poolqueue.ports import Documents
from poolqueue.records import ResourceName, job_path, read_job
from poolqueue.requests.naming import resource_name
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.forward import Course
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State
from poolqueue.scheduling.lines import waiting_line
from poolqueue.scheduling.pools import Pool, Resource
from poolqueue.scheduling.remedies import spread
from poolqueue.scheduling.verdicts import Reject
from poolqueue.scheduling.what_if import WhatIf, course, what_if
from poolqueue.vetting import Origin, Vetted, id_is_taken, parsed, vetted, vetted_bad
from poolqueue.viewing.making import Snapshot, expected_of
from poolqueue.viewing.reading import Reader
from poolqueue.viewing.views import Expected

AS_ASKED = "as asked"


@dataclass(frozen=True, kw_only=True)
class Variations:
    """Each is tried alone: other numbers of replicas, resources, pools and priorities, and grown pools."""

    replicas: Sequence[int] = ()
    resources: Sequence[str] = ()
    pools: Sequence[str] = ()
    priorities: Sequence[int] = ()
    grown: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A message as it would be published."""

    data: bytes
    attributes: Mapping[str, str]
    default_job_id: str


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What would become of a request, or of one `variation` of it. It is refused with `problems`, for
    `reason`. `is_duplicate`: the same job is there already. `found` is None where it is refused, a duplicate,
    or nothing is known of its resource yet. `expected`: its estimate, of what was asked for alone.
    """

    variation: str
    job: Job | None
    problems: tuple[Problem, ...] = ()
    reason: Reason | None = None
    is_duplicate: bool = False
    found: WhatIf | None = None
    expected: Expected | None = None

    @property
    def is_accepted(self) -> bool:
        return not self.problems


@dataclass(frozen=True, kw_only=True)
class _Known:
    """As much of an installation as a request is held against."""

    settings: Settings
    documents: Documents
    clock: Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """Reads what is there as of `now`, once per resource."""

    reader: Reader
    settings: Settings
    team: Team
    now: datetime
    _snapshots: dict[str, Snapshot | None] = field(default_factory=dict, repr=False)
    _courses: dict[tuple[str, str, int], Course] = field(default_factory=dict, repr=False)

    def trials(self, asked: Asked, variations: Variations) -> list[Trial]:
        """As asked first. Raises `Failure` for a variation that makes no sense."""
        request = parsed(
            self._known, self._origin, asked.data, asked.attributes, default_job_id=asked.default_job_id
        )
        if isinstance(request, BadRequest):
            return [self._bad(request)]
        first = self._trial(AS_ASKED, request)
        return [first, *self._varied(request, first, variations)]

    # --- what is known

    @property
    def _known(self) -> _Known:
        return _Known(settings=self.settings, documents=self.reader.documents, clock=lambda: self.now)

    @property
    def _origin(self) -> Origin:
        return Origin(team=self.team, message_id="dry-run", published=self.now)

    def _snapshot(self, name: ResourceName) -> Snapshot | None:
        if name.key not in self._snapshots:
            self._snapshots[name.key] = self.reader.snapshot(name, now=self.now, estimates=1)
        return self._snapshots[name.key]

    # --- trials

    def _bad(self, request: BadRequest) -> Trial:
        if request.job_id is None:
            problems = request.problems
            return Trial(variation=AS_ASKED, job=None, problems=problems, reason=Reason.BAD_REQUEST)
        return self._of(AS_ASKED, vetted_bad(self._known, request, self._origin))

    def _trial(self, variation: str, request: JobRequest, *, grown: tuple[str, int] | None = None) -> Trial:
        held = vetted(self._known, request, self._origin)
        if held.reason is not None:
            return self._of(variation, held)
        if (existing := self._existing(held.job)) is not None:
            if existing.digest == request.digest:
                return replace(self._of(variation, held), is_duplicate=True)
            if variation == AS_ASKED:
                taken = (id_is_taken(held.job.job_id),)
                return Trial(variation=variation, job=held.job, problems=taken, reason=Reason.ID_TAKEN)
        held = replace(held, job=tied(self._known, held.job)[0])
        if held.job.state is State.ENDED:
            return Trial(
                variation=variation, job=held.job, problems=(_over(held.job),), reason=held.job.reason
            )
        found = self._what_if(held.job, grown)
        if found is not None and isinstance(found.verdict, Reject):
            problems = tuple(each.as_problem() for each in found.verdict.problems)
            return Trial(variation=variation, job=held.job, problems=problems, reason=found.verdict.reason)
        expected = self._expected(held.job) if variation == AS_ASKED else None
        return replace(self._of(variation, held), found=found, expected=expected)

    def _of(self, variation: str, held: Vetted) -> Trial:
        return Trial(variation=variation, job=held.job, problems=held.problems, reason=held.reason)

    def _existing(self, job: Job) -> Job | None:
        fields = self.reader.documents.read([job_path(job.key)])[0].fields
        existing = None if fields is None else read_job(fields)
        return None if existing is None or existing.outcome is Outcome.REJECTED else existing

    def _what_if(self, job: Job, grown: tuple[str, int] | None) -> WhatIf | None:
        name = ResourceName.from_key(job.resource)
        snapshot = self._snapshot(name)
        if snapshot is None:
            return None
        board = self._board(job, snapshot)
        if grown is not None:
            board = board.copy(resource=_grown(snapshot.resource, *grown), now=self.now)
        base = self._course(name, board, snapshot.slots, grown or ("", 0))
        return what_if(board, waiting_line(job), now=self.now, slots=snapshot.slots, base=base)

    def _expected(self, job: Job) -> Expected | None:
        snapshot = self._snapshot(ResourceName.from_key(job.resource))
        if snapshot is None:
            return None
        board = self._board(job, snapshot)
        board.add(waiting_line(job))
        return expected_of(snapshot, board, now=self.now, of={job.key}).get(job.key)

    def _board(self, job: Job, snapshot: Snapshot) -> Board:
        """What is known, and who has the serial key of this job at other resources."""
        name = ResourceName.from_key(job.resource)
        own = keys_elsewhere(self.reader.documents, name, [waiting_line(job)])
        return replace(snapshot, elsewhere={**snapshot.elsewhere, **own}).board(self.now)

    def _course(self, name: ResourceName, board: Board, slots: int, grown: tuple[str, int]) -> Course:
        key = (name.key, *grown)
        if key not in self._courses:
            self._courses[key] = course(board, now=self.now, slots=slots)
        return self._courses[key]

    # --- variations

    def _varied(self, request: JobRequest, first: Trial, variations: Variations) -> Iterator[Trial]:
        for n in variations.replicas:
            yield self._trial(f"{n} {'replica' if n == 1 else 'replicas'}", _with_replicas(request, n))
        for given in variations.resources:
            yield self._trial(f"on {given}", _at(request, given))
        for pool in variations.pools:
            yield self._trial(f"on pool {pool}", self._on_pool(request, first, pool))
        for priority in variations.priorities:
            yield self._trial(f"priority {priority}", replace(request, priority=priority))
        for pool, n in variations.grown:
            self._pool(first, pool)
            yield self._trial(f"{pool} grown by {n}", request, grown=(pool, n))

    def _pool(self, first: Trial, id_: str) -> Pool:
        """Of the resource that is asked for."""
        name = None if first.job is None else ResourceName.from_key(first.job.resource)
        snapshot = None if name is None else self._snapshot(name)
        pools = () if snapshot is None else snapshot.resource.pools
        found = next((pool for pool in pools if id_ in pool.ids), None)
        if found is None:
            known = ", ".join(each for pool in pools for each in pool.ids) or "none are known yet"
            raise Failure(f"no pool {id_} on {name.id if name else 'it'}: {known}", Exit.USAGE)
        return found

    def _on_pool(self, request: JobRequest, first: Trial, id_: str) -> JobRequest:
        key = self._pool(first, id_).key
        moved = (replace(each, machine=key.machine, disk=key.disk) for each in request.worker_pools)
        return replace(request, worker_pools=tuple(moved))


def _with_replicas(request: JobRequest, total: int) -> JobRequest:
    """So many in all. The first worker pool spec has 1, as Vertex AI wants it; the others share the rest, or
    go if nothing is left; where there are none, a second one like the first is added.
    """
    first, *others = request.worker_pools
    rest = total - first.replicas
    if rest <= 0:
        return replace(request, worker_pools=(first,))
    if not others:
        others = [replace(first, index=first.index + 1)]
    if rest < len(others):
        told = (
            f"--replicas {total}: give 1, or at least 1 for each of its {len(others) + 1} worker pool specs"
        )
        raise Failure(told, Exit.USAGE)
    replicas = spread({each.index: each.replicas for each in others}, rest)
    varied = (replace(each, replicas=replicas[each.index]) for each in others)
    return replace(request, worker_pools=(first, *varied))


def _over(job: Job) -> Problem:
    """Of one that would end as soon as it is recorded, for what it depends on has ended."""
    return Problem(
        path="depends_on",
        value=f"(a list of {len(job.depends_on)})",
        problem=job.error or "",
        remedy="retry that job first, leave it out, or ask with on_failed_dependency: release",
    )


def _at(request: JobRequest, given: str) -> JobRequest:
    name = resource_name(given)
    if name is None:
        raise Failure(f"--resource {given}: no persistent resource's name", Exit.USAGE)
    return replace(
        request,
        project=name.project or request.project,
        location=name.location or request.location,
        persistent_resource=name.id,
    )


def _grown(resource: Resource, id_: str, by: int) -> Resource:
    pools = (
        replace(pool, capacity=pool.capacity + by) if id_ in pool.ids else pool for pool in resource.pools
    )
    return replace(resource, pools=tuple(pools))
