"""A simulation keeps to serial keys, as the queue does; the baselines know none."""

from __future__ import annotations

import pytest

from poolqueue.scheduling.serial_keys import Serial
from tests.unit.simulation.building import job, starts


@pytest.mark.parametrize("policy", ["fifo", "priority", "expected"])
def test_jobs_of_one_key_run_one_after_the_other_and_let_others_go_ahead(policy: str) -> None:
    serial = Serial(key="resnet")
    jobs = [
        job(0, 100, serial=serial, team="a"),
        job(1, 50, serial=serial, team="a"),
        job(2, 10, team="a"),
        job(3, 10, serial=serial, team="b"),
    ]

    assert starts(policy, *jobs) == [0, 100, 2, 3]


def test_a_baseline_knows_no_keys() -> None:
    serial = Serial(key="resnet")

    assert starts("strict_fifo", job(0, 100, serial=serial), job(1, 50, serial=serial)) == [0, 1]
