"""What a decision says of a job: it starts, waits, is refused for good, or its time is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.matching import Assignment, MatchProblem
from poolqueue.scheduling.pools import PoolKey
from poolqueue.scheduling.serial_keys import Taken
from poolqueue.scheduling.sharing import Maximum
from poolqueue.scheduling.waiting import Waiting


@dataclass(frozen=True, kw_only=True, slots=True)
class Overtaken:
    """A job with a planned start that another one goes ahead of, and by how many seconds that is expected to
    delay it: the mean of what it runs beyond the planned start, where it holds replicas that are needed then.
    """

    key: str
    start: datetime | None
    expected_delay: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Admit:
    """All its pools are free: `replicas` per pool, and which pool serves which worker pool spec. `passes`:
    it is surely short, and goes ahead of firm places.
    """

    waiting: Waiting
    replicas: Mapping[PoolKey, int]
    assignments: tuple[Assignment, ...]
    overtakes: tuple[Overtaken, ...] = ()
    passes: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Why jobs wait. `short_by`: replicas missing per pool; `until`: when time alone ends it; `ahead`: the
    key of the job whose planned `start` it would delay, or its own. `maximum`: what its team has and may
    have; `kept`: free replicas of the pool it lacks that other teams keep to themselves.
    `taken`: who has the job's serial key.
    `said`: the reason in words, where the numbers do not say it: `lacks`, names of pools with what is needed
    and what is free.
    """

    reason: Reason
    said: str = ""
    lacks: tuple[tuple[str, int, int], ...] = ()
    short_by: Mapping[PoolKey, int] = field(default_factory=dict)
    until: datetime | None = None
    ahead: str | None = None
    start: datetime | None = None
    maximum: Maximum | None = None
    kept: int = 0
    taken: Taken | None = None

    @property
    def note(self) -> str:
        """Put into words only for those who read it: a decision makes many of these."""
        if self.said:
            return self.said
        if self.taken:
            return self.taken.said
        if self.lacks:
            return "; ".join(f"{name}: needs {n}, {max(0, free)} free" for name, n, free in self.lacks)
        when = f", planned for {self.start:%Y-%m-%d %H:%M:%S}Z" if self.start else ""
        return f"it would delay the start of {self.ahead}{when}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """It stays in the queue. `has_pools`: it was held against confirmed pools, and they could run it."""

    waiting: Waiting
    block: Block
    has_pools: bool = False

    @property
    def reason(self) -> Reason:
        return self.block.reason

    @property
    def note(self) -> str:
        return self.block.note

    @property
    def until(self) -> datetime | None:
        return self.block.until

    @property
    def short_by(self) -> Mapping[PoolKey, int]:
        return self.block.short_by


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """It can never run here: refused for good, with all that is wrong."""

    waiting: Waiting
    reason: Reason
    problems: tuple[MatchProblem, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Expire:
    """Its time is over: it ends without having started."""

    waiting: Waiting
    reason: Reason
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Preempt:
    """The attempt of `token` is to be ended, so that the job `by` gets its replicas; `note` says why."""

    token: str
    key: str
    by: str
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Relocate:
    """It goes to the queue of the resource `to`: it can start there now, or is expected to at `start`; where
    it waits, at `instead`, if it is expected to start there at all.
    """

    waiting: Waiting
    to: str
    start: datetime | None = None
    instead: datetime | None = None


Verdict = Admit | Wait | Reject | Expire
