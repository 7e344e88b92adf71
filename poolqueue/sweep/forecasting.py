"""The sweep's forecasts: a job that is new in a queue is forecast once, and scored when it has started.

All of it is one document per resource, so that a sweep which dies, or meets a rival, has done all or nothing;
the next one goes on from there. No waiting job's own document is written.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from poolqueue.config import policy_of
from poolqueue.cycle.serial_keys import keys_elsewhere
from poolqueue.ports import Conflict
from poolqueue.records import (
    ResourceName,
    forecasts_path,
    job_path,
    queue_path,
    read_job,
    read_queue,
    read_resource,
    read_scorecard,
    resource_path,
    write_scorecard,
)
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.catching_up import expectations_of
from poolqueue.scheduling.estimates import Estimate
from poolqueue.scheduling.forecast import forecast
from poolqueue.scheduling.jobs import Job, State
from poolqueue.scheduling.pools import Resource
from poolqueue.scheduling.scorecard import (
    OpenForecast,
    Scorecard,
    correction,
    opened,
    started,
    withdrawn,
)
from poolqueue.scheduling.waiting import Waiting
from poolqueue.system import System

LOOKUPS_LIMIT = 100
FOLDED_WITHIN = timedelta(
    minutes=2
)  # from its arrival until a job is in the queue; later ones are passed over

log = logging.getLogger(__name__)


def note_forecasts(system: System, name: ResourceName, *, is_waited_for: bool) -> None:
    """Score the forecasts of the jobs that have started since the sweep before, and forecast new ones.

    Without open forecasts, and unless somebody waits for the resource, it is one read.
    """
    now = system.clock()
    document = system.documents.read([forecasts_path(name)])[0]
    card = read_scorecard(document.fields)
    if not card.open and not is_waited_for:
        return
    seen = _look(system, name, now)
    if seen is None:
        return
    after = seen.with_new(seen.scored(card))
    if after == card:
        return
    try:
        system.documents.commit([document.written(write_scorecard(after))])
    except Conflict:
        log.info("forecasts_left_to_rival", extra={"resource": name.full})
        return
    _log(name, card, after)


def _look(system: System, name: ResourceName, now: datetime) -> _Seen | None:
    """The resource and who waits for it; read one after the other, so that a job may be in neither."""
    fields = system.documents.read([resource_path(name)])[0].fields
    if fields is None:
        return None
    resource = read_resource(fields)
    shards = system.documents.read([queue_path(name, shard) for shard in range(resource.shards)])
    held = {reservation.key for reservation in resource.reservations.values()}
    lines = read_queue(shard.fields for shard in shards).waiting()
    waiting = [line for line in lines if line.key not in held]
    return _Seen(system=system, name=name, resource=resource, waiting=waiting, now=now)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A resource and the jobs that wait for it."""

    system: System
    name: ResourceName
    resource: Resource
    waiting: Sequence[Waiting]
    now: datetime

    def scored(self, card: Scorecard) -> Scorecard:
        """A job that was admitted has started: when Vertex AI begins to run it is not foretold."""
        reserved = {each.key: each.reserved_at for each in self.resource.reservations.values()}
        starts = {key: reserved[key] for key in card.open if key in reserved}
        waiting = {line.key for line in self.waiting}
        gone: list[str] = []
        for key, job in self._jobs(card.open.keys() - reserved.keys() - waiting):
            start = None if job is None else _admitted(job, since=card.open[key].made)
            if start is not None:
                starts[key] = start
            elif job is None or job.resource != self.name.key or job.state is not State.QUEUED:
                gone.append(key)
        return withdrawn(started(card, starts), gone)

    def _jobs(self, keys: Collection[str]) -> Iterator[tuple[str, Job | None]]:
        chosen = sorted(keys)[:LOOKUPS_LIMIT]
        documents = self.system.documents.read([job_path(key) for key in chosen])
        for key, document in zip(chosen, documents, strict=True):
            yield key, None if document.fields is None else read_job(document.fields)

    def with_new(self, card: Scorecard) -> Scorecard:
        """The first forecast of a job counts; one without an estimate is soon not asked about again."""
        since = None if card.looked is None else card.looked - FOLDED_WITHIN
        lines = [line for line in self.waiting if line.key not in card.open]
        new = {line.key for line in lines if since is None or line.arrived > since}
        if not new or not card.room:
            return card
        made = self._forecasts(new, card)
        if not made and card.looked is not None and self.now - card.looked < FOLDED_WITHIN:
            return card  # not worth a write
        return replace(opened(card, made), looked=self.now)

    def _forecasts(self, new: Collection[str], card: Scorecard) -> dict[str, OpenForecast]:
        """Of those that do not start at once; if there are too many, of some by chance."""
        stored = self.system.run_times.of(self.system.documents, self.name, now=self.now)
        known = expectations_of(stored, self.resource, now=self.now)
        policy = policy_of(self.system.settings, self.name.id)
        board = Board(
            self.resource,
            self.waiting,
            policy=policy,
            expectations=known,
            now=self.now,
            elsewhere=keys_elsewhere(self.system.documents, self.name, self.waiting),
        )
        found = forecast(
            board,
            now=self.now,
            run_time=known.distribution,
            chance=Random,
            of=new,
            correction=correction(card),
        )
        made = [
            (key, each) for key, each in found.items() if isinstance(each, Estimate) and each.sampled[1] > 0
        ]
        if len(made) > card.room:
            made = Random(int(self.now.timestamp())).sample(made, card.room)  # noqa: S311  no secret
        return {key: OpenForecast.of(each, made=self.now) for key, each in made}


def _admitted(job: Job, *, since: datetime) -> datetime | None:
    """When its first attempt since then was reserved."""
    found = (entry.at for entry in job.history if entry.state is State.RESERVED and entry.at >= since)
    return next(found, None)


def _log(name: ResourceName, before: Scorecard, after: Scorecard) -> None:
    scored = after.totals.scored - before.totals.scored
    fields = {
        "resource": name.full,
        "made": len(after.open.keys() - before.open.keys()),
        "scored": scored,
        "within_p90": after.totals.within_p90 - before.totals.within_p90,
        "open": len(after.open),
    }
    log.info("forecasts_noted", extra=fields)
