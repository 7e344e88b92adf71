"""All policies that can be simulated, by name."""

from __future__ import annotations

from collections.abc import Mapping

from poolqueue.simulation.baselines import BASELINES
from poolqueue.simulation.run import Simulator

OURS: Mapping[str, Simulator] = {}

SIMULATORS: Mapping[str, Simulator] = {**OURS, **BASELINES}
DEFAULT = tuple(OURS or BASELINES)
