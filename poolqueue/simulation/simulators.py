"""All policies that can be simulated, by name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
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


def _ours(policy: Policy) -> Simulator:
    return partial(simulate_policy, policy=policy, name=policy.ordering.value)


OURS: Mapping[str, Simulator] = {ordering.value: _ours(Policy(ordering=ordering)) for ordering in Ordering}
USUAL = tuple(PolicyName(name) for name in OURS)

SIMULATORS: Mapping[str, Simulator] = {**OURS, **BASELINES}


def expected_with(*, firm_after: timedelta) -> Simulator:
    """`expected` with another longest wait before a job has a firm place."""
    return _ours(Policy(ordering=Ordering.EXPECTED, firm_after=firm_after))
