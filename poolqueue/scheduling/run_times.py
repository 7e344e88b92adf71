"""The learner of run times: it is told which runs start and how they end, and says how long others will take.

Per key of similarity it keeps, for buckets of run times, how many runs got there and how many ended in it:
a discrete-time hazard (Kaplan and Meier, 1958, on grouped data), to which runs that were cut and runs that
still go on contribute what is known of them. Earlier runs count less with each start. A key with few runs
says mostly what the next less specific one says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from typing import NamedTuple

from poolqueue.scheduling.buckets import COUNT, EDGES, bucket_of, part_of
from poolqueue.scheduling.distributions import Basis, Distribution
from poolqueue.scheduling.evidence import Evidence
from poolqueue.scheduling.fallback import Fallback, steps_of
from poolqueue.scheduling.traits import Traits

KEYS_LIMIT = 4_000
KEPT_SHARE = 0.9  # of the keys, when they have become too many
ALL_RUNS = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a run ended: after so many seconds, by itself, or because it was cut: cancelled, preempted or timed
    out. Then it would have taken longer.
    """

    traits: Traits
    seconds: float
    by_itself: bool = True


class Going(NamedTuple):
    """A run that goes on: its keys from the least specific one, the number of its start at each of them and
    in all, when it started, and the bucket that it has reached.
    """

    keys: tuple[str, ...]
    starts: tuple[int, ...]
    number: int
    since: float
    bucket: int = 0


class RunTimes:
    """Changes by `started`, `ended`, `dropped`, `learn` and `advance` alone. Times are seconds since 1970, or
    since any other beginning, and runs have names that are never used again.
    """

    def __init__(
        self,
        evidence: Iterable[tuple[str, Evidence]] = (),
        going: Mapping[str, Going] | None = None,
        *,
        keys_limit: int = KEYS_LIMIT,
    ) -> None:
        self.evidence: dict[str, Evidence] = dict(evidence)
        self.going: dict[str, Going] = dict(going or {})
        self._limit = keys_limit
        self._me = object()
        self._crossings = [(_crossing(run), token) for token, run in self.going.items()]
        heapify(self._crossings)
        self._steps: dict[tuple[tuple[str, int | None], ...], Fallback] = {}
        self._used = max((each.used for each in self.evidence.values()), default=0)

    def fork(self) -> RunTimes:
        """A copy that changes on its own; this one must not change after it."""
        return RunTimes(self.evidence.items(), self.going, keys_limit=self._limit)

    # --- what happens

    def started(self, token: str, traits: Traits, at: float) -> None:
        """A run started; a second time of the same one changes nothing."""
        if token in self.going:
            return
        going = self._start(traits, at)
        self.going[token] = going
        heappush(self._crossings, (_crossing(going), token))

    def ended(self, token: str, outcome: Outcome) -> None:
        """That run ended; one whose start was not told is learned all the same."""
        going = self.going.pop(token, None)
        self._end(going or self._start(outcome.traits, 0.0), outcome)

    def learn(self, outcome: Outcome) -> None:
        """A run that started and ended just now."""
        self._end(self._start(outcome.traits, 0.0), outcome)

    def dropped(self, token: str) -> None:
        """Nothing more will be known of that run; what it has lasted so far counts."""
        self.going.pop(token, None)

    def advance(self, now: float) -> None:
        """What goes on has lasted until `now`."""
        crossings = self._crossings
        while crossings and crossings[0][0] <= now:
            _, token = crossings[0]
            going = self.going.get(token)
            if going is None or going.bucket == COUNT - 1:
                heappop(crossings)
                continue
            going = self._cross(going, bucket_of(now - going.since))
            self.going[token] = going
            heapreplace(crossings, (_crossing(going), token))

    def _cross(self, going: Going, to: int) -> Going:
        keys, starts, number, since, bucket = going
        to = max(to, bucket + 1)
        for key, start in zip(keys, starts, strict=True):
            evidence = self._known(key, number)
            if evidence is not None:
                evidence.cross(start, bucket, to)
        return Going(keys, starts, number, since, to)

    def _start(self, traits: Traits, at: float) -> Going:
        self._used += 1
        keys = (ALL_RUNS, *reversed(traits.keys))
        starts = []
        for depth, key in enumerate(keys):
            evidence = self._known(key, self._used)
            if evidence is None:
                evidence = self.evidence[key] = Evidence(depth, self._me, since=self._used)
            evidence.used = self._used
            starts.append(evidence.start())
        if len(self.evidence) > self._limit:
            self._forget()
        return Going(keys, tuple(starts), self._used, at)

    def _end(self, going: Going, outcome: Outcome) -> None:
        bucket = bucket_of(outcome.seconds)
        part = 1.0 if outcome.by_itself else part_of(outcome.seconds, bucket)
        for key, start in zip(going.keys, going.starts, strict=True):
            evidence = self._known(key, going.number)
            if evidence is None:
                continue
            weight = evidence.end(start, going.bucket, bucket, part)
            if outcome.by_itself:
                evidence.ended[bucket] += weight
                evidence.runs += 1

    def _known(self, key: str, number: int) -> Evidence | None:
        """What there is to change, if it knows of the start with this number; it was not forgotten since.

        That of a fork's original is copied before it changes.
        """
        evidence = self.evidence.get(key)
        if evidence is None or evidence.since > number:
            return None
        if evidence.owner is not self._me:
            evidence = self.evidence[key] = evidence.copy(self._me)
        return evidence

    def _forget(self) -> None:
        """The keys that were not used for longest go, of those of one run the specific ones first."""
        by_use = sorted(self.evidence, key=lambda key: (self.evidence[key].used, -self.evidence[key].depth))
        for key in by_use[: len(by_use) - int(self._limit * KEPT_SHARE)]:
            del self.evidence[key]

    # --- what is asked

    def distribution(self, traits: Traits) -> Distribution:
        """How long such a job runs, from its start."""
        fallback = self.fallback_of(traits)
        runs, depth = fallback.basis()
        basis = Basis(runs=runs, level=len(traits.keys) - depth)
        return Distribution(fallback.hazards(), timeout=traits.timeout, basis=basis)

    def fallback_of(self, traits: Traits) -> Fallback:
        """The one object for all traits with the same keys and about the same claim."""
        path = tuple(steps_of(traits))
        found = self._steps.get(path)
        return found or self._step(path)

    def _step(self, path: tuple[tuple[str, int | None], ...]) -> Fallback:
        found = self._steps.get(path)
        if found is None:
            below = self._step(path[:-1]) if len(path) > 1 else None
            key, claim = path[-1]
            found = self._steps[path] = Fallback(
                key, len(path) - 1, below=below, claim=claim, evidence=self.evidence
            )
        return found


def _crossing(going: Going) -> float:
    """When it leaves its bucket, if it still goes on."""
    return going.since + EDGES[going.bucket + 1]
