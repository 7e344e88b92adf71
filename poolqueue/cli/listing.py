"""Chooses from the jobs that were read those that one listing shows, and counts the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from poolqueue.scheduling.arrays import array_key
from poolqueue.scheduling.jobs import State
from poolqueue.viewing.views import JobView, ResourceView


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which jobs are asked for; `name` is a pattern as of file names, such as `nightly-*`."""

    team: str | None = None
    state: State | None = None
    name: str | None = None
    least_priority: int | None = None

    @property
    def is_members(self) -> bool:
        """Are members of arrays named, as by `sweep.*`? Only their ids have a dot."""
        return self.name is not None and "." in self.name

    def fits(self, job: JobView) -> bool:
        is_high = self.least_priority is None or (
            job.priority is not None and job.priority >= self.least_priority
        )
        is_named = self.name is None or fnmatchcase(job.job_id, self.name)
        return is_high and is_named and self.team in {None, job.team} and self.state in {None, job.state}


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`chosen` are all that were asked for, `shown` the first of those that hold replicas, of those that wait
    and of those that are held; `more` is how many are left out. `members` of arrays are not among them.
    """

    chosen: tuple[JobView, ...]
    shown: tuple[JobView, ...]
    more_holding: int = 0
    more_waiting: int = 0
    more_held: int = 0
    members: int = 0

    @property
    def more(self) -> int:
        return self.more_holding + self.more_waiting + self.more_held

    @property
    def waiting(self) -> tuple[JobView, ...]:
        """Those that there is a reason to tell of."""
        return tuple(
            job for job in self.chosen if job.position is not None or job.state in {State.QUEUED, State.HELD}
        )


def live_jobs(views: Sequence[ResourceView], wanted: Wanted, *, limit: int) -> Listing:
    """Up to `limit` jobs that hold replicas, as many that wait and as many that are held. An array is one of
    them, whatever becomes of its members, unless these are asked for.
    """
    keep = wanted.fits
    rows = (
        (*view.holding, *view.arrays) if wanted.is_members else (*_alone(view), *view.arrays)
        for view in views
    )
    holding = [job for each in rows for job in each if keep(job)]
    waiting = [job for view in views for job in view.waiting if keep(job)]
    held = [job for view in views for job in view.held if keep(job)]
    return Listing(
        chosen=(*holding, *waiting, *held),
        shown=(*holding[:limit], *waiting[:limit], *held[:limit]),
        more_holding=max(0, len(holding) - limit),
        more_waiting=max(0, len(waiting) - limit),
        more_held=max(0, len(held) - limit),
    )


def _alone(view: ResourceView) -> Iterator[JobView]:
    """Those with replicas that are not told of by the row of an array."""
    arrays = {job.key for job in (*view.waiting, *view.held, *view.arrays) if job.array is not None}
    return (job for job in view.holding if array_key(job.key) not in arrays)


def ended_jobs(jobs: Sequence[JobView], wanted: Wanted, *, resource: str | None, limit: int) -> Listing:
    """The first `limit` of those that ended last, without members of arrays unless these are asked for: there
    may be thousands.
    """
    found = [job for job in jobs if wanted.fits(job) and resource in {None, job.resource}]
    chosen = [job for job in found if wanted.is_members or array_key(job.key) is None]
    members = len(found) - len(chosen)
    return Listing(chosen=tuple(chosen), shown=tuple(chosen[:limit]), members=members)
