"""Hazards of a job: what runs with its most specific key showed, and where those are few, the next one's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from poolqueue.scheduling.buckets import COUNT, bucket_of
from poolqueue.scheduling.evidence import Evidence, level_at
from poolqueue.scheduling.traits import Traits

UNKNOWN = [0.5] * COUNT  # before anything ran
TELLING_RUNS = 5  # so many similar runs are a basis to speak of
CLAIM_DEPTH = 4  # number of the claim's key, counted from that of all runs


class Fallback:
    """One step of the way from the least specific key to the most; `below` is the step before.

    Hazards are made anew when what they rest on has changed, and are otherwise the same list.
    `claim` is the bucket that the publishers of these runs claim, if this is the step of their claim. A claim
    counts as one run that lasted at least that long: it may make a job look longer, never shorter.
    """

    __slots__ = (
        "_all",
        "_below_seen",
        "_hazards",
        "_seen",
        "_version",
        "below",
        "claim",
        "depth",
        "key",
        "runs",
    )

    def __init__(
        self,
        key: str,
        depth: int,
        *,
        below: Fallback | None,
        claim: int | None,
        evidence: Mapping[str, Evidence],
    ) -> None:
        self.key = key
        self.depth = depth
        self.below = below
        self.claim = claim
        self._all = evidence
        self._seen: Evidence | None = None
        self._version = -1
        self._below_seen: Sequence[float] | None = None
        self._hazards: Sequence[float] = UNKNOWN

    def hazards(self) -> Sequence[float]:
        below = UNKNOWN if self.below is None else self.below.hazards()
        evidence = self._all.get(self.key)
        version = -1 if evidence is None else evidence.version
        if below is self._below_seen and evidence is self._seen and version == self._version:
            return self._hazards
        self._below_seen, self._seen, self._version = below, evidence, version
        self._hazards = self._made(below, evidence)
        return self._hazards

    def basis(self) -> tuple[int, int]:
        """How many similar runs were seen to end, and the depth of the most specific key that is telling."""
        evidence = self._all.get(self.key)
        runs = 0 if evidence is None else evidence.runs
        return (runs, self.depth) if runs >= TELLING_RUNS or self.below is None else self.below.basis()

    def _made(self, below: Sequence[float], evidence: Evidence | None) -> Sequence[float]:
        if self.claim is None:
            return below if evidence is None else evidence.hazards(below)
        if evidence is None:
            prior = level_at(self.depth).prior
            share = prior / (prior + 1.0)
            return [each * share if b < self.claim else each for b, each in enumerate(below)]
        claimed = evidence.copy(None)
        for bucket in range(self.claim):
            claimed.at_risk[bucket] += claimed.unit
        return claimed.hazards(below)


def steps_of(traits: Traits) -> list[tuple[str, int | None]]:
    """Key and claim of each step, from the least specific one; the first is of all runs."""
    keys = ["", *reversed(traits.keys)]
    steps: list[tuple[str, int | None]] = [(key, None) for key in keys]
    if traits.claimed is not None and len(keys) > CLAIM_DEPTH:
        steps[CLAIM_DEPTH] = (keys[CLAIM_DEPTH], bucket_of(1 << max(0, traits.claimed.bit_length() - 1)))
    return steps
