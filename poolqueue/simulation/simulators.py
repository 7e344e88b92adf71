"""All policies that can be simulated, by name."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from poolqueue.simulation.baselines import BASELINES
from poolqueue.simulation.run import Simulator


class PolicyName(StrEnum):
    """What `--policy` may be."""

    STRICT_FIFO = "strict_fifo"
    BEST_EFFORT_FIFO = "best_effort_fifo"
    RETRY_BACKOFF = "retry_backoff"
    EASY = "easy"
    SHORTEST_FIRST = "shortest_first"


USUAL = tuple(PolicyName)

SIMULATORS: Mapping[str, Simulator] = {**BASELINES}
