"""How Vertex AI's JSON objects become the values of ports.py."""

from datetime import UTC, datetime

import pytest

from poolqueue.adapters.vertex_views import custom_job_view, moment, resource_view, without_secrets
from poolqueue.ports import CustomJobState, ResourceState
from poolqueue.scheduling.specs import canonical_disk, canonical_machine

MACHINE = {"machineType": "g2-standard-8", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1}
NAME = "projects/608533675308/locations/us-central1/customJobs/3958704668489547776"


def custom_job(*worker_pool_specs, **changes):
    return {
        "name": NAME,
        "state": "JOB_STATE_PENDING",
        "jobSpec": {"workerPoolSpecs": worker_pool_specs},
        **changes,
    }


def pool(**changes):
    return {"id": "a", "machineSpec": MACHINE, "replicaCount": "4", **changes}


def only_pool(**changes):
    return resource_view({"state": "RUNNING", "resourcePools": [pool(**changes)]}).pools[0]


def test_demands_are_canonical():
    disk = {"bootDiskType": "pd-ssd"}
    view = custom_job_view(custom_job({"machineSpec": MACHINE, "diskSpec": disk, "replicaCount": "2"}))
    assert view.demands == ((canonical_machine(MACHINE), canonical_disk(disk), 2),)


def test_an_empty_worker_pool_spec_demands_nothing():
    view = custom_job_view(custom_job({"machineSpec": MACHINE, "replicaCount": "1"}, {}))
    assert len(view.demands) == 1


def test_a_worker_pool_spec_without_a_count_holds_one_replica():
    assert custom_job_view(custom_job({"machineSpec": MACHINE})).demands[0][2] == 1


def test_an_error_is_kept_without_secrets():
    spec = {"containerSpec": {"env": [{"name": "TOKEN", "value": "hunter22"}]}}
    error = {"code": 3, "message": "env TOKEN=hunter22 is bad"}
    view = custom_job_view(custom_job(spec, state="JOB_STATE_FAILED", error=error))
    assert (view.error_code, view.error) == (3, "env TOKEN=*** is bad")


def test_values_of_python_package_env_are_secrets_too_and_the_longest_goes_first():
    spec = {"pythonPackageSpec": {"env": [{"value": "pass"}, {"value": "password"}, {"value": "1"}]}}
    assert without_secrets("password 1 pass", custom_job(spec)) == "*** 1 ***"


@pytest.mark.parametrize("state", ["JOB_STATE_OF_TOMORROW", 77, None])
def test_a_state_that_is_not_known_is_not_terminal(state):
    view = custom_job_view(custom_job(state=state))
    assert view.state is CustomJobState.UNSPECIFIED
    assert not view.is_terminal


def test_times_are_aware_and_utc():
    assert moment("2026-11-23T10:00:00.123456789Z") == datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
    assert moment("2026-11-23T10:00:00+02:00") == datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.mark.parametrize("resource", ["gpu-a", "projects/p/locations/l/persistentResources/gpu-a"])
def test_the_persistent_resource_is_the_short_id(resource):
    view = custom_job_view({"name": NAME, "jobSpec": {"persistentResourceId": resource}})
    assert view.persistent_resource == "gpu-a"


def test_capacity_is_the_replica_count_without_autoscaling():
    assert only_pool().capacity == 4


def test_capacity_is_the_maximum_with_autoscaling():
    autoscaling = {"minReplicaCount": "1", "maxReplicaCount": "16"}
    assert only_pool(autoscalingSpec=autoscaling).capacity == 16


def test_replicas_in_use_are_nought_when_they_are_not_told():
    assert (only_pool().used, only_pool(usedReplicaCount="3").used) == (0, 3)


def test_a_pool_without_a_disk_has_only_the_certain_size():
    assert only_pool().disk == '{"bootDiskSizeGb":100}'


def test_a_resource_in_a_state_that_is_not_known_is_not_running():
    view = resource_view({"state": "HIBERNATING"})
    assert view.state is ResourceState.UPDATING
    assert "HIBERNATING" in view.error


def test_the_error_of_a_resource_is_kept():
    view = resource_view({"state": "ERROR", "error": {"code": 8, "message": "stock-out"}})
    assert (view.state, view.error) == (ResourceState.ERROR, "stock-out")
