"""What can happen to a persistent resource, and what it is afterwards: `apply(resource, event)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.last_words import Word, with_word
from poolqueue.scheduling.metering import metered
from poolqueue.scheduling.pools import (
    OUTCOMES_LIMIT,
    SUITORS_LIMIT,
    WORDS_LIMIT,
    Backoff,
    Drain,
    Overtakings,
    Pauses,
    Pool,
    PoolKey,
    Promise,
    Ran,
    Reservation,
    Resource,
    Surplus,
    Unannounced,
    Use,
    decayed_seconds,
    total,
)

SETTLE = timedelta(seconds=30)
SETTLING_BACKOFF = timedelta(seconds=5)
FIRST_BACKOFF = timedelta(seconds=15)
LONGEST_BACKOFF = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Reserved:
    reservations: tuple[Reservation, ...]


@dataclass(frozen=True, kw_only=True)
class Released:
    """`settles`: its replicas come free only little by little; not so where no custom job held them."""

    token: str
    at: datetime
    settles: bool = True


@dataclass(frozen=True, kw_only=True)
class Occupant:
    """A listed custom job: the replicas that it holds per pool, its number, and its token if it has ours."""

    replicas: Mapping[PoolKey, int]
    token: str | None = None
    number: str | None = None


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What Vertex AI showed. `listed` are all custom jobs on the resource that are not terminal;
    `reserved_before` the tokens that were reserved when the listing was asked for.
    """

    state: str
    created: datetime | None
    pools: tuple[Pool, ...]
    listed: tuple[Occupant, ...]
    reserved_before: frozenset[str]
    at: datetime


@dataclass(frozen=True, kw_only=True)
class SubmissionRefused:
    """Vertex AI refused a job on these pools: for lack of capacity or quota, or it takes none at all now."""

    pools: tuple[PoolKey, ...]
    reason: Reason
    at: datetime


@dataclass(frozen=True, kw_only=True)
class DoubtedReadiness:
    """Vertex AI said that the resource is not ready: what we know of it is out of date."""


@dataclass(frozen=True, kw_only=True)
class Noted:
    """A reservation with what the sweep saw or did about it."""

    reservation: Reservation


@dataclass(frozen=True, kw_only=True)
class Drained:
    """Without a word, as below, it is only supposed."""

    pool: str
    drain: Drain
    word: Word | None = None


@dataclass(frozen=True, kw_only=True)
class Resumed:
    pool: str
    word: Word | None = None


@dataclass(frozen=True, kw_only=True)
class Paused:
    """These teams are paused, and no others, unless something later is known here."""

    pauses: Pauses


@dataclass(frozen=True, kw_only=True)
class Queued:
    """The queue has this many lines, in this many documents."""

    waiting: int
    shards: int


@dataclass(frozen=True, kw_only=True)
class Changed:
    """A job went through the changes `first`..`last`, which are still to be announced."""

    key: str
    first: int
    last: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Announced:
    """The changes `first`..`last` of a job were announced."""

    key: str
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Reckoned:
    """What a decision leaves: whose use was raised and who waits, what was promised; by which half-life."""

    uses: Mapping[str, Use]
    promises: Mapping[str, Promise]
    share_half_life: timedelta
    overtakings: Overtakings


@dataclass(frozen=True, kw_only=True)
class Courted:
    """The queue of the resource of this key holds jobs that would come here."""

    suitor: str


@dataclass(frozen=True, kw_only=True)
class SuitorsCalled:
    """All suitors are told that replicas came free; whose jobs find no room come to wait again."""


@dataclass(frozen=True, kw_only=True)
class RunEnded:
    """A custom job that really ran has ended; run times are to learn from it."""

    token: str
    ran: Ran


@dataclass(frozen=True, kw_only=True)
class Learned:
    """Run times have learned from these."""

    tokens: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class DependantsDue:
    """A job has ended, and others depend on it that are to learn of it."""

    key: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class DependantsSettled:
    """All who depended on the job know that it has ended."""

    key: str


@dataclass(frozen=True, kw_only=True)
class Accounted:
    """What was metered has been taken into the months' documents."""


Event = (
    Reserved
    | Released
    | Observed
    | SubmissionRefused
    | DoubtedReadiness
    | Noted
    | Drained
    | Resumed
    | Paused
    | Queued
    | Changed
    | Announced
    | Reckoned
    | Courted
    | SuitorsCalled
    | RunEnded
    | Learned
    | DependantsDue
    | DependantsSettled
    | Accounted
)


def apply(resource: Resource, event: Event) -> Resource:  # noqa: C901, PLR0912  one case per event
    """The resource after the event; pure, and the only way in which a resource changes."""
    match event:
        case Reserved(reservations=new):
            added = {reservation.token: reservation for reservation in new}
            reservations = {**resource.reservations, **added}
            return _with(resource, reservations=reservations, epoch=resource.epoch + len(new))
        case Released():
            return _release(resource, event)
        case Observed():
            return _observe(resource, event)
        case SubmissionRefused():
            return _back_off(resource, event)
        case DoubtedReadiness():
            return replace(resource, observed_at=None)
        case Noted(reservation=noted):
            return _note(resource, noted)
        case Drained(pool=pool, drain=drain):
            return _steer(resource, pool, event.word, {**resource.drained, pool: drain})
        case Resumed(pool=pool):
            drained = {k: v for k, v in resource.drained.items() if k != pool}
            return _steer(resource, pool, event.word, drained)
        case Paused(pauses=pauses):
            is_later = pauses.version > resource.pauses.version
            return replace(resource, pauses=pauses) if is_later else resource
        case Queued(waiting=waiting, shards=shards):
            return replace(resource, waiting=waiting, shards=shards)
        case Changed():
            return _change(resource, event)
        case Announced():
            return _announce(resource, event)
        case Reckoned():
            return _reckon(resource, event)
        case Courted(suitor=suitor):
            return replace(resource, suitors=tuple(sorted({*resource.suitors, suitor}))[:SUITORS_LIMIT])
        case SuitorsCalled():
            return replace(resource, suitors=())
        case RunEnded(token=token, ran=ran):
            outcomes = {**resource.outcomes, token: ran}
            return replace(resource, outcomes=dict([*outcomes.items()][-OUTCOMES_LIMIT:]))
        case Learned(tokens=tokens):
            return replace(resource, outcomes={t: r for t, r in resource.outcomes.items() if t not in tokens})
        case DependantsDue(key=key, at=at):
            return replace(resource, unsettled={**resource.unsettled, key: at})
        case DependantsSettled(key=key):
            return replace(resource, unsettled={k: at for k, at in resource.unsettled.items() if k != key})
        case Accounted():
            return replace(resource, metered={})
        case unreachable:
            assert_never(unreachable)


def _with(resource: Resource, **changes: Any) -> Resource:
    """As `replace`, for what happens all the time: that sets each of thirty fields anew, one by one."""
    after = object.__new__(Resource)
    after.__dict__.update(resource.__dict__, **changes)
    return after


def _steer(resource: Resource, pool: str, word: Word | None, drained: Mapping[str, Drain]) -> Resource:
    """What is no later word than the last one on the pool changes nothing."""
    if word is None:
        return replace(resource, drained=drained)
    words = with_word(resource.last_words, pool, word, limit=WORDS_LIMIT)
    return resource if words is None else replace(resource, drained=drained, last_words=words)


def _reckon(resource: Resource, event: Reckoned) -> Resource:
    """Most decisions leave everything as it was."""
    left = (event.uses, event.promises, event.share_half_life, event.overtakings)
    if left == (resource.uses, resource.promises, resource.share_half_life, resource.overtakings):
        return resource
    uses, promises, half_life, overtakings = left
    return _with(resource, uses=uses, promises=promises, share_half_life=half_life, overtakings=overtakings)


def _release(resource: Resource, event: Released) -> Resource:
    gone = resource.reservations.get(event.token)
    if gone is None:
        return resource
    kept = dict(resource.reservations)
    del kept[event.token]
    uses = _with_use(resource, gone, event.at)
    released = _with(resource, reservations=kept, epoch=resource.epoch + 1, uses=uses)
    if not event.settles:
        return released
    times = {**resource.released_at, **dict.fromkeys(gone.replicas, event.at)}
    backoffs = _after_release(resource.backoffs, gone, event.at)
    return replace(released, released_at=times, backoffs=backoffs)


def _with_use(resource: Resource, gone: Reservation, at: datetime) -> dict[str, Use]:
    """What its team used by holding these replicas, some of which may be forgotten already."""
    capacity = {pool.key: pool.capacity for pool in resource.pools}
    seconds = max(0.0, (at - gone.reserved_at).total_seconds())
    part = sum(n / capacity[key] for key, n in gone.replicas.items() if capacity.get(key))
    more = part * decayed_seconds(seconds, resource.share_half_life)
    before = resource.uses.get(gone.team, Use(at=at))
    total = before.decayed(at, resource.share_half_life) + more
    return {**resource.uses, gone.team: Use(at=at, seconds=total, waiting=before.waiting)}


def _after_release(
    backoffs: Mapping[PoolKey, Backoff], gone: Reservation, at: datetime
) -> dict[PoolKey, Backoff]:
    """What came free is worth a try soon; after a back-off that is over, refusals begin anew."""
    soon = at + SETTLING_BACKOFF
    rest = {key: b for key, b in backoffs.items() if key not in gone.replicas or b.until > at}
    return {
        key: replace(b, until=min(b.until, soon))
        if key in gone.replicas and b.reason is Reason.CAPACITY_REFUSED
        else b
        for key, b in rest.items()
    }


def _note(resource: Resource, noted: Reservation) -> Resource:
    """A start after a back-off that came to run ends the row of refusals."""
    before = resource.reservations.get(noted.token)
    if before is None:
        return resource
    changed = replace(resource, reservations={**resource.reservations, noted.token: noted})
    if before.running or not noted.running:
        return changed
    backoffs = {
        key: backoff
        for key, backoff in resource.backoffs.items()
        if key not in noted.replicas or backoff.until > noted.reserved_at
    }
    return replace(changed, backoffs=backoffs)


def _observe(resource: Resource, event: Observed) -> Resource:
    """Surplus counts only when two sweeps in a row saw it with no start or end between."""
    foreign = total(job.replicas for job in _foreign(resource, event))
    listed = total(job.replicas for job in event.listed)
    seen = {p.key: p.used - listed[p.key] for p in event.pools if p.used > listed[p.key]}
    before = resource.surplus_seen
    steady = event.reserved_before == resource.reservations.keys()
    confirmed = {}
    if steady and before is not None and before.epoch == resource.epoch:
        confirmed = {key: min(n, before.replicas[key]) for key, n in seen.items() if key in before.replicas}
    after = replace(
        resource,
        state=event.state,
        created=event.created,
        pools=event.pools,
        foreign=dict(foreign),
        surplus=confirmed,
        surplus_seen=Surplus(epoch=resource.epoch, replicas=seen) if steady else None,
        observed_at=event.at,
    )
    return metered(after, since=resource.observed_at)


def _foreign(resource: Resource, event: Observed) -> Iterable[Occupant]:
    """Whatever is listed and not reserved, now or when the listing was asked for: what was released in
    between has ended. One custom job per token is ours, the one that it is known to be, else the first; a
    token on a second one was copied, or sent twice.
    """
    reserved, found = event.reserved_before | resource.reservations.keys(), set()
    for job in event.listed:
        own = resource.reservations.get(job.token or "")
        is_other = own is not None and own.number is not None and job.number != own.number
        if job.token not in reserved or job.token in found or is_other:
            yield job
        else:
            found.add(job.token)


def _back_off(resource: Resource, event: SubmissionRefused) -> Resource:
    changed = {key: _next_backoff(resource, key, event) for key in event.pools}
    return replace(resource, backoffs={**resource.backoffs, **changed})


def _next_backoff(resource: Resource, key: PoolKey, event: SubmissionRefused) -> Backoff:
    """Longer for each refusal in a row; several at once are one, and one while a release settles is none."""
    last = resource.backoffs.get(key)
    if last is not None and event.at < last.until:
        return last
    step = last.step if last is not None and event.at - last.until < LONGEST_BACKOFF else 0
    released = resource.released_at.get(key)
    is_settling = released is not None and event.at - released < SETTLE
    if event.reason is Reason.CAPACITY_REFUSED and is_settling:
        return Backoff(until=event.at + SETTLING_BACKOFF, step=step)
    until = event.at + min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**step)
    return Backoff(until=until, step=min(step + 1, 10), reason=event.reason)


def _change(resource: Resource, event: Changed) -> Resource:
    open_ = resource.unannounced.get(event.key)
    first = min(open_.first, event.first) if open_ else event.first
    entry = Unannounced(first=first, last=event.last, at=event.at)
    return replace(resource, unannounced={**resource.unannounced, event.key: entry})


def _announce(resource: Resource, event: Announced) -> Resource:
    """What is announced is taken off either end of the range; a hole in its middle may be announced again."""
    open_ = resource.unannounced.get(event.key)
    if open_ is None:
        return resource
    rest = {key: entry for key, entry in resource.unannounced.items() if key != event.key}
    if event.first > open_.first and event.last >= open_.last:
        rest[event.key] = replace(open_, last=min(open_.last, event.first - 1))
    elif event.last < open_.last:
        first = max(open_.first, event.last + 1) if event.first <= open_.first else open_.first
        rest[event.key] = replace(open_, first=first)
    return replace(resource, unannounced=rest)
