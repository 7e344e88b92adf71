"""When each waiting job is expected to start and end, by running the real policy forward, again and again.

Each sample draws how long everything that runs or waits will take, and lets the policy decide on from now. It
takes nothing else to happen: no job arrives, no pool changes. How often that was wrong is learned from what
became of earlier forecasts, see `scorecard`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import NormalDist
from typing import Protocol

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.distributions import Distribution
from poolqueue.scheduling.estimates import Estimate, NoEstimate, WhyNot, rounded_out
from poolqueue.scheduling.forward import Course, run_forward
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import PoolKey, total
from poolqueue.scheduling.scorecard import UNCORRECTED, Correction
from poolqueue.scheduling.traits import Traits
from poolqueue.scheduling.turns import in_turn
from poolqueue.scheduling.verdicts import Wait
from poolqueue.scheduling.virtual_time import ALL_SLOTS
from poolqueue.scheduling.waiting import Waiting

JOBS_LIMIT = 200
LEAST_SAMPLES, MOST_SAMPLES = 20, 40
HORIZON = timedelta(days=7)
LAST = datetime.max.replace(tzinfo=UTC)
EVEN, LATE = 0.5, 0.9
LEAST_RUNS = 5
LEAST_SECONDS = 1.0

# Of the chance of run times, how much jobs that resemble one another most have in common: a hundred of a
# sweep's do not take their mean a hundred times over. docs/decisions/estimates.md
IN_COMMON = 0.5

# How much of what a job waits for may rest on fewer runs than its basis says.
THIN_PART = 0.1

# What a decision costs, in groups that wait: each one, one for so many attempts that run, and always some.
ATTEMPTS_PER_GROUP = 50
ALWAYS_GROUPS = 5
EFFORT = 150_000  # three to five seconds

_NORMAL = NormalDist()


class Chance(Protocol):
    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        """Normally distributed."""
        ...


ChanceOf = Callable[[int], Chance]
DistributionOf = Callable[[Traits], Distribution]
Estimates = dict[str, Estimate | NoEstimate]


def forecast(
    board: Board,
    *,
    now: datetime,
    run_time: DistributionOf,
    chance: ChanceOf,
    of: Collection[str] | None = None,
    correction: Correction = UNCORRECTED,
    effort: int = EFFORT,
) -> Estimates:
    """Estimates for the first `JOBS_LIMIT` waiting jobs in turn, or those of them with these keys; none for
    the others. `board` stays as it is. `chance(n)` is the source of chance of sample `n`: `random.Random`
    serves, which gives the same answer each time.

    An estimate's basis is the smaller of two numbers of runs: those that are similar to the job, and those
    that what it waits for rests on: what runs on its pools, or is expected to start there before it, but for
    a tenth of those replicas. Below `LEAST_RUNS` it is too thin.

    Of an array the start is that of its next member, the end that of its last one: where a sample is cut
    short before that has started, as many are taken to start in a time as did until then.

    `effort` bounds what is computed: as many samples as it allows, from `LEAST_SAMPLES` to `MOST_SAMPLES`,
    each cut short where it does not allow even the least number.
    """
    lines = _together(in_turn(board, now=now), board)
    chosen = {line.key: line for line in lines[:JOBS_LIMIT] if of is None or line.key in of}
    rest = [line.key for line in lines[JOBS_LIMIT:] if of is None or line.key in of]
    beyond: Estimates = dict.fromkeys(rest, NoEstimate(why=WhyNot.BEYOND_HORIZON))
    if not chosen:
        return beyond
    made = _Making(board, chosen, now=now, run_time=run_time, correction=correction)
    return {**made.run(chance, effort), **beyond}


def _together(lines: Iterable[Waiting], board: Board) -> list[Waiting]:
    """With each array once, where its first member is."""
    together = (line if line.of is None else board.arrays[line.of] for line in lines)
    return [*{line.key: line for line in together}.values()]


class _Making:
    """The making of one forecast for `lines`."""

    def __init__(
        self,
        board: Board,
        lines: dict[str, Waiting],
        *,
        now: datetime,
        run_time: DistributionOf,
        correction: Correction,
    ) -> None:
        self._board = board
        self._lines = lines
        self._now = now
        self._run_time = run_time
        self._correction = correction

    def run(self, chance: ChanceOf, effort: int) -> Estimates:
        decision = decide(self._board.copy(now=self._now), now=self._now, slots=ALL_SLOTS)
        if decision.obstacle is not None:
            none = NoEstimate(why=WhyNot.BLOCKED, reason=decision.obstacle.reason)
            return dict.fromkeys(self._lines, none)
        blocked = self._blocked(decision)
        open_ = self._lines.keys() - blocked.keys()
        if all(self._runs(self._lines[key].traits) < LEAST_RUNS for key in open_):
            return {**dict.fromkeys(self._lines, NoEstimate(why=WhyNot.THIN_BASIS)), **blocked}
        samples = self._samples(chance, effort, of=open_)
        bases = self._bases(samples[0].course)
        return {
            key: blocked.get(key) or self._estimate(line, samples, bases[key])
            for key, line in self._lines.items()
        }

    def _runs(self, traits: Traits) -> int:
        return self._run_time(traits).basis.runs

    def _blocked(self, decision: Decision) -> dict[str, NoEstimate]:
        """Those that lack what others than the queue hold, or keep closed, or that are refused."""
        waits = {wait.waiting.key: wait for wait in decision.waits() if wait.waiting.key in self._lines}
        found = {key: wait.reason for key, wait in waits.items() if self._lacks_what_others_hold(key, wait)}
        found |= {
            each.waiting.key: each.reason for each in decision.rejects if each.waiting.key in self._lines
        }
        return {key: NoEstimate(why=WhyNot.BLOCKED, reason=reason) for key, reason in found.items()}

    def _lacks_what_others_hold(self, key: str, wait: Wait) -> bool:
        resource, wanted = self._board.resource, self._board.group_of(self._lines[key]).wanted
        lasting = total([resource.foreign, resource.surplus])
        is_out_of_reach = any(n > self._board.capacity[pool] - lasting[pool] for pool, n in wanted)
        taken = wait.block.taken
        is_key_elsewhere = taken is not None and taken.is_elsewhere and taken.until is None
        is_closed = wait.reason in {Reason.DRAINED, Reason.TEAM_PAUSED}
        return is_out_of_reach or not wanted or is_key_elsewhere or is_closed

    # --- samples

    def _samples(self, chance: ChanceOf, effort: int, *, of: AbstractSet[str]) -> list[_Sample]:
        """As many as the effort allows, by what the first one took."""
        attempts = len(self._board.resource.reservations) // ATTEMPTS_PER_GROUP
        affordable = max(1, effort // (len(self._board.groups) + attempts + ALWAYS_GROUPS))
        first = self._sample(chance(0), affordable // LEAST_SAMPLES, of=of)
        number = affordable // first.course.decisions
        number = min(MOST_SAMPLES, max(LEAST_SAMPLES, number))
        of = of - _stuck(first.course, of)
        return [first, *(self._sample(chance(n), affordable // number, of=of) for n in range(1, number))]

    def _sample(self, chance: Chance, limit: int, *, of: Collection[str]) -> _Sample:
        draw = _Draw(chance, self._run_time)
        course = run_forward(
            self._board.copy(now=self._now),
            now=self._now,
            left=draw.left,
            of=of,
            limit=max(1, limit),
            horizon=self._now + HORIZON,
        )
        return _Sample(course=course, runs=draw.runs)

    def _bases(self, course: Course) -> dict[str, int]:
        """Of each of the jobs, if all start in the order of `course`."""
        before: dict[PoolKey, Counter[int]] = {pool.key: Counter() for pool in self._board.resource.pools}
        for reservation in self._board.resource.reservations.values():
            for pool, n in reservation.replicas.items():
                before.setdefault(pool, Counter())[self._runs(reservation.traits)] += n
        bases = {}
        for line in sorted(
            self._board.lines(), key=lambda line: (course.starts.get(line.key, LAST), line.key)
        ):
            runs, wanted = self._runs(line.traits), self._board.group_of(line).wanted
            if line.key in self._lines:
                waits_for = sum((before[pool] for pool, _ in wanted), Counter[int]())
                is_now = course.starts.get(line.key) == self._now
                bases[line.key] = runs if is_now else min(runs, _most_of(waits_for, default=runs))
            for pool, n in wanted:
                before[pool][runs] += n * line.count
        return bases

    # --- what they say

    def _estimate(self, line: Waiting, samples: Sequence[_Sample], basis: int) -> Estimate | NoEstimate:
        starts = sorted(sample.start(line.key, self._now) for sample in samples)
        p50, p90 = quantile(starts, EVEN), quantile(starts, LATE)
        if basis < LEAST_RUNS:
            return NoEstimate(why=WhyNot.THIN_BASIS)
        if math.isinf(p90):
            return _no_estimate(line.key, samples)
        ends = sorted(sample.end(line, self._now) for sample in samples)
        told = self._correction.corrected(p50, p90)
        start = rounded_out(*told, now=self._now)
        later = (quantile(ends, EVEN) + told[0] - p50, quantile(ends, LATE) + told[1] - p90)
        end = rounded_out(later[0], max(later), now=self._now)
        return Estimate(
            start_p50=start[0],
            start_p90=start[1],
            end_p50=end[0],
            end_p90=end[1],
            basis=basis,
            level=self._run_time(line.traits).basis.level,
            sampled=(p50, p90),
        )


@dataclass(frozen=True, kw_only=True)
class _Sample:
    """One course of things, and for how long each job ran that started in it."""

    course: Course
    runs: Mapping[str, float]

    def start(self, key: str, now: datetime) -> float:
        """Seconds from `now`; infinity if it does not start."""
        at = self.course.starts.get(key)
        return math.inf if at is None else (at - now).total_seconds()

    def end(self, line: Waiting, now: datetime) -> float:
        """Of an array, when its last member ends."""
        if not line.members:
            return self.start(line.key, now) + self.runs.get(line.key, 0.0)
        members = [line.nth(n).key for n in range(line.count)]
        seen = [self.start(key, now) + self.runs.get(key, 0.0) for key in members if key in self.runs]
        if not seen:
            return self.start(line.key, now)
        unseen = line.count - len(seen)
        return max(seen) + unseen * (self.course.until - now).total_seconds() / len(seen)


class _Draw:
    """Draws the run times of one sample. Those of jobs that resemble one another most go together."""

    def __init__(self, chance: Chance, run_time: DistributionOf) -> None:
        self._chance = chance
        self._run_time = run_time
        self._common: dict[object, float] = {}
        self.runs: dict[str, float] = {}

    def left(self, key: str, traits: Traits, elapsed: float) -> float:
        kind = traits.keys[0] if traits.keys else traits
        common = self._common.get(kind)
        if common is None:
            common = self._common[kind] = self._chance.gauss()
        own = self._chance.gauss()
        u = _NORMAL.cdf(math.sqrt(IN_COMMON) * common + math.sqrt(1 - IN_COMMON) * own)
        left = max(LEAST_SECONDS, self._run_time(traits).sample(u, elapsed) - elapsed)
        self.runs.setdefault(key, left)
        return left


def quantile(ordered: Sequence[float], chance: float) -> float:
    """The smallest of the values that one more draw stays within with this chance; infinity if none does."""
    place = math.ceil((len(ordered) + 1) * chance)
    return ordered[place - 1] if place <= len(ordered) else math.inf


def _no_estimate(key: str, samples: Sequence[_Sample]) -> NoEstimate:
    """Of a job that starts in too few samples."""
    if key in _stuck(samples[0].course, [key]):
        return NoEstimate(why=WhyNot.BLOCKED)
    if sum(key in sample.course.gone for sample in samples) > (1 - LATE) * len(samples):
        return NoEstimate(why=WhyNot.LIKELY_EXPIRES)
    return NoEstimate(why=WhyNot.BEYOND_HORIZON)


def _stuck(course: Course, keys: Iterable[str]) -> set[str]:
    """Those that do not start though nothing more would happen: no draw changes that."""
    if not course.is_over:
        return set()
    return {key for key in keys if key not in course.starts and key not in course.gone}


def _most_of(replicas: Counter[int], *, default: int) -> int:
    """The number of runs that all but `THIN_PART` of the replicas rest on at least."""
    few = THIN_PART * replicas.total()
    for runs, n in sorted(replicas.items()):
        few -= n
        if few < 0:
            return runs
    return default
