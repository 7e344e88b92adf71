"""What may be wrong with an installation, as its records show, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from poolqueue.config.settings import Timing
from poolqueue.records import ResourceName
from poolqueue.scheduling.jobs import job_key
from poolqueue.scheduling.pools import Reservation, Resource
from poolqueue.viewing.explained import job_name
from poolqueue.viewing.text import short_time

SWEEP_LATE = timedelta(minutes=3)
AHEAD = timedelta(seconds=5)
ANNOUNCED_WITHIN = timedelta(minutes=5)  # beside `announce_grace`: a sweep comes every minute
CANCELLED_WITHIN = timedelta(minutes=30)
NAMED = 3


class Verdict(StrEnum):
    """`odd` may be meant so; `bad` keeps the queue, or whoever looks at it, from working."""

    GOOD = "good"
    ODD = "odd"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at: what was found, and what to do about it if it is not good."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


def good(name: str, found: str) -> Check:
    return Check(name=name, verdict=Verdict.GOOD, found=found)


def bad(name: str, found: str, remedy: str) -> Check:
    return Check(name=name, verdict=Verdict.BAD, found=found, remedy=remedy)


def odd(name: str, found: str, remedy: str) -> Check:
    return Check(name=name, verdict=Verdict.ODD, found=found, remedy=remedy)


# --- what the resources' documents say -------------------------------------------------------------------


def sweeps(resources: Sequence[Resource], *, is_local: bool, now: datetime) -> Check:
    """Each sweep writes when it looked. One that is missing and waited for by nobody is not written."""
    seen = [each.observed_at for each in resources if each.observed_at is not None]
    remedy = (
        "is the local system running? make run"
        if is_local
        else "look at the scheduler job of the sweeps and at the log of the function swept; "
        "may it read the persistent resource?"
    )
    if not resources:
        return Check(
            name="sweeps",
            verdict=Verdict.UNKNOWN,
            found="no persistent resource is known yet: the first job that names one makes it known",
        )
    if not seen or now - max(seen) > SWEEP_LATE:
        last = f"the last one {short_time(now - max(seen))} ago" if seen else "there was none yet"
        return bad("sweeps", f"no sweep comes: {last}", remedy)
    late = [each for each in resources if _is_unseen(each, now)]
    if late:
        told = f"not seen for {short_time(SWEEP_LATE)}: {_named(_id(each) for each in late)}"
        return odd("sweeps", told, remedy)
    return good("sweeps", f"the last one {short_time(now - max(seen))} ago")


def _is_unseen(resource: Resource, now: datetime) -> bool:
    is_needed = bool(resource.reservations or resource.waiting)
    return is_needed and (resource.observed_at is None or now - resource.observed_at > SWEEP_LATE)


def clock(resources: Iterable[Resource], *, now: datetime) -> Check:
    """A record from the future; a clock that is ahead shows only in the server's time."""
    latest = max((each.observed_at for each in resources if each.observed_at is not None), default=None)
    if latest is not None and latest - now > AHEAD:
        told = f"this clock is at least {short_time(latest - now)} behind the functions'"
        return bad("clock", told, "set it by NTP: times and ages shown here are wrong")
    return good("clock", "no record is from the future")


def unresolved(resources: Iterable[Resource], timing: Timing, *, now: datetime) -> Check:
    """Submissions whose answer nobody knows, though sweeps ought to have settled them by now."""
    allowed = timing.call_timeout + timing.quiet_period + SWEEP_LATE
    found = [
        each
        for resource in resources
        for each in resource.reservations.values()
        if each.number is None and now - each.submit_by > allowed
    ]
    if not found:
        return good("submissions", "none is unresolved for long")
    told = f"{len(found):,} unresolved for more than {short_time(allowed)}: {_jobs(found)}"
    return bad(
        "submissions", told, "sweeps settle them: look at the log of swept for custom_job_not_observed"
    )


def cancels(resources: Iterable[Resource], *, now: datetime) -> Check:
    found = [
        each
        for resource in resources
        for each in resource.reservations.values()
        if each.cancelled_at is not None and now - each.cancelled_at > CANCELLED_WITHIN
    ]
    if not found:
        return good("cancels", "none lasts long")
    told = f"{len(found):,} asked for more than {short_time(CANCELLED_WITHIN)} ago go on: {_jobs(found)}"
    return odd("cancels", told, "Vertex AI has not ended them: look at them in its console")


def announcements(resources: Iterable[Resource], timing: Timing, *, now: datetime) -> Check:
    """Changes that are recorded and not published yet."""
    allowed = timing.announce_grace + ANNOUNCED_WITHIN
    found = [
        key
        for resource in resources
        for key, entry in resource.unannounced.items()
        if now - entry.at > allowed
    ]
    if not found:
        return good("outcomes", "no change waits long to be announced")
    told = f"{len(found):,} not published for {short_time(allowed)}: {_named(map(job_name, found))}"
    return bad(
        "outcomes", told, "may the functions publish to the outcomes' topic? Look for outcomes_not_published"
    )


def dependants(resources: Iterable[Resource], timing: Timing, *, now: datetime) -> Check:
    allowed = timing.announce_grace + ANNOUNCED_WITHIN
    found = [
        key for resource in resources for key, since in resource.unsettled.items() if now - since > allowed
    ]
    if not found:
        return good("dependants", "all know of the ends that they wait for")
    told = f"ended, and others that depend on it do not know: {_named(map(job_name, found))}"
    return bad("dependants", told, "sweeps tell them: look at the log of swept")


def resources_ready(resources: Iterable[Resource]) -> Check:
    """Those that somebody waits for, and that cannot take jobs."""
    found = [f"{_id(each)} is {each.state}" for each in resources if each.waiting and not each.is_ready]
    if not found:
        return good("resources", "all that jobs wait for are RUNNING")
    return odd(
        "resources", _named(found), "jobs wait until Vertex AI has it again; or move them (poolctl change)"
    )


def _jobs(reservations: Iterable[Reservation]) -> str:
    return _named(job_name(job_key(each.team, each.job_id)) for each in reservations)


def _id(resource: Resource) -> str:
    return ResourceName.from_full(resource.name).id


def _named(names: Iterable[str]) -> str:
    listed = [*names]
    more = len(listed) - NAMED
    return ", ".join(listed[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def of_records(
    resources: Sequence[Resource], timing: Timing, *, is_local: bool, now: datetime
) -> Iterator[Check]:
    """All that the resources' documents tell."""
    yield sweeps(resources, is_local=is_local, now=now)
    yield clock(resources, now=now)
    yield resources_ready(resources)
    yield unresolved(resources, timing, now=now)
    yield cancels(resources, now=now)
    yield announcements(resources, timing, now=now)
    yield dependants(resources, timing, now=now)
