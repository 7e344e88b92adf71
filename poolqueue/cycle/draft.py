"""One commit in the making: the resource, its queue and its jobs as they will be, and the writes for that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from poolqueue.announced import Span
from poolqueue.cycle.snapshot import Snapshot, StoredJob
from poolqueue.new_job import member_job
from poolqueue.ports import Create, Replace, Write
from poolqueue.records import (
    Queue,
    ResourceName,
    expiring,
    job_path,
    queue_path,
    read_template,
    resource_path,
    template_path,
    write_job,
    write_queue,
    write_resource,
    write_template,
)
from poolqueue.scheduling import arrays, members
from poolqueue.scheduling.changes import Change, CustomJobEnded, Preempted
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.events import (
    Announced,
    Changed,
    DependantsDue,
    Event,
    Queued,
    Reserved,
    SuitorsCalled,
    apply,
)
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State, move, record
from poolqueue.scheduling.lines import waiting_line
from poolqueue.scheduling.policies import Policy
from poolqueue.scheduling.pools import Reservation, Resource
from poolqueue.scheduling.reckoning import reckon, told
from poolqueue.scheduling.relocating import alternatives_elsewhere, comes_free, whither
from poolqueue.scheduling.verdicts import Admit, Expire, Preempt, Reject, Relocate, Wait
from poolqueue.scheduling.waiting import Waiting, is_among

TOKENS_KEPT = 20


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A job before and after this commit."""

    before: StoredJob
    after: Job


@dataclass(frozen=True, kw_only=True)
class Admission:
    """A reservation to be submitted: the job as committed, and what the admission decided."""

    job: Job
    reservation: Reservation
    admit: Admit


class Draft:
    """Starts as what the snapshot shows; nothing is written before `writes` are committed."""

    def __init__(self, snapshot: Snapshot, *, now: datetime, retention: timedelta) -> None:
        self._snapshot = snapshot
        self._now = now
        self._retention = retention
        self._gone: set[str] = set()
        self._still_new: set[str] = set()
        self.resource: Resource = snapshot.resource
        self.moved: dict[str, Moved] = {}
        self.admissions: list[Admission] = []
        self._besides: list[Write] = []

    def apply(self, *events: Event) -> None:
        for event in events:
            self.resource = apply(self.resource, event)

    def change(self, change: Change) -> None:
        """A job that has gone to another resource meanwhile is not changed from here. A member that waits in
        the line of its array gets a job of its own for it.
        """
        job = self.job(change.key)
        member = self._member(change.key) if job is None or job.state is State.ENDED else None
        job = member or job
        if job is not None and not self.is_here(job):
            job = None
        effect = change.on(job, self.resource, self._now)
        self.apply(*effect.events)
        if effect.job is not None:
            if member is not None:
                self._set_apart(member)
            self._set(effect.job)
            if job is not None and _comes_unseen(job, effect.job):
                self._still_new.add(job.key)

    def take_up_held(self) -> None:
        """New jobs that are held get their lines; nothing is decided of them yet."""
        for key, stored in self._snapshot.arrivals.items():
            if stored.job.state is State.HELD and key not in self.moved:
                self._set(replace(stored.job, inbox=False))

    def end(self, ending: CustomJobEnded) -> None:
        """An end that was noted; if it has become meaningless, the job leaves the inbox all the same."""
        self.change(ending)
        job = self.job(ending.key)
        if job is not None and job.ending is not None:
            self._set(replace(job, inbox=False, ending=None))

    def job(self, key: str) -> Job | None:
        if key in self.moved:
            return self.moved[key].after
        stored = self._snapshot.jobs.get(key)
        return None if stored is None else stored.job

    def is_here(self, job: Job) -> bool:
        return job.resource == self._snapshot.name.key

    def waiting(self) -> list[Waiting]:
        """All lines that compete now: the queue, what this draft puts back, and new arrivals."""
        lines = self._lines(self._snapshot.waiting_queue().waiting(), _waits)
        for key, stored in self._snapshot.arrivals.items():
            if key not in self.moved and stored.job.waits:
                lines[key] = waiting_line(stored.job)
        return list(lines.values())

    def held(self) -> list[Waiting]:
        """All lines that are kept from competing."""
        return [*self._lines(self._snapshot.waiting_queue().held(), _is_held).values()]

    def _lines(self, known: Iterable[Waiting], is_such: Callable[[Job], bool]) -> dict[str, Waiting]:
        """These lines as this draft leaves them, and those of the jobs that become such by it."""
        lines = {line.key: line for line in known}
        for key in self._gone:
            lines.pop(key, None)
        for key, moved in self.moved.items():
            lines.pop(key, None)
            if is_such(moved.after) and self.is_here(moved.after):
                is_new = moved.after.inbox or key in self._still_new
                lines[key] = replace(waiting_line(moved.after), is_new=is_new)
        return lines

    def drop_line(self, key: str) -> None:
        """A line whose job does not wait any more; of an array, one with members that do not."""
        self._gone.add(key)
        array = arrays.array_key(key)
        if array is not None and array in self._snapshot.jobs and array not in self.moved:
            self._set(self._snapshot.jobs[array].job)

    # --- members of arrays

    def take_apart(self, key: str) -> bool:
        """Give a waiting member of an array a job of its own; False if it is none."""
        member = self._member(key)
        if member is None:
            return False
        self._set_apart(member)
        return True

    def _member(self, key: str) -> Job | None:
        """The job that a member gets, if it is one that waits and has none: a new one, or the one that it had
        before its array was retried. Else what has that key is left over from an array that is forgotten.
        """
        array_key = arrays.array_key(key)
        array = None if array_key is None else self.job(array_key)
        template = None if array_key is None else self._snapshot.templates.get(array_key)
        job_id = key.partition(".")[2]
        if array is None or template is None or not members.awaits(array, job_id):
            return None
        left_over = self._snapshot.jobs.get(key)
        member = member_job(array, template, job_id)
        if left_over is None:
            return record(member, at=array.created)
        if left_over.job.digest == member.digest:
            return members.again(left_over.job, array, now=self._now)
        return record(replace(member, sequence=left_over.job.sequence), at=array.created)

    def _set_apart(self, member: Job) -> None:
        array_key = member.array_key
        assert array_key is not None
        array = self.job(array_key)
        assert array is not None
        self._set(members.with_apart(array, member.job_id))
        left_over = self._snapshot.jobs.get(member.key)
        unborn = StoredJob(job=replace(member, sequence=member.sequence - 1, history=()), version=None)
        self.moved[member.key] = Moved(before=left_over or unborn, after=member)

    def _note_end(self, was: Job, job: Job) -> None:
        """Whoever ends is noted on the array of which it is a member."""
        if job.array_key is None or was.outcome is job.outcome:
            return
        self._snapshot.read_jobs([job.array_key])
        array = self.job(job.array_key)
        if array is not None and array.array is not None:
            self._set(members.with_end(array, job.job_id, job.outcome, now=self._now))

    def _note_start(self, job: Job) -> None:
        array = None if job.array_key is None else self.job(job.array_key)
        if array is not None and array.state is State.QUEUED:
            self._set(members.begun(array, now=self._now))
            self._still_new.discard(array.key)

    # --- what a decision does

    def admit(self, admit: Admit, *, token: str, submit_within: timedelta, max_preemptions: int) -> None:
        job = self.job(admit.waiting.key)
        assert job is not None
        reserved = move(
            job,
            State.RESERVED,
            at=self._now,
            note=told(admit, self.resource.promises.get(job.key), now=self._now),
            attempt=job.attempt + 1,
            token=token,
            tokens=(*job.tokens, token)[-TOKENS_KEPT:],
            inbox=False,
            not_before=None,
            moves=0,
            moved_at=None,
        )
        reservation = Reservation(
            token=token,
            team=job.team,
            job_id=job.job_id,
            attempt=reserved.attempt,
            replicas=admit.replicas,
            reserved_at=self._now,
            submit_by=self._now + submit_within,
            priority=job.priority,
            traits=job.traits,
            preemptions=_preemptions_left(job, max_preemptions),
            passes=admit.passes,
            serial=job.serial,
        )
        self.apply(Reserved(reservations=(reservation,)))
        self._set(reserved)
        self._note_start(reserved)
        self.admissions.append(Admission(job=reserved, reservation=reservation, admit=admit))

    def fold(self, wait: Wait) -> None:
        """A new job that does not start now is requeued: it gets its line, and its history says why."""
        job = self.job(wait.waiting.key)
        assert job is not None
        self._set(move(job, State.QUEUED, at=self._now, reason=wait.reason, note=wait.note, inbox=False))
        if wait.has_pools:
            self._still_new.discard(job.key)
        else:
            self._still_new.add(job.key)

    def defer(self, key: str) -> None:
        """A new job that may start as soon as all others that arrived with it are known: it gets its line."""
        job = self._snapshot.jobs[key].job
        self._set(replace(job, inbox=False))
        self._still_new.add(key)

    def relocate(self, relocate: Relocate) -> None:
        """It goes into the inbox of the other resource, whose next cycle takes it up; its line leaves."""
        job = self.job(relocate.waiting.key)
        assert job is not None
        self._set(
            move(
                job,
                State.QUEUED,
                at=self._now,
                reason=Reason.MOVED,
                note=whither(
                    relocate,
                    here=ResourceName.from_key(job.resource).id,
                    there=ResourceName.from_key(relocate.to).id,
                ),
                resource=relocate.to,
                inbox=True,
                alternatives=alternatives_elsewhere(job.resource, job.alternatives),
                moves=job.moves + 1,
                moved_at=self._now,
            )
        )

    def call_suitors(self) -> Sequence[str]:
        """The suitors who are to be told, once this is committed, that replicas came free."""
        suitors = self.resource.suitors
        if not suitors or not comes_free(self._snapshot.resource, self.resource, self._now):
            return ()
        self.apply(SuitorsCalled())
        return suitors

    def reject(self, reject: Reject) -> None:
        job = self.job(reject.waiting.key)
        assert job is not None
        problems = tuple(
            {"path": p.path, "value": p.value, "problem": p.problem, "remedy": p.remedy}
            for p in reject.problems
        )
        note = "; ".join(problem["problem"] for problem in problems)
        self._set(
            move(
                job,
                State.ENDED,
                at=self._now,
                outcome=Outcome.REJECTED,
                reason=reject.reason,
                note=note,
                problems=problems,
                error=note,
            )
        )

    def expire(self, expire: Expire) -> None:
        job = self.job(expire.waiting.key)
        assert job is not None
        if job.array is not None:
            self._set(members.expired(job, reason=expire.reason, note=expire.note, now=self._now))
            return
        self._set(
            move(
                job,
                State.ENDED,
                at=self._now,
                outcome=Outcome.EXPIRED,
                reason=expire.reason,
                note=expire.note,
                error=expire.note,
            )
        )

    def preempt(self, preempt: Preempt) -> str | None:
        """The custom job that is to be cancelled for it; None if its attempt is not what it was."""
        before = self.job(preempt.key)
        self.change(Preempted(key=preempt.key, token=preempt.token, note=preempt.note))
        after = self.job(preempt.key)
        return None if after is None or after is before else after.custom_job

    def write(self, write: Write) -> None:
        """One more document, to be written in the same commit."""
        self._besides.append(write)

    def reckon(self, decision: Decision, policy: Policy) -> None:
        """Teams' turns and planned starts, as they are after this draft."""
        admits = [admission.admit for admission in self.admissions]
        reckoned = reckon(
            self.resource,
            decision,
            admits=admits,
            is_waiting=is_among(self.waiting()),
            policy=policy,
            now=self._now,
        )
        self.apply(reckoned)

    def ended_for_others(self) -> list[str]:
        """Those that end with this draft and on which others depend."""
        return [
            key
            for key, moved in self.moved.items()
            if moved.after.state is State.ENDED
            and moved.after.dependants
            and moved.before.job.state is not State.ENDED
        ]

    def writes(self, announced: Mapping[str, Span]) -> list[Write]:
        """The writes of this draft; none if nothing changed. `announced`: changes known to be published."""
        queue_writes = self._queue_writes()
        for key, moved in self.moved.items():
            first = moved.before.job.sequence + 1
            # What comes next of a reserved job, "submitted", is recorded without the resource's document: so
            # it is listed here already.
            last = moved.after.sequence + (moved.after.state is State.RESERVED)
            if last >= first:
                self.apply(Changed(key=key, first=first, last=last, at=self._now))
        self.apply(*(DependantsDue(key=key, at=self._now) for key in self.ended_for_others()))
        self.apply(*(Announced(key=key, first=s.first, last=s.last) for key, s in announced.items()))
        jobs = [self._job_write(key, moved) for key, moved in self.moved.items()]
        return [*self._resource_writes(), *queue_writes, *jobs, *self._template_writes(), *self._besides]

    def _job_write(self, key: str, moved: Moved) -> Write:
        path, fields = job_path(key), write_job(moved.after, retention=self._retention)
        if moved.before.version is None:
            return Create(path=path, fields=fields)
        return Replace(path=path, fields=fields, version=moved.before.version)

    def _template_writes(self) -> Iterable[Write]:
        """The template of an array that ends, or begins again, is kept for as long as the array's job."""
        for key, moved in self.moved.items():
            ended = moved.after.ended
            if moved.after.array is None or ended == moved.before.job.ended:
                continue
            document = self._snapshot.documents.read([template_path(key)])[0]
            if document.fields is None:
                continue
            fields = write_template(read_template(document.fields))
            expiry = {} if ended is None else expiring(ended, self._retention)
            yield document.written({**fields, **expiry})

    def _set(self, job: Job) -> None:
        known = self.moved.get(job.key)
        before = self._snapshot.jobs[job.key] if known is None else known.before
        self.moved[job.key] = Moved(before=before, after=job)
        self._note_end(before.job if known is None else known.after, job)

    def _resource_writes(self) -> list[Write]:
        if self.resource == self._snapshot.resource:
            return []
        path, fields = resource_path(self._snapshot.name), write_resource(self.resource)
        return [Replace(path=path, fields=fields, version=self._snapshot.version)]

    def _queue_writes(self) -> list[Write]:
        if not self.moved and not self._gone:
            return []
        add = [
            replace(waiting_line(moved.after), is_new=key in self._still_new)
            for key, moved in self.moved.items()
            if self._belongs_in_queue(moved.after)
        ]
        known = self._snapshot.waiting_queue().lines
        leave = [key for key, m in self.moved.items() if not self._belongs_in_queue(m.after) and key in known]
        remove = [*leave, *(key for key in self._gone if key in known)]
        if not add and not remove:
            return []
        queue, dirty = self._snapshot.queue().changed(add=add, remove=remove)
        self.apply(Queued(waiting=queue.count, shards=queue.shards))
        return list(self._shard_writes(queue, sorted(dirty)))

    def _belongs_in_queue(self, job: Job) -> bool:
        return (job.waits or job.is_held) and not job.inbox and self.is_here(job)

    def _shard_writes(self, queue: Queue, dirty: Iterable[int]) -> Iterable[Write]:
        versions = self._snapshot.shard_versions
        for shard in dirty:
            path = queue_path(self._snapshot.name, shard)
            fields = write_queue(queue, shard)
            version = versions[shard] if shard < len(versions) else None
            if version is None:
                yield Create(path=path, fields=fields)
            else:
                yield Replace(path=path, fields=fields, version=version)


def _waits(job: Job) -> bool:
    return job.waits


def _is_held(job: Job) -> bool:
    return job.is_held


def _preemptions_left(job: Job, usual: int) -> int:
    most = usual if job.max_preemptions is None else min(usual, job.max_preemptions)
    return max(0, most - job.preemptions)


def _comes_unseen(before: Job, after: Job) -> bool:
    """Does it begin to compete without ever having been held against pools, as far as is known?"""
    is_back = before.state in {State.HELD, State.ENDED} and after.state is State.QUEUED
    return is_back and after.attempt == 0 and not after.inbox
