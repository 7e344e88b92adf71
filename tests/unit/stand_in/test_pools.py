"""Occupancy of pools: computed from what custom jobs hold."""

from __future__ import annotations

from infra.local.vertex import validation
from infra.local.vertex.pools import Demand, PersistentResource, ResourceKey, new_pools
from infra.local.vertex.settings import Autoscaling, PoolSettings


def fixed(machine_type: str = "n1-standard-4", *, replicas: int = 2, **disk: object) -> PoolSettings:
    return PoolSettings(machine_spec={"machineType": machine_type}, disk_spec=disk, replica_count=replicas)


def resource(*pools: PoolSettings) -> PersistentResource:
    key = ResourceKey(project="demo-x", location="us-central1", id="r")
    return PersistentResource(key=key, name="", pools=new_pools(pools))


def demand(of: PersistentResource, replicas: int, *, pool: int = 0) -> list[Demand]:
    return [Demand(kind=of.pools[pool].kind, replicas=replicas)]


def test_replicas_are_taken_and_come_back() -> None:
    it = resource(fixed(replicas=3))

    it.take("1", it.placement(demand(it, 2)) or {})

    assert it.used("n1-standard-4") == 2
    assert it.placement(demand(it, 2)) is None
    it.release("1")
    assert it.used("n1-standard-4") == 0


def test_a_job_gets_all_its_pools_or_none() -> None:
    it = resource(fixed(replicas=2), fixed("n1-standard-8", replicas=1))
    it.take("1", {"n1-standard-8": 1})

    assert it.placement([*demand(it, 1), *demand(it, 1, pool=1)]) is None


def test_pools_of_one_kind_serve_as_one() -> None:
    it = resource(fixed(replicas=2), fixed(replicas=2))

    assert it.placement(demand(it, 3)) == {"n1-standard-4": 2, "n1-standard-4-1": 1}


def test_an_autoscaled_pool_grows_with_use_and_shrinks_back() -> None:
    pool = PoolSettings(machine_spec={"machineType": "m"}, autoscaling=Autoscaling(min=1, max=4))
    it = resource(pool)
    assert it.pools[0].size == 1

    grew = it.take("1", it.placement(demand(it, 3)) or {})

    assert grew
    assert it.pools[0].size == 3
    it.release("1")
    assert it.pools[0].size == 1


def test_an_id_is_made_from_the_machine_if_none_is_given() -> None:
    machine = {"machineType": "n1-highmem-2", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1}

    it = resource(PoolSettings(machine_spec=machine, replica_count=1))

    assert it.pools[0].id == "n1-highmem-2-nvidia-tesla-t4-1"


def worker_pool_spec(machine_type: str = "n1-standard-4", *, replicas: int = 1, **disk: object) -> dict:
    spec = {"machineSpec": {"machineType": machine_type}, "replicaCount": str(replicas)}
    return {**spec, "diskSpec": disk} if disk else spec


def test_a_spec_without_a_disk_matches_on_the_machine_and_takes_the_first_pool() -> None:
    it = resource(fixed(bootDiskSizeGb=200), fixed(bootDiskSizeGb=300))

    (found,) = validation.demands([worker_pool_spec()], it)

    assert found.kind == it.pools[0].kind


def test_a_spec_with_a_disk_matches_the_equal_disk_only() -> None:
    it = resource(fixed(bootDiskSizeGb=200), fixed(bootDiskSizeGb=300))

    (found,) = validation.demands([worker_pool_spec(bootDiskType="pd-ssd", bootDiskSizeGb=300)], it)

    assert found.kind == it.pools[1].kind


def test_specs_of_one_kind_add_up_and_empty_ones_need_nothing() -> None:
    it = resource(fixed(replicas=5))

    (found,) = validation.demands([worker_pool_spec(), {}, worker_pool_spec(replicas=3)], it)

    assert found.replicas == 4
