"""All policies that can be simulated, by name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import partial

from poolqueue.scheduling.policies import Ordering, Policy
from poolqueue.simulation.baselines import BASELINES
from poolqueue.simulation.engine import simulate_policy
from poolqueue.simulation.run import Simulator


class PolicyName(StrEnum):
    """What `--policy` may be: our orderings, and what to compare them with."""

    FIFO = "fifo"
    PRIORITY = "priority"
    EXPECTED = "expected"
    STRICT_FIFO = "strict_fifo"
    BEST_EFFORT_FIFO = "best_effort_fifo"
    RETRY_BACKOFF = "retry_backoff"
    EASY = "easy"
    SHORTEST_FIRST = "shortest_first"


OURS: Mapping[str, Simulator] = {
    ordering.value: partial(simulate_policy, policy=Policy(ordering=ordering), name=ordering.value)
    for ordering in Ordering
}
USUAL = tuple(PolicyName(name) for name in OURS)

SIMULATORS: Mapping[str, Simulator] = {**OURS, **BASELINES}
