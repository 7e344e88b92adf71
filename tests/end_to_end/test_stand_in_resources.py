"""Persistent resources of the stand-in: over REST, and changed by its own commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform_v1.services.persistent_resource_service import PersistentResourceServiceClient
from google.cloud.aiplatform_v1.types import PersistentResource

from infra.local.vertex import StandIn
from tests.end_to_end.stand_in_support import (
    MACHINE,
    call,
    client,
    custom_job,
    events,
    parent,
    pool,
    start,
    states,
    wait_for_event,
    wait_for_state,
    worker_pool_spec,
)

SIMULATED = {"run_processes": False}


def resources(stand_in: StandIn) -> PersistentResourceServiceClient:
    return PersistentResourceServiceClient(
        transport="rest",
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=stand_in.endpoint),
    )


def create(stand_in: StandIn, project: str, **changes: Any) -> str:
    job = client(stand_in).create_custom_job(
        parent=parent(project), custom_job=custom_job(**changes), timeout=10
    )
    return job.name


def shared(stand_in: StandIn, project: str) -> PersistentResource:
    name = f"{parent(project)}/persistentResources/shared"
    return resources(stand_in).get_persistent_resource(name=name, timeout=10)


def test_a_resource_is_created_used_and_deleted(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, behaviour=SIMULATED) as stand_in:
        service = resources(stand_in)
        made = service.create_persistent_resource(
            parent=parent(demo_project),
            persistent_resource_id="made",
            persistent_resource={"resource_pools": [{"machine_spec": MACHINE, "replica_count": 3}]},
            timeout=10,
        ).result(timeout=10)
        job = create(stand_in, demo_project, job_spec={"persistent_resource_id": "made"})

        used = service.get_persistent_resource(name=made.name, timeout=10).resource_pools[0]
        service.delete_persistent_resource(name=made.name, timeout=10).result(timeout=10)

        assert made.state is PersistentResource.State.RUNNING
        assert (used.id, used.replica_count, used.used_replica_count) == ("n1-standard-4", 3, 1)
        assert states(stand_in, job)[-1] == "CANCELLED"
        listed = service.list_persistent_resources(parent=parent(demo_project), timeout=10)
        assert [each.name.rsplit("/", 1)[-1] for each in listed] == ["shared"]


def test_an_autoscaled_pool_grows_and_comes_back_at_its_minimum(tmp_path: Path, demo_project: str) -> None:
    scaled = {"machine_spec": MACHINE, "autoscaling": {"min": 1, "max": 4}}
    with start(tmp_path, demo_project, scaled, behaviour=SIMULATED) as stand_in:
        spec = {key: value for key, value in worker_pool_spec().items() if key != "disk_spec"}
        request = custom_job(spec, {**spec, "replica_count": 2})
        job = client(stand_in).create_custom_job(parent=parent(demo_project), custom_job=request, timeout=10)
        grown = shared(stand_in, demo_project).resource_pools[0]

        operation = resources(stand_in).reboot_persistent_resource(
            name=f"{parent(demo_project)}/persistentResources/shared", timeout=10
        )
        rebooting = events(stand_in, "resource_state")[0]["state"]
        back = operation.result(timeout=10)

        assert (grown.replica_count, grown.used_replica_count) == (3, 3)
        assert grown.autoscaling_spec.max_replica_count == 4
        assert rebooting == "REBOOTING"
        assert back.resource_pools[0].replica_count == 1
        wait_for_state(stand_in, job.name, "FAILED")


def test_a_grown_pool_lets_waiting_jobs_in(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, pool(1, id="only"), behaviour=SIMULATED) as stand_in:
        create(stand_in, demo_project)
        waiting = create(stand_in, demo_project)

        answer = call(stand_in, "POST", "stand-in/pools", json={"resource": "shared", "resize": {"only": 2}})

        assert answer.json()["resourcePools"][0]["replicaCount"] == "2"
        wait_for_state(stand_in, waiting, "RUNNING")
        assert wait_for_event(stand_in, "pools_changed")["pools"][0]["capacity"] == 2


def test_pools_are_added_removed_and_replaced(tmp_path: Path, demo_project: str) -> None:
    def ids() -> list[str]:
        return [each.id for each in shared(stand_in, demo_project).resource_pools]

    with start(tmp_path, demo_project, pool(1, id="a")) as stand_in:
        stand_in.change_pools(resource="shared", add=[pool(1, id="b")])
        assert ids() == ["a", "b"]
        stand_in.change_pools(resource="shared", remove=["a"])
        assert ids() == ["b"]
        stand_in.change_pools(resource="shared", pools=[pool(1, id="c")])
        assert ids() == ["c"]
        refused = call(stand_in, "POST", "stand-in/pools", json={"resource": "shared", "resize": {"x": 1}})
        assert refused.status_code == 400


def test_both_versions_of_the_api_are_served(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project) as stand_in:
        for version in ("v1", "v1beta1"):
            answer = call(stand_in, "GET", f"{version}/{parent(demo_project)}/persistentResources")
            assert len(answer.json()["persistentResources"]) == 1
