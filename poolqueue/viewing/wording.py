"""What is said of jobs and pools, word for word the same in tables and in plain lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from poolqueue.dead_letters import DeadLetter
from poolqueue.scheduling.estimates import Estimate, NoEstimate, WhyNot
from poolqueue.scheduling.jobs import Reason, State
from poolqueue.scheduling.pools import Drain
from poolqueue.scheduling.problems import Problem
from poolqueue.viewing.terms import Elsewhere
from poolqueue.viewing.text import clock_time, safe, short_time, span_of_time
from poolqueue.viewing.views import Expected, JobView, PoolView, Progress, ResourceView

NAMES_SHOWN = 3
NAME_LIMIT = 80  # a refused namesake's id is longer than 63
NOTE_LIMIT = 160

POOL_COLUMNS = ("capacity", "reserved", "foreign", "surplus", "free", "waiting")


def name(value: str) -> str:
    return safe(value, limit=NAME_LIMIT)


def state(job: JobView) -> str:
    """The state, or how it ended."""
    return job.state.value if job.outcome is None else job.outcome.value


def shares(job: JobView) -> str:
    return ", ".join(f"{safe(share.pool, limit=40)} x{share.replicas}" for share in job.shares)


def priority(job: JobView) -> str:
    return "" if job.priority is None else str(job.priority)


def turn(job: JobView) -> str:
    """Its position among those that wait for its resource."""
    return "" if job.position is None else f"{job.position:,}"


def time(job: JobView) -> str:
    """How long it ran, or has had replicas, or has waited."""
    if job.state is State.ENDED and job.ran is None:
        return "never ran"
    return next((short_time(span) for span in (job.ran, job.held, job.waited) if span is not None), "")


def starts(job: JobView) -> str:
    """In how long a waiting job is expected to start: with a chance of one half, and of nine in ten."""
    match None if job.expected is None else job.expected.estimate:
        case Estimate() as it:
            assert job.expected is not None
            early, late = it.start_p50 - job.expected.as_of, it.start_p90 - job.expected.as_of
            return "now" if late <= timedelta() else span_of_time(early, late)
        case NoEstimate():
            return "no estimate"
        case None:
            return ""
        case unreachable:
            assert_never(unreachable)


_NO_ESTIMATE = {
    WhyNot.THIN_BASIS: "too few similar runs have ended",
    WhyNot.BLOCKED: "nothing that is known to happen lets it start",
    WhyNot.BEYOND_HORIZON: "later than anybody looks ahead",
    WhyNot.LIKELY_EXPIRES: "it may well expire before it starts",
}


def expected(of: Expected) -> str:
    """`to start in 1h00m to 2h30m (chances of 50% and 90%); from 12 similar runs`."""
    match of.estimate:
        case Estimate() as it:
            early, late = it.start_p50 - of.as_of, it.start_p90 - of.as_of
            when = "now" if late <= timedelta() else f"in {span_of_time(early, late)}"
            return f"to start {when} (chances of 50% and 90%); from {it.basis:,} similar runs"
        case NoEstimate(why=why):
            return f"no estimate: {_NO_ESTIMATE[why]}"
        case unreachable:
            assert_never(unreachable)


def basis(jobs: Iterable[JobView]) -> str | None:
    """What the estimates of these jobs rest on, and what they leave out."""
    found = [job.expected.estimate for job in jobs if job.expected is not None]
    runs = [each.basis for each in found if isinstance(each, Estimate)]
    if not runs:
        return None
    fewest, most = min(runs), max(runs)
    on = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    told = "starts: in so long with chances of 50% and 90%; later arrivals are not foreseen"
    return f"{told}; from {on} similar runs"


def reason(job: JobView) -> str:
    note = safe(job.note, limit=NOTE_LIMIT) + elsewhere(job)
    why = note if job.reason is None else f"{job.reason.value}: {note}" if note else job.reason.value
    return why if job.array is None else "; ".join(filter(None, (progress(job.array), why)))


def progress(array: Progress) -> str:
    """`12/1,000 ended, 8 at work, 1 failed`."""
    others = [f"{n:,} {outcome}" for outcome, n in array.ended.items() if outcome != "succeeded"]
    at_work = [f"{array.at_work:,} at work"] if array.at_work else []
    return ", ".join([f"{sum(array.ended.values()):,}/{array.size:,} ended", *at_work, *others])


def elsewhere(job: JobView) -> str:
    """`; or on gpu-b, or on any in 12m05s`: where else a waiting job may start, and how long until it may."""
    if job.state is not State.QUEUED or job.terms is None:
        return ""
    return "".join(f"; or on {_place(each, job.waited)}" for each in job.terms.alternatives)


def _place(place: Elsewhere, waited: timedelta | None) -> str:
    id_ = "any" if place.resource is None else name(place.resource.rsplit("/", 1)[-1])
    left = place.after - (waited or timedelta())
    return f"{id_} in {short_time(left)}" if left > timedelta() else id_


LETTER_COLUMNS = ("time", "topic", "bytes", "refused as", "problem")


def dead_letter(letter: DeadLetter) -> tuple[str, ...]:
    """In the order of `LETTER_COLUMNS`."""
    return (
        f"{letter.at:%Y-%m-%d %H:%M:%SZ}",
        safe(letter.topic.rsplit("/", 1)[-1], limit=NAME_LIMIT),
        str(letter.size),
        safe(letter.job or letter.command or "", limit=2 * NAME_LIMIT),
        _first(letter.problems),
    )


def _first(problems: Sequence[Problem]) -> str:
    if not problems:
        return ""
    more = len(problems) - 1
    told = f"{problems[0].path}: {problems[0].problem}" if problems[0].path else problems[0].problem
    return safe(told, limit=NOTE_LIMIT) + (f" … and {more} more" if more else "")


def pool_numbers(pool: PoolView) -> tuple[int, ...]:
    """In the order of `POOL_COLUMNS`."""
    return (pool.capacity, pool.reserved, pool.foreign, pool.surplus, pool.free, pool.waiting)


_REFUSED_FOR = {Reason.QUOTA: "quota", Reason.RESOURCE_NOT_READY: "not being ready"}


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing to say of a pool; a warning tells why it admits nothing."""

    text: str
    is_warning: bool = False


def facts(pool: PoolView, now: datetime) -> Iterable[Fact]:
    yield Fact(text=f"{safe(pool.machine, limit=120)}, {safe(pool.disk, limit=120)}")
    if pool.drained is not None:
        yield Fact(text=drained(pool.drained, now), is_warning=True)
    if pool.backoff is not None:
        why = _REFUSED_FOR.get(pool.backoff.reason, "capacity")
        until = clock_time(pool.backoff.until, now)
        yield Fact(text=f"left alone until {until}: Vertex AI refused a job for {why}", is_warning=True)
    if pool.holders:
        yield Fact(text=_holders(pool))


def drained(drain: Drain, now: datetime) -> str:
    author, why = safe(drain.author, limit=60), safe(drain.reason, limit=NOTE_LIMIT)
    return f"drained by {author} {short_time(now - drain.at)} ago: {why}"


def observed(view: ResourceView) -> str:
    return "not seen yet" if view.age is None else f"seen {short_time(view.age)} ago"


def whereabouts(view: ResourceView) -> str:
    return f"({safe(view.name.project, limit=60)}, {safe(view.name.location, limit=30)})"


def _holders(pool: PoolView) -> str:
    shown = [f"{name(f'{h.team}/{h.job_id}')} x{h.replicas}" for h in pool.holders[:NAMES_SHOWN]]
    more = len(pool.holders) - len(shown)
    return f"held by {', '.join(shown)}" + (f" … and {more:,} more" if more else "")
