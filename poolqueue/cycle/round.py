"""One round of an admission cycle: read a bounded snapshot, decide, commit; all of it or nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from poolqueue.announced import Span
from poolqueue.config import policy_of
from poolqueue.cycle.accounting import account, is_long_metered
from poolqueue.cycle.draft import Admission, Draft, Moved
from poolqueue.cycle.elsewhere import Elsewhere, Looked
from poolqueue.cycle.learning import PENDING_LIMIT, decided_unaided, informed_board, learn
from poolqueue.cycle.pacing import Slots
from poolqueue.cycle.serial_keys import LOOKS, SerialKeys
from poolqueue.cycle.snapshot import COMMIT_BYTES, INBOX_LIMIT, Snapshot, body_bytes, read_snapshot
from poolqueue.observation import look, reserved_tokens
from poolqueue.ports import VertexUnavailable
from poolqueue.records import PAUSES_PATH, ResourceName, job_path, read_pauses
from poolqueue.scheduling.admission import decide, expired
from poolqueue.scheduling.arrays import array_key
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.changes import Change
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.events import Event, Paused
from poolqueue.scheduling.jobs import Job, State
from poolqueue.scheduling.policies import Policy
from poolqueue.scheduling.verdicts import Admit, Expire, Reject, Relocate, Wait
from poolqueue.scheduling.waiting import Waiting
from poolqueue.system import System

ADMISSIONS_LIMIT = 140
NEW_LINES_LIMIT = 40
UNANNOUNCED_LIMIT = 1_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a round is to do: changes to make and events to apply first; whether to take up new jobs, and ends
    that were only noted; whether to admit anything; whether run times are to learn from the few runs that
    ended since they last did; and until when its submissions may begin.
    """

    changes: Sequence[Change] = ()
    events: Sequence[Event] = ()
    arrivals: bool = True
    endings: bool = False
    admit: bool = True
    learn: bool = False
    submit_within: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a round committed. `cancels`: custom jobs that are now to be cancelled; `more`: there is work that
    this commit could not carry; `due`: when time alone changes something. `goals` are the keys of resources
    that jobs have gone to, `suitors` of those that are to be told of free replicas, `told` of those where a
    job waits for a serial key that came free; `ended` are the keys of jobs that ended and on which others
    depend.
    """

    moved: Mapping[str, Moved] = field(default_factory=dict)
    admissions: Sequence[tuple[Admission, object]] = ()
    cancels: Sequence[str] = ()
    more: bool = False
    due: datetime | None = None
    goals: Sequence[str] = ()
    suitors: Sequence[str] = ()
    told: Sequence[str] = ()
    ended: Sequence[str] = ()
    looked: Looked | None = None


def run_round(
    system: System,
    name: ResourceName,
    asked: Asked,
    *,
    slots: Slots,
    announced: Mapping[str, Span],
    elsewhere: Elsewhere,
) -> Round:
    """One attempt. Raises `Conflict` when somebody else committed in between: then run it again."""
    snapshot = read_snapshot(system.documents, name, arrivals=asked.arrivals, endings=asked.endings)
    _read_changed(snapshot, asked.changes)
    draft = Draft(snapshot, now=system.clock(), retention=system.settings.retention)
    draft.apply(*asked.events)
    for change in asked.changes:
        draft.change(change)
    _end_noted(snapshot, draft)
    draft.take_up_held()
    keys = SerialKeys(system.documents, name)
    keys.release(snapshot.resource, draft.resource, now=system.clock())
    decision: Decision | None = None
    looked: Looked | None = None
    policy = policy_of(system.settings, name.id)
    if asked.admit and _has_room(draft):
        _refresh(system, snapshot, draft)
        decision = _decide(
            system, name, draft, policy, slots=slots, keys=keys, admit=not snapshot.more_arrivals
        )
        decision.expires += expired(draft.held(), system.clock())
        if not snapshot.more_arrivals:
            looked = elsewhere.look(system, decision, keys, now=system.clock())
    drawing = _Drawing(system, snapshot, draft, policy, keys, within=asked.submit_within)
    if decision is not None:
        drawing.add(decision)
    pending, learned = len(draft.resource.outcomes), None
    is_due = pending > PENDING_LIMIT or (asked.learn and pending > 0)
    if is_due or (asked.learn and is_long_metered(draft, now=system.clock())):
        account(system, name, draft, now=system.clock())
    if is_due:
        learned = learn(system, name, draft, now=system.clock())
    for write in keys.writes(snapshot.resource, draft.resource, decision):
        draft.write(write)
    done = _commit(system, draft, decision, slots, announced=announced, drawing=drawing)
    done = replace(done, told=[*keys.told])
    if learned is not None:
        system.run_times.keep(name, learned, now=system.clock())
    return done if looked is None else replace(done, due=_earliest(done.due, looked.opening), looked=looked)


def _end_noted(snapshot: Snapshot, draft: Draft) -> None:
    """As many as one commit can carry: with each that has a serial key, the key is written too."""
    room = INBOX_LIMIT
    for ending in snapshot.endings:
        reservation = draft.resource.reservations.get(ending.token)
        room -= 1 if reservation is None or reservation.serial is None else 2
        if room < 0:
            snapshot.more_endings = True
            return
        draft.end(ending)


def _read_changed(snapshot: Snapshot, changes: Sequence[Change]) -> None:
    """The jobs that are changed; a member of an array may have none yet, or wait to have its own again."""
    keys = [change.key for change in changes]
    snapshot.read_jobs([*keys, *(ending.key for ending in snapshot.endings)])
    known = {key: snapshot.jobs[key].job for key in keys if key in snapshot.jobs}
    members = [key for key in keys if array_key(key) is not None]
    if unborn := [key for key in members if key not in known or known[key].state is State.ENDED]:
        snapshot.read_jobs([], unborn=unborn)


def _has_room(draft: Draft) -> bool:
    """While outcomes cannot be published, nothing begins that would have to be announced."""
    listed = len(draft.resource.unannounced)
    if listed >= UNANNOUNCED_LIMIT:
        log.error("announcements_pending", extra={"resource": draft.resource.name, "count": listed})
    return listed < UNANNOUNCED_LIMIT


def _refresh(system: System, snapshot: Snapshot, draft: Draft) -> None:
    """Nobody admits on old news: if the last sweep is too long ago, look at Vertex AI now."""
    now = system.clock()
    if draft.resource.is_fresh(now) or not (draft.resource.suitors or draft.waiting()):
        return
    try:
        observed = look(
            system.observer,
            snapshot.name,
            ours=reserved_tokens(snapshot.resource) | reserved_tokens(draft.resource),
            installation=system.settings.installation,
            now=now,
        )
    except VertexUnavailable as error:
        log.warning("resource_not_observed", extra={"resource": snapshot.name.full, "error": str(error)})
        return
    # Nothing is admitted unless somebody looked: what pauses there are is known from the first time on.
    draft.apply(Paused(pauses=read_pauses(system.documents.read([PAUSES_PATH])[0].fields)), observed)


def _decide(
    system: System,
    name: ResourceName,
    draft: Draft,
    policy: Policy,
    *,
    slots: Slots,
    keys: SerialKeys,
    admit: bool,
) -> Decision:
    """Decide as if there were slots enough, take those that it needs, and decide with what was granted.

    Without `admit` nothing is to start yet: as long as there are arrivals that nobody has looked at, one of
    them may come before those that would start now. Who has a serial key elsewhere is looked up for those
    that would start; then it is decided again.
    """
    now = system.clock()
    board: Board | None = None
    for _ in range(LOOKS):
        decision = None if board else decided_unaided(draft, policy, keys, now=now)
        if decision is None:
            board = board or informed_board(system, name, draft, policy, keys, now=now)
            decision = decide(board, now=now, slots=ADMISSIONS_LIMIT)
        if not keys.look(admit.waiting for admit in decision.admits):
            break
    assert decision is not None
    wanted = len(decision.admits) if admit else 0
    granted = slots.hold(wanted)
    if granted == wanted:
        return decision
    board = board or informed_board(system, name, draft, policy, keys, now=now)
    return decide(board, now=now, slots=granted)


class _Drawing:
    """Puts a decision into a draft, as much as one commit can carry; `more` tells that some was left.

    `cancels` are the custom jobs to be cancelled once it is committed.
    """

    def __init__(
        self,
        system: System,
        snapshot: Snapshot,
        draft: Draft,
        policy: Policy,
        keys: SerialKeys,
        *,
        within: timedelta,
    ) -> None:
        self._system = system
        self._snapshot = snapshot
        self._draft = draft
        self._policy = policy
        self._keys = keys
        self._within = within
        self._admissions = ADMISSIONS_LIMIT
        self._bytes = COMMIT_BYTES
        self._lines = NEW_LINES_LIMIT
        self.cancels: list[str] = []
        self.goals: dict[str, None] = {}
        self.more = snapshot.more_arrivals or snapshot.more_endings

    def add(self, decision: Decision) -> None:
        """The jobs that may be moved are read in one go; new lines are taken up in the order of reading."""
        waits = [decision.wait_of(line) for line in self._new_lines(decision)]
        news = [wait for wait in waits if self._arrives(wait.waiting.key) or _is_news(wait)]
        leaving: list[Admit | Relocate] = [*decision.admits, *decision.relocates]
        unborn = [each.waiting.key for each in leaving if array_key(each.waiting.key) is not None]
        self._snapshot.read_jobs(self._to_be_read(decision, news), unborn=unborn)
        for relocate in decision.relocates:
            self._relocate(relocate)
        for admit in decision.admits:
            self._start(admit)
        for wait in news:
            if wait.waiting.members and wait.waiting.key in self._draft.moved:
                continue  # some of its members start
            if self._arrives(wait.waiting.key) or self._takes_up(wait.waiting.key):
                self._draft.fold(wait)
        for reject in decision.rejects:
            self._end(reject)
        for expire in decision.expires:
            self._end(expire)
        if not self._snapshot.more_arrivals:
            self._preempt(decision)
        self._draft.reckon(decision, self._policy)

    def _to_be_read(self, decision: Decision, news: Sequence[Wait]) -> list[str]:
        over: list[Reject | Expire] = [*decision.rejects, *decision.expires]
        taken_up: list[Relocate | Wait | Reject | Expire] = [*decision.relocates, *news, *over]
        lines = [each.waiting.key for each in taken_up if not self._arrives(each.waiting.key)]
        preempted = [preempt.key for preempt in decision.preempts]
        admitted = [admit.waiting.key for admit in decision.admits]
        return [*admitted, *preempted, *lines[:NEW_LINES_LIMIT]]

    def _new_lines(self, decision: Decision) -> list[Waiting]:
        leaving = {line.key for line in decision.leaving()}
        new = [line for line in self._draft.waiting() if line.is_new and line.key not in leaving]
        return [line for line in new if decision.left_of(line) is not None]

    def _arrives(self, key: str) -> bool:
        return key in self._snapshot.arrivals and key not in self._draft.moved

    def _start(self, admit: Admit) -> None:
        line = admit.waiting.of or admit.waiting.key
        if not self._snapshot.more_arrivals:
            self._admit(admit)
        elif self._arrives(line):
            self._draft.defer(line)

    def _end(self, over: Reject | Expire) -> None:
        key = over.waiting.key
        if not self._arrives(key) and not self._takes_up(key):
            return
        match over:
            case Reject():
                self._draft.reject(over)
            case Expire():
                self._draft.expire(over)
            case unreachable:
                assert_never(unreachable)

    def _relocate(self, relocate: Relocate) -> None:
        """Where it had a planned start, the others may do better without it."""
        key = relocate.waiting.key
        if self._arrives(key) or self._takes_up(key):
            self._draft.relocate(relocate)
            self.goals[relocate.to] = None

    def _preempt(self, decision: Decision) -> None:
        """Nobody makes room for a job that has left."""
        left = {relocate.waiting.key for relocate in decision.relocates}
        wanted = [each for each in decision.preempts if each.by not in left]
        self.cancels += filter(None, map(self._draft.preempt, wanted))
        self.more = self.more or any(plan.key in left for plan in decision.planned)

    def _admit(self, admit: Admit) -> None:
        if not self._keys.is_known(admit.waiting):
            return  # too many keys were to be looked up: it waits for a later round
        job = self._waiting_job(admit.waiting.key)
        if job is None:
            return
        self._bytes -= body_bytes(job)
        self._admissions -= 1 if job.serial is None else 2
        if (self._bytes < 0 or self._admissions < 0) and self._draft.admissions:
            self.more = True
            return
        self._draft.admit(
            admit,
            token=self._system.token(),
            submit_within=self._within,
            max_preemptions=self._policy.max_preemptions,
        )

    def _takes_up(self, key: str) -> bool:
        """Is there room for one more job whose line was new until now?"""
        self._lines -= 1
        job = self._waiting_job(key) if self._lines >= 0 else None
        if job is not None:
            self._bytes -= body_bytes(job)
        self.more = self.more or self._lines < 0 or self._bytes < 0
        return job is not None and self._bytes >= 0

    def _waiting_job(self, key: str) -> Job | None:
        """The job of a line; None, and the line goes, if it does not wait any more. A member of an array gets
        one of its own.
        """
        self._draft.take_apart(key)
        job = self._draft.job(key)
        if job is None or not (job.waits or job.is_held) or not self._draft.is_here(job):
            self._draft.drop_line(key)
            self.more = True
            return None
        return job


def _is_news(wait: Wait) -> bool:
    """Is this the first time that the job was held against its pools?"""
    return wait.waiting.is_new and wait.has_pools


def _commit(
    system: System,
    draft: Draft,
    decision: Decision | None,
    slots: Slots,
    *,
    announced: Mapping[str, Span],
    drawing: _Drawing,
) -> Round:
    suitors = draft.call_suitors()
    writes = draft.writes(announced)
    versions = dict(
        zip((write.path for write in writes), system.documents.commit(writes), strict=True) if writes else ()
    )
    slots.use(len(draft.admissions))
    _log_decisions(draft)
    full = len(draft.admissions) >= ADMISSIONS_LIMIT
    return Round(
        moved=draft.moved,
        admissions=[(a, versions[job_path(a.job.key)]) for a in draft.admissions],
        cancels=drawing.cancels,
        goals=[*drawing.goals],
        suitors=suitors,
        ended=draft.ended_for_others(),
        more=drawing.more or full,
        due=None if decision is None else _due(decision, None if full else slots.more_at),
    )


def _due(decision: Decision, more_slots_at: datetime | None) -> datetime | None:
    paced = more_slots_at if decision.paced else None
    return _earliest(decision.due(), paced)


def _earliest(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None), default=None)


def _log_decisions(draft: Draft) -> None:
    for moved in draft.moved.values():
        job = moved.after
        log.info(
            "job_moved",
            extra={
                "job": job.key,
                "state": job.state.value,
                "attempt": job.attempt,
                "reason": job.reason and job.reason.value,
                "outcome": job.outcome and job.outcome.value,
            },
        )
