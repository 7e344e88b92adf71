"""`python -m benchmarks.estimates TRACE CAPACITY`: replay a trace with learned run times, forecast on the
way, and tell how often the forecasts covered the real starts. Columns as for `poolctl simulate`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from poolqueue.scheduling.policies import Ordering, Policy
from poolqueue.scheduling.scorecard import Score
from poolqueue.simulation.engine import simulate_policy
from poolqueue.simulation.foretelling import Foretelling, calibration
from poolqueue.simulation.placing import on_one_pool
from poolqueue.simulation.trace import read_trace

BOUNDS = (600, 3600, 4 * 3600)  # seconds of what was told as p50


def main() -> None:
    asked = _asked()
    workload = on_one_pool(read_trace(asked.trace, needed=("gpus",)), asked.capacity)
    watch = Foretelling(every=timedelta(seconds=asked.every), most=asked.most)
    began = time.process_time()
    policy = Policy(ordering=asked.policy)
    simulate_policy(workload, policy=policy, name=asked.policy.value, watch=watch)
    print(f"{asked.trace.name} at {asked.capacity}, {asked.policy}: {time.process_time() - began:.0f} s CPU")
    print("without an estimate:", {why.value: n for why, n in watch.untold.items() if n})
    print("all:", _told(watch.scores))
    for low, high in zip((0, *BOUNDS), (*BOUNDS, float("inf")), strict=True):
        found = [each for each in watch.scores if low <= each.sampled[0] < high]
        print(f"p50 of {low} s to {high} s:", _told(found))
    if asked.save:
        asked.save.write_text("\n".join(_row(each) for each in watch.scores))


def _told(scores: Sequence[Score]) -> str:
    if not scores:
        return "none"
    its = calibration(scores)
    return (
        f"{its.scored} scored, covered {its.covered[0]:.1%} {its.covered[1]:.1%} "
        f"(uncorrected {its.uncorrected[0]:.1%} {its.uncorrected[1]:.1%}), medians: error {its.error:.0f} s, "
        f"wait {its.waited:.0f} s, p90 {its.p90:.0f} s"
    )


def _row(score: Score) -> str:
    return json.dumps({**asdict(score), "made": score.made.timestamp()})


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path)
    parser.add_argument("capacity", type=int)
    parser.add_argument("--policy", type=Ordering, default=Ordering.PRIORITY)
    parser.add_argument("--every", type=float, default=3600.0, help="seconds between forecasts")
    parser.add_argument("--most", type=int, default=6, help="new jobs that are forecast at a time")
    parser.add_argument("--save", type=Path, help="scores, a JSON line each")
    return parser.parse_args()


if __name__ == "__main__":
    main()
