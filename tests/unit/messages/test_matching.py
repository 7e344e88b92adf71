from __future__ import annotations

import json

from poolqueue.messages import WorkerPool
from poolqueue.scheduling.matching import Assignment, Matched, MatchProblem, PoolSpec, match_pools
from poolqueue.scheduling.pools import PoolKey

PLAIN = '{"machineType":"n1-standard-4"}'
T4 = '{"acceleratorCount":1,"acceleratorType":"NVIDIA_TESLA_T4","machineType":"n1-standard-4"}'
SSD = '{"bootDiskSizeGb":100,"bootDiskType":"pd-ssd"}'
LARGE = '{"bootDiskSizeGb":500,"bootDiskType":"pd-ssd"}'


def pool(pool_id: str, machine: str = PLAIN, disk: str = SSD, capacity: int | None = 4) -> PoolSpec:
    return PoolSpec(id=pool_id, machine=machine, disk=disk, capacity=capacity)


def demand(index: int = 0, machine: str = PLAIN, disk: str | None = SSD, replicas: int = 1) -> WorkerPool:
    return WorkerPool(index=index, machine=machine, disk=disk, replicas=replicas)


def problem_of(demands: list[WorkerPool], pools: list[PoolSpec]) -> MatchProblem:
    match = match_pools(demands, pools)
    assert not isinstance(match, Matched)
    (problem,) = match
    return problem


def test_an_equal_machine_and_disk_match() -> None:
    match = match_pools([demand()], [pool("a"), pool("b", T4)])

    assert match == Matched(
        assignments=(Assignment(index=0, machine=PLAIN, disk=SSD),), demands=((PoolKey(PLAIN, SSD), 1),)
    )


def test_without_a_disk_the_only_disk_of_that_machine_is_filled_in() -> None:
    match = match_pools([demand(disk=None)], [pool("a", disk=LARGE), pool("b", T4)])

    assert isinstance(match, Matched)
    assert match.assignments == (Assignment(index=0, machine=PLAIN, disk=LARGE),)


def test_without_a_disk_two_pools_that_are_the_same_are_one() -> None:
    assert isinstance(match_pools([demand(disk=None)], [pool("a"), pool("b")]), Matched)


def test_without_a_disk_and_with_several_the_problem_names_them() -> None:
    problem = problem_of([demand(disk=None)], [pool("a"), pool("b", disk=LARGE)])

    assert problem.path == "custom_job.jobSpec.workerPoolSpecs[0].diskSpec"
    assert f"pool a has {SSD}; pool b has {LARGE}" in problem.problem


def test_replicas_of_specs_that_match_one_pool_add_up() -> None:
    demands = [demand(0), demand(1, T4, replicas=2), demand(3, disk=None, replicas=2)]

    match = match_pools(demands, [pool("a"), pool("b", T4)])

    assert isinstance(match, Matched)
    assert match.demands == ((PoolKey(T4, SSD), 2), (PoolKey(PLAIN, SSD), 3))
    assert [each.index for each in match.assignments] == [0, 1, 3]


def test_an_unknown_machine_is_told_with_what_each_pool_has_instead() -> None:
    asked = '{"acceleratorCount":2,"acceleratorType":"NVIDIA_TESLA_T4","machineType":"n1-standard-4"}'

    problem = problem_of([demand(machine=asked)], [pool("a"), pool("b", T4)])

    assert problem.path == "custom_job.jobSpec.workerPoolSpecs[0].machineSpec"
    assert "pool a has acceleratorCount none (asked: 2)" in problem.problem
    assert "pool b has acceleratorCount 1 (asked: 2)" in problem.problem
    assert "machineType" not in problem.problem


def test_another_disk_is_told_with_what_each_pool_of_that_machine_has() -> None:
    problem = problem_of([demand(index=2, disk=LARGE)], [pool("a"), pool("b", T4)])

    assert problem.path == "custom_job.jobSpec.workerPoolSpecs[2].diskSpec"
    assert "pool a has bootDiskSizeGb 100 (asked: 500)" in problem.problem
    assert "pool b" not in problem.problem


def test_a_resource_without_pools_says_so() -> None:
    assert problem_of([demand()], []).problem == "the persistent resource has no pools"


def test_more_replicas_than_all_such_pools_can_have_is_a_problem() -> None:
    pools = [pool("a"), pool("b"), pool("c", T4)]
    demands = [demand(0), demand(1, replicas=8)]

    problem = problem_of(demands, pools)

    assert problem.above_capacity
    assert problem.path == "custom_job.jobSpec.workerPoolSpecs[1].replicaCount"
    assert problem.problem == (
        "9 replicas of worker pool specs 0, 1 together are more than the 8 that pools a, b can have"
    )
    assert isinstance(match_pools([demand(0), demand(1, replicas=7)], pools), Matched)


def test_an_unconfirmed_maximum_refuses_nothing() -> None:
    assert isinstance(match_pools([demand(replicas=99)], [pool("a", capacity=None), pool("b")]), Matched)


def test_all_problems_come_at_once_and_translate_to_a_requests_problem() -> None:
    match = match_pools([demand(0, "{}"), demand(1, disk=LARGE), demand(2, replicas=5)], [pool("a")])

    assert not isinstance(match, Matched)
    assert [each.path.rsplit(".")[-1] for each in match] == ["machineSpec", "diskSpec", "replicaCount"]
    assert match[0].as_problem().path == match[0].path


def test_many_pools_are_not_all_listed() -> None:
    problem = problem_of([demand(machine="{}")], [pool(f"p{i}", json.dumps({"m": i})) for i in range(30)])

    assert "and 20 more" in problem.problem
