"""The sweep of one persistent resource: what is seen of its reservations, and what is done about it.

A resource on which nothing is wrong costs one look and one write.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from poolqueue.announcing import Announcement, announce
from poolqueue.cycle import Elsewhere, settle, settle_dependants
from poolqueue.ending import ended_change
from poolqueue.observation import is_ours, observed
from poolqueue.ports import (
    TEAM_LABEL,
    TOKEN_LABEL,
    Conflict,
    CustomJob,
    CustomJobState,
    Delete,
    ResourceState,
    VertexUnavailable,
    labelled_job_id,
)
from poolqueue.records import ResourceName, job_path, read_job, read_resource, resource_path
from poolqueue.scheduling.changes import Change
from poolqueue.scheduling.events import Announced, Event, Paused
from poolqueue.scheduling.jobs import Job, job_key
from poolqueue.scheduling.pools import NO_PAUSES, Pauses, Reservation, Resource, is_forgettable
from poolqueue.scheduling.sightings import (
    Adopted,
    CancelRepeated,
    CustomJobVanished,
    FoundAbsent,
    PendingTooLong,
    SeenRunning,
    never_created,
)
from poolqueue.sweep.allowance import Allowance
from poolqueue.system import System

LOOKUPS_LIMIT = 100
LATE_COPIES_LIMIT = 20
CHANGES_AT_ONCE = 20  # of 256 KB each, at the most
FORGOTTEN_AFTER = timedelta(hours=1)
CANCEL_AGAIN = timedelta(seconds=60)
NEVER = datetime.min.replace(tzinfo=UTC)
ABSENT_AT_LEAST = timedelta(seconds=30)

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """Reservations beside the listing: seen, not seen, and custom jobs with our labels and no reservation."""

    seen: Sequence[tuple[Reservation, CustomJob]]
    missing: Sequence[Reservation]
    stray: Sequence[CustomJob]


class ResourceSweep:
    """The sweep of one resource; `resource` was read before `listed` was asked for, which was `at`. `known`
    are all resources of its region; `pauses` those of the installation.
    """

    def __init__(
        self,
        system: System,
        name: ResourceName,
        resource: Resource,
        listed: Sequence[CustomJob],
        *,
        at: datetime,
        allowance: Allowance,
        known: Sequence[Resource] = (),
        pauses: Pauses = NO_PAUSES,
    ) -> None:
        self._system = system
        self._name = name
        self._resource = resource
        self._listed = listed
        self._allowance = allowance
        self._known = known
        self._pauses = pauses
        self._now = at
        self._to_cancel: list[str] = []  # once the reason is recorded: a cancel without one would end the job
        self._max_pending = system.settings.of_resource(name.id).max_pending

    def run(self) -> None:
        try:
            view = self._system.observer.resource(self._name.full)
        except VertexUnavailable as error:
            log.warning("resource_not_observed", extra={"resource": self._name.full, "error": str(error)})
            return
        if view.state is ResourceState.MISSING and is_forgettable(self._resource):
            self._forget_in_time()
            return
        seen = observed(
            view,
            self._listed,
            ours=self._resource.reservations,
            installation=self._system.settings.installation,
            now=self._now,
        )
        compared = self._compare()
        changes = [*self._progress(compared.seen), *self._look_up(compared.missing)]
        self._cancel_late_copies(compared.stray)
        self._settle(changes, [Paused(pauses=self._pauses), seen, *self._announce_again()])
        for custom_job in self._to_cancel:
            if self._allowance.is_over():
                return
            self._cancel(custom_job)
        self._settle_dependants()

    def _settle(self, changes: Sequence[Change], events: Sequence[Event]) -> None:
        """What was observed goes with the first commit; the last one admits."""
        first, *rest = _chunks(changes)
        repair = partial(settle, self._system, self._name, deadline=self._allowance.deadline, linger=False)
        elsewhere = Elsewhere(self._system, self._name, everyone=True, known=self._known)
        repair(first, events=events, arrivals=True, learn=True, elsewhere=elsewhere)
        for chunk in rest:
            repair(chunk)

    def _forget_in_time(self) -> None:
        """Missing, and nobody waits for it: a name that somebody mistyped, say. It is not written each
        minute, and after a while its document is deleted; a new job makes it anew.
        """
        self._settle([], [])
        assert self._resource.observed_at is not None
        if self._now - self._resource.observed_at < FORGOTTEN_AFTER:
            return
        document = self._system.documents.read([resource_path(self._name)])[0]
        if document.fields is None or read_resource(document.fields) != self._resource:
            return
        with suppress(Conflict):  # somebody needs it after all
            self._system.documents.commit([Delete(path=document.path, version=document.version)])
            log.info("resource_forgotten", extra={"resource": self._name.full})

    def _compare(self) -> _Compared:
        installation = self._system.settings.installation
        reservations = self._resource.reservations
        own: dict[str, CustomJob] = {}
        stray = []
        for custom_job in self._listed:
            if not is_ours(custom_job, installation):
                continue
            token = custom_job.labels[TOKEN_LABEL]
            reservation = reservations.get(token)
            if reservation is None or token in own or reservation.number not in {None, custom_job.number}:
                stray.append(custom_job)
            else:
                own[token] = custom_job
        return _Compared(
            seen=[(r, own[token]) for token, r in reservations.items() if token in own],
            missing=[r for token, r in reservations.items() if token not in own],
            stray=stray,
        )

    def _settle_dependants(self) -> None:
        """Of jobs whose end was committed by somebody who may not have lived to tell who waits for it."""
        grace = self._system.settings.timing.announce_grace
        for key, since in self._resource.unsettled.items():
            if self._allowance.is_over():
                return
            if self._now - since > grace:
                settle_dependants(self._system, key, deadline=self._allowance.deadline, home=self._name)

    # --- listed, and reserved

    def _progress(self, seen: Iterable[tuple[Reservation, CustomJob]]) -> Iterable[Change]:
        """Whoever was asked to be cancelled longest ago comes first: cancels are limited."""
        for reservation, custom_job in sorted(seen, key=lambda pair: pair[0].cancelled_at or NEVER):
            key = job_key(reservation.team, reservation.job_id)
            token = reservation.token
            if custom_job.state is CustomJobState.RUNNING and not reservation.running:
                name, started = custom_job.name, custom_job.started
                yield SeenRunning(key=key, token=token, custom_job=name, started=started)
            elif reservation.number is None:
                yield Adopted(key=key, token=token, custom_job=custom_job.name)
            yield from self._timers(key, reservation, custom_job)

    def _timers(self, key: str, reservation: Reservation, custom_job: CustomJob) -> Iterable[Change]:
        """What is not allowed any more is not recorded either, so that the next sweep begins with it."""
        waited = self._now - reservation.reserved_at
        pending = not reservation.running and custom_job.state is not CustomJobState.RUNNING
        if reservation.cancelled_at is not None:
            if self._now - reservation.cancelled_at > CANCEL_AGAIN and self._allowance.take_cancel():
                self._to_cancel.append(custom_job.name)
                yield CancelRepeated(key=key, token=reservation.token)
            return
        is_stuck = (pending and waited > self._max_pending) or custom_job.state is CustomJobState.PAUSED
        if is_stuck and self._allowance.take_cancel():
            self._to_cancel.append(custom_job.name)
            name = custom_job.name
            yield PendingTooLong(key=key, token=reservation.token, custom_job=name, waited=waited)

    # --- reserved, and not listed

    def _look_up(self, missing: Sequence[Reservation]) -> Iterable[Change]:
        """The oldest first, and no more than a sweep has time for."""
        chosen = sorted(missing, key=lambda r: r.reserved_at)[:LOOKUPS_LIMIT]
        jobs = self._jobs(job_key(r.team, r.job_id) for r in chosen)
        for reservation in chosen:
            if not self._allowance.take_lookup():
                return
            key = job_key(reservation.team, reservation.job_id)
            try:
                change = self._found(key, reservation, jobs.get(key))
            except VertexUnavailable as error:
                log.warning("custom_job_not_observed", extra={"job": key, "error": str(error)})
                continue
            if change is not None:
                yield change

    def _found(self, key: str, reservation: Reservation, job: Job | None) -> Change | None:
        if job is not None and job.token == reservation.token and job.custom_job is not None:
            custom_job = self._system.observer.custom_job(job.custom_job)
            if custom_job is None:
                return CustomJobVanished(key=key, token=reservation.token)
            ended = custom_job.is_terminal
            return ended_change(self._system, self._name, custom_job) if ended else None
        return self._unresolved(key, reservation)

    def _unresolved(self, key: str, reservation: Reservation) -> Change | None:
        if self._now <= self._answered_by(reservation):
            return None
        found = self._system.observer.by_token(self._name.parent, reservation.token)
        if not found:
            return self._absent(key, reservation)
        ended = [custom_job for custom_job in found if custom_job.is_terminal]
        if len(ended) == len(found):
            return ended_change(self._system, self._name, ended[0])
        alive = next(custom_job for custom_job in found if not custom_job.is_terminal)
        return Adopted(key=key, token=reservation.token, custom_job=alive.name)

    def _absent(self, key: str, reservation: Reservation) -> Change | None:
        """A listing may lag: it takes two sweeps to settle that there is none, the second of them after the
        quiet period. If none came before it was over, the first one after it settles nothing yet.
        """
        since, quiet = reservation.absent_since, self._system.settings.timing.quiet_period
        if since is None:
            return FoundAbsent(key=key, token=reservation.token, at=self._system.clock())
        is_long = self._now - since >= min(ABSENT_AT_LEAST, quiet)
        is_quiet = self._now > self._answered_by(reservation) + quiet
        return never_created(key, reservation.token) if is_long and is_quiet else None

    def _answered_by(self, reservation: Reservation) -> datetime:
        return reservation.submit_by + self._system.settings.timing.call_timeout

    # --- listed, ours, and not reserved

    def _cancel_late_copies(self, stray: Sequence[CustomJob]) -> None:
        """Improbable, not impossible: a create call that took effect after it was given up, or twice; a
        custom job that somebody copied with its labels.
        """
        chosen = stray[:LATE_COPIES_LIMIT]
        jobs = self._jobs(_key_of(custom_job) for custom_job in chosen)
        for custom_job in chosen:
            token = custom_job.labels[TOKEN_LABEL]
            job = jobs.get(_key_of(custom_job))
            if job is None or token not in job.tokens or not self._may_be_late(custom_job, job):
                continue
            if not self._allowance.take_lookup() or not self._allowance.take_cancel():
                return
            if not self._is_alive(custom_job):
                continue
            log.error("late_copy", extra={"job": job.key, "custom_job": custom_job.name})
            self._cancel(custom_job.name)

    def _may_be_late(self, custom_job: CustomJob, job: Job) -> bool:
        """Neither the job's own nor one that may become so."""
        if job.custom_job is not None:
            return job.custom_job.rsplit("/", 1)[-1] != custom_job.number
        return job.token != custom_job.labels[TOKEN_LABEL] or job.ended is not None

    def _is_alive(self, custom_job: CustomJob) -> bool:
        """The listing may have yet to show its end."""
        try:
            current = self._system.observer.custom_job(custom_job.name)
        except VertexUnavailable:
            return False
        return current is not None and not current.is_terminal

    # --- announcements

    def _announce_again(self) -> list[Event]:
        """Changes that somebody committed and may not have lived to announce."""
        grace = self._system.settings.timing.announce_grace
        old = [
            (key, entry) for key, entry in self._resource.unannounced.items() if self._now - entry.at > grace
        ][:LOOKUPS_LIMIT]
        jobs = self._jobs(key for key, _ in old)
        changes = [
            Announcement(job=jobs[key], first=entry.first, last=entry.last)
            for key, entry in old
            if key in jobs
        ]
        if not announce(self._system, changes):
            return []
        return [Announced(key=key, first=entry.first, last=entry.last) for key, entry in old]

    def _jobs(self, keys: Iterable[str]) -> dict[str, Job]:
        documents = self._system.documents.read([job_path(key) for key in dict.fromkeys(keys)])
        jobs = [read_job(document.fields) for document in documents if document.fields is not None]
        return {job.key: job for job in jobs}

    def _cancel(self, custom_job: str) -> None:
        try:
            self._system.submitter.cancel(custom_job)
        except VertexUnavailable as error:
            log.warning("cancel_unanswered", extra={"custom_job": custom_job, "error": str(error)})


def _key_of(custom_job: CustomJob) -> str:
    return job_key(custom_job.labels[TEAM_LABEL], labelled_job_id(custom_job.labels))


def _chunks(changes: Sequence[Change]) -> list[Sequence[Change]]:
    starts = range(0, max(1, len(changes)), CHANGES_AT_ONCE)
    return [changes[start : start + CHANGES_AT_ONCE] for start in starts]
