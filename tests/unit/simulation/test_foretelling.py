"""Estimates hold what they say on workloads that nobody has seen."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from poolqueue.scheduling.policies import Ordering, Policy
from poolqueue.simulation.engine import simulate_policy
from poolqueue.simulation.foretelling import Foretelling, calibration
from poolqueue.simulation.workload import SimulatedJob, SimulatedPool, Workload, by_arrival

REPLICAS = 12


def workload(seed: int, jobs: int = 700) -> Workload:
    """Eight users, each with a usual run time, of minutes or hours. Busy, with bursts."""
    chance = random.Random(seed)
    users = [(f"u{n}", chance.lognormvariate(7, 1.2), chance.choice([1, 1, 2, 4])) for n in range(8)]
    made, now = [], 0.0
    for number in range(jobs):
        user, typical, size = chance.choice(users)
        runs = typical * chance.lognormvariate(0, 0.6)
        needs = ((0, size),)
        made.append(
            SimulatedJob(job_id=str(number), arrives=now, runs=runs, needs=needs, team="t", user=user)
        )
        load = sum(u[1] * u[2] for u in users) / len(users) / REPLICAS
        now += chance.expovariate(0.6 / load) if chance.random() < 0.8 else 0.0
    return Workload(pools=(SimulatedPool(id="p", replicas=REPLICAS),), jobs=by_arrival(made))


@pytest.mark.parametrize("ordering", [Ordering.PRIORITY, Ordering.EXPECTED])
def test_p50_covers_half_of_the_starts_and_p90_nine_in_ten(ordering) -> None:
    watch = Foretelling(every=timedelta(hours=1), most=3, effort=25_000)
    simulate_policy(workload(1, jobs=300), policy=Policy(ordering=ordering), name="x", watch=watch)
    its = calibration(watch.scores)

    assert its.scored > 60
    assert 0.4 <= its.covered[0] <= 0.6
    assert 0.82 <= its.covered[1] <= 0.97
