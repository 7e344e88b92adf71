"""Which pool a traced job goes to, and what is said of the jobs that are left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from poolqueue.simulation.placing import on_one_pool, on_pools
from poolqueue.simulation.pools_file import PoolsError, parse_pools, read_pools
from poolqueue.simulation.workload import Needs, SimulatedPool, TracedJob
from tests.unit.simulation.building import traced

SMALL = SimulatedPool(id="small", machine="a2-highgpu-1g", gpus=1, replicas=4)
LARGE = SimulatedPool(id="large", machine="a2-highgpu-8g", gpus=8, replicas=2)
POOLS = (LARGE, SMALL)


def placed(job: TracedJob) -> Needs | str:
    work = on_pools([job], POOLS)
    return work.jobs[0].needs if work.jobs else next(iter(work.left_out))


# --- one pool --------------------------------------------------------------------------------------------


def test_on_one_pool_gpus_are_the_replicas() -> None:
    work = on_one_pool([traced(gpus=8, replicas=2)], 8)

    assert work.jobs[0].needs == ((0, 8),)
    assert work.capacity == (8,)


def test_jobs_larger_than_the_pool_are_left_out_and_counted() -> None:
    work = on_one_pool([traced("a", gpus=9), traced("b", gpus=9), traced("c", gpus=1)], 8)

    assert [job.job_id for job in work.jobs] == ["c"]
    assert work.left_out == {"it needs more than 8 GPUs": 2}


def test_jobs_of_which_too_little_is_known_are_left_out() -> None:
    jobs = [traced("a"), traced("b", runs=None, gpus=1), traced("c", arrives=None, gpus=1)]

    assert on_one_pool(jobs, 8).left_out == {
        "its gpus are not known": 1,
        "its run_s or submit_s is not known": 2,
    }


def test_jobs_come_in_the_order_of_arrival_and_those_of_one_instant_as_they_were() -> None:
    jobs = [traced("c", 7, gpus=1), traced("b", 3, gpus=1), traced("a", 3, gpus=1)]

    assert [job.job_id for job in on_one_pool(jobs, 8).jobs] == ["b", "a", "c"]


# --- several pools ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "needs"),
    [
        (traced(replicas=2, gpus_per_replica=1), ((1, 2),)),
        (traced(replicas=2, gpus_per_replica=4), ((0, 2),)),
        (traced(replicas=2, gpus_per_replica=1, machine="a2-highgpu-8g"), ((0, 2),)),
        (traced(replicas=2, machine="large"), ((0, 2),)),
        (traced(replicas=3, gpus_per_replica=0), ((1, 3),)),
    ],
)
def test_a_job_goes_to_its_machine_or_to_the_smallest_that_serves_it(job: TracedJob, needs: Needs) -> None:
    assert placed(job) == needs


def test_a_pool_with_too_few_replicas_gives_way_to_a_larger_machine() -> None:
    pools = (SimulatedPool(id="few", gpus=1, replicas=1), SimulatedPool(id="many", gpus=2, replicas=9))

    assert on_pools([traced(replicas=3, gpus_per_replica=1)], pools).jobs[0].needs == ((1, 3),)


@pytest.mark.parametrize(
    ("job", "told"),
    [
        (traced(replicas=1, gpus_per_replica=16), "no pool has machines of 16 GPUs"),
        (traced(replicas=1, machine="n1-standard-4"), "no pool has machines n1-standard-4"),
        (traced(replicas=5, gpus_per_replica=1), "it needs more replicas than large or small has"),
        (traced(replicas=3, machine="large"), "it needs more replicas than large has"),
        (traced(replicas=1), "neither its machine nor its gpus_per_replica is known"),
        (traced(gpus_per_replica=1), "its replicas are not known"),
    ],
)
def test_a_job_that_fits_no_pool_is_left_out_with_the_reason(job: TracedJob, told: str) -> None:
    assert placed(job) == told


# --- the pools file --------------------------------------------------------------------------------------

LISTED = """
- {id: large, machine: a2-highgpu-8g, gpus: 8, replicas: 2}
- {id: small, machine: a2-highgpu-1g, gpus: 1, replicas: 4}
"""


def test_a_list_of_pools_is_read_and_one_under_a_heading_too() -> None:
    assert parse_pools(LISTED) == POOLS
    assert parse_pools("pools:" + LISTED.replace("\n-", "\n  -")) == POOLS


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- {id: a, gpus: 1}", "pools.0.replicas: Field required"),
        ("- {id: a, replicas: 1}", "pools.0.gpus: Field required"),
        ("- {id: a, gpus: 1, replicas: 0}", "pools.0.replicas: Input should be greater than or equal to 1"),
        ("- {id: a, gpus: 1, replicas: 1, disk: x}", "pools.0.disk: Extra inputs are not permitted"),
        ("[]", "pools: Tuple should have at least 1 item"),
        ("gpus", "pools: Input should be a valid tuple"),
        ("pool: []", "pool: Extra inputs are not permitted"),
        ("{", "is not YAML"),
        ("[{id: a, gpus: 1, replicas: 1}, {id: a, gpus: 2, replicas: 1}]", "two pools are called a"),
    ],
)
def test_what_is_wrong_with_a_pools_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "pools.yaml"
    path.write_text(text)

    with pytest.raises(PoolsError) as caught:
        read_pools(path)

    assert str(caught.value).startswith(str(path))
    assert told in str(caught.value)


def test_a_pools_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PoolsError, match="No such file or directory; give a readable YAML file"):
        read_pools(tmp_path / "none.yaml")
