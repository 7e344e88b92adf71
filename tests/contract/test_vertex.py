"""The Vertex AI adapter against the stand-in: every call, and every way in which an answer can be missing."""

import queue
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests.adapters
from google.cloud.aiplatform_v1 import CustomJob as CustomJobMessage
from google.protobuf import json_format

from infra.local.vertex import StandIn
from poolqueue.adapters.vertex import VertexAI
from poolqueue.log_lines import ended_line
from poolqueue.ports import (
    Created,
    CustomJobState,
    RefusalKind,
    Refused,
    ResourceState,
    Unanswered,
    VertexUnavailable,
)
from poolqueue.scheduling.endings import Ending, ending_of
from poolqueue.scheduling.specs import canonical_disk, canonical_machine

MACHINE = {"machineType": "n1-standard-4", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1}
DISK = {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100}
NEVER_ENDS = {"run_processes": False}
POOLS = [
    {"id": "fixed", "machine_spec": MACHINE, "disk_spec": DISK, "replica_count": 4},
    {
        "id": "scaled",
        "machine_spec": {"machineType": "e2-standard-4"},
        "disk_spec": {"bootDiskType": "pd-standard", "bootDiskSizeGb": 200},
        "autoscaling": {"min": 1, "max": 8},
    },
]


@pytest.fixture(autouse=True)
def no_request_without_a_timeout(monkeypatch):
    send = requests.adapters.HTTPAdapter.send

    def send_with_a_timeout(self, request, **settings):
        assert settings["timeout"] is not None, f"{request.method} {request.url} has no timeout"
        return send(self, request, **settings)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send_with_a_timeout)


@pytest.fixture
def stand_in(tmp_path, demo_project):
    resource = {"project": demo_project, "location": "us-central1", "id": "gpu-a", "pools": POOLS}
    with StandIn(tmp_path, [resource], behaviour=NEVER_ENDS) as running:
        yield running


@pytest.fixture
def vertex(stand_in):
    return VertexAI(endpoint=stand_in.endpoint, timeout_seconds=10)


@pytest.fixture
def parent(demo_project):
    return f"projects/{demo_project}/locations/us-central1"


def spec(replicas=1, **changes):
    task = {"containerSpec": {"imageUri": "image", "command": ["true"]}}
    return {"machineSpec": MACHINE, "diskSpec": DISK, "replicaCount": str(replicas), **task, **changes}


def body(*specs, resource="gpu-a", **changes):
    job_spec = {"workerPoolSpecs": list(specs or [spec()])}
    if resource:
        job_spec["persistentResourceId"] = resource
    return {"displayName": "tiny", "labels": {"pool_queue_token": "t1"}, "jobSpec": job_spec, **changes}


def create(vertex, parent, custom_job=None, *, timeout_seconds=10.0):
    return vertex.create(parent, custom_job or body(), timeout_seconds=timeout_seconds)


def created(vertex, parent, custom_job=None):
    answer = create(vertex, parent, custom_job)
    assert isinstance(answer, Created)
    return answer.custom_job


def until(happened, *, within_seconds=10.0):
    deadline = time.monotonic() + within_seconds
    while not (found := happened()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


def creates(stand_in):
    return [each for each in stand_in.journal() if each["event"] == "custom_job_created"]


def test_a_custom_job_is_created_and_found_again(vertex, parent):
    made = created(vertex, parent)
    found = until(lambda: (seen := vertex.custom_job(made.name)).started and seen)
    assert found.state is CustomJobState.RUNNING
    assert (found.display_name, found.persistent_resource) == ("tiny", "gpu-a")
    assert found.labels == {"pool_queue_token": "t1"}
    assert found.demands == ((canonical_machine(MACHINE), canonical_disk(DISK), 1),)
    assert timedelta(0) <= datetime.now(UTC) - found.created < timedelta(minutes=1)
    assert found.started.tzinfo is UTC
    assert found.ended is None


def test_names_have_the_project_number(vertex, parent, demo_project):
    made = created(vertex, parent)
    assert made.number.isdigit()
    assert demo_project not in made.name


def test_every_known_field_survives_the_way(vertex, parent, stand_in):
    env = [{"name": f"NAME_{number}", "value": f"value-{number}"} for number in range(3)]
    task = {
        "imageUri": "image",
        "command": ["python", "-m", "x"],
        "args": ["--lr=1", "$(NAME_1)"],
        "env": env,
    }
    affinity = {"reservationAffinityType": "ANY_RESERVATION"}
    given = {
        "displayName": "everything",
        "labels": {"a": "b", "pool_queue_token": "t2"},
        "encryptionSpec": {"kmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"},
        "jobSpec": {
            "workerPoolSpecs": [
                {
                    "machineSpec": {**MACHINE, "reservationAffinity": affinity},
                    "diskSpec": DISK,
                    "replicaCount": "1",
                    "containerSpec": task,
                    "nfsMounts": [{"server": "10.0.0.1", "path": "/x", "mountPoint": "y"}],
                },
                {},
                {
                    "machineSpec": MACHINE,
                    "replicaCount": "3",
                    "pythonPackageSpec": {
                        "executorImageUri": "image",
                        "packageUris": ["gs://b/p.tar.gz"],
                        "pythonModule": "m",
                        "args": ["-v"],
                        "env": env,
                    },
                },
            ],
            "scheduling": {
                "timeout": "3600s",
                "restartJobOnWorkerRestart": True,
                "strategy": "SPOT",
                "disableRetries": True,
                "maxWaitDuration": "1800.500s",
            },
            "serviceAccount": "sa@p.iam.gserviceaccount.com",
            "network": "projects/1/global/networks/n",
            "reservedIpRanges": ["range"],
            "baseOutputDirectory": {"outputUriPrefix": "gs://b/out"},
            "tensorboard": "projects/1/locations/l/tensorboards/2",
            "enableWebAccess": True,
            "enableDashboardAccess": True,
            "experiment": "e",
            "experimentRun": "r",
            "models": ["projects/1/locations/l/models/3"],
        },
    }
    made = created(vertex, parent, given)
    shown = requests.get(f"{stand_in.endpoint}/v1/{made.name}", timeout=10).json()
    assert {key: shown[key] for key in given} == given
    assert json_format.ParseDict(given, CustomJobMessage.pb(CustomJobMessage()))


def test_a_listing_has_all_pages_of_what_is_unfinished(vertex, parent, stand_in):
    made = [created(vertex, parent, body(resource=None)) for _ in range(110)]
    for each, state in zip(
        made, ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED"), strict=False
    ):
        stand_in.finish(custom_job=each.number, state=f"JOB_STATE_{state}")
    listed = vertex.unfinished(parent)
    assert {each.name for each in listed} == {each.name for each in made[5:]}
    assert len(listed) == 105


def test_a_listing_is_of_one_region(vertex, parent):
    created(vertex, parent)
    assert vertex.unfinished(parent.replace("us-central1", "europe-west4")) == []


def test_a_paused_custom_job_is_unfinished(vertex, parent, stand_in):
    made = created(vertex, parent)
    stand_in.finish(custom_job=made.number, state="JOB_STATE_PAUSED")
    assert [each.state for each in vertex.unfinished(parent)] == [CustomJobState.PAUSED]


def test_a_cancelled_custom_job_ends_as_cancelled(vertex, parent):
    made = created(vertex, parent)
    assert vertex.cancel(made.name) is True
    ended = until(lambda: (seen := vertex.custom_job(made.name)).is_terminal and seen)
    assert ended.error_code == 1
    assert ending_of(ended.state, ended.error_code, ended.error, ran=False) is Ending.CANCELLED


def test_there_is_nothing_to_cancel_or_read_where_no_custom_job_is(vertex, parent):
    assert vertex.cancel(f"{parent}/customJobs/1") is False
    assert vertex.custom_job(f"{parent}/customJobs/1") is None


def test_a_resource_shows_its_pools(vertex, parent):
    created(vertex, parent, body(spec(), spec(2)))
    view = vertex.resource(f"{parent}/persistentResources/gpu-a")
    fixed, scaled = view.pools
    assert (view.state, view.error) == (ResourceState.RUNNING, None)
    assert view.created.tzinfo is UTC
    assert (fixed.id, fixed.machine, fixed.disk) == (
        "fixed",
        canonical_machine(MACHINE),
        canonical_disk(DISK),
    )
    assert (fixed.capacity, fixed.used) == (4, 3)
    assert (scaled.id, scaled.capacity, scaled.used) == ("scaled", 8, 0)


@pytest.mark.parametrize("state", [state for state in ResourceState if state is not ResourceState.MISSING])
def test_a_resource_shows_its_state(vertex, parent, stand_in, state):
    stand_in.set_state(resource="gpu-a", state=state.value)
    assert vertex.resource(f"{parent}/persistentResources/gpu-a").state is state


def test_a_resource_that_is_not_there_is_missing(vertex, parent):
    assert vertex.resource(f"{parent}/persistentResources/nobody").state is ResourceState.MISSING


def test_a_full_pool_that_pends_accepts(vertex, parent):
    created(vertex, parent, body(spec(), spec(3)))
    assert created(vertex, parent).state in {CustomJobState.QUEUED, CustomJobState.PENDING}


def test_a_full_pool_that_rejects_is_a_capacity_refusal(vertex, parent, stand_in):
    stand_in.behave(over_capacity="reject")
    created(vertex, parent, body(spec(), spec(3)))
    assert create(vertex, parent).kind is RefusalKind.CAPACITY


def test_a_full_pool_that_fails_later_ends_for_capacity(vertex, parent, stand_in):
    stand_in.behave(over_capacity="fail")
    created(vertex, parent, body(spec(), spec(3)))
    made = created(vertex, parent)
    ended = until(lambda: (seen := vertex.custom_job(made.name)).is_terminal and seen)
    ran = ended.started is not None
    assert ending_of(ended.state, ended.error_code, ended.error, ran=ran) is Ending.CAPACITY


@pytest.mark.parametrize("state", ["JOB_STATE_FAILED", "JOB_STATE_CANCELLED"])
def test_a_custom_job_past_its_timeout_has_expired(vertex, parent, stand_in, state):
    stand_in.behave(timeout_state=state)
    made = body()
    made["jobSpec"]["scheduling"] = {"timeout": "0.050s"}
    name = created(vertex, parent, made).name
    ended = until(lambda: (seen := vertex.custom_job(name)).is_terminal and seen)
    assert ending_of(ended.state, ended.error_code, ended.error, ran=True) is Ending.EXPIRED


def test_the_log_line_of_an_end_names_its_custom_job(tmp_path, parent, demo_project):
    lines = queue.Queue()
    pools = {"project": demo_project, "location": "us-central1", "id": "gpu-a", "pools": POOLS}
    with StandIn(
        tmp_path, [pools], behaviour=NEVER_ENDS, publish=lambda body, attributes: lines.put(body)
    ) as stand_in:
        vertex = VertexAI(endpoint=stand_in.endpoint)
        made = created(vertex, parent)
        vertex.cancel(made.name)
        line = ended_line(lines.get(timeout=10))
    assert (line.project, line.job_number, line.text) == (demo_project, made.number, "Job cancelled.")


def test_a_resource_that_reboots_is_not_ready(vertex, parent, stand_in):
    stand_in.set_state(resource="gpu-a", state="REBOOTING")
    assert create(vertex, parent).kind is RefusalKind.NOT_READY


def test_a_missing_resource_is_not_ready(vertex, parent):
    assert create(vertex, parent, body(resource="nobody")).kind is RefusalKind.NOT_READY


@pytest.mark.parametrize(
    "custom_job",
    [
        body(spec(machineSpec={"machineType": "n1-standard-8"})),
        body(spec(diskSpec={"bootDiskType": "pd-standard"})),
        body(spec(), spec(99)),
        body(spec(2)),
        body(displayName=""),
        body(labels={"Bad": "Label"}),
    ],
    ids=["machine", "disk", "too many", "first count", "display name", "labels"],
)
def test_what_can_never_run_is_refused_for_good(vertex, parent, custom_job):
    refused = create(vertex, parent, custom_job)
    assert refused.kind is RefusalKind.TERMINAL
    assert "List of found errors" in refused.message


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"status": 400, "message": "bad"}, RefusalKind.TERMINAL),
        ({"status": 403, "message": "denied"}, RefusalKind.TERMINAL),
        ({"status": 404, "message": "not found"}, RefusalKind.NOT_READY),
        ({"status": 429, "message": "no room"}, RefusalKind.CAPACITY),
        ({"status": 429, "message": "quota metrics exceed quota limits: x"}, RefusalKind.QUOTA),
    ],
)
def test_an_injected_refusal_is_told_and_creates_nothing(vertex, parent, stand_in, error, kind):
    stand_in.behave(errors=[{"method": "CreateCustomJob", **error}])
    refused = create(vertex, parent)
    assert isinstance(refused, Refused)
    assert (refused.kind, error["message"] in refused.message) == (kind, True)
    assert creates(stand_in) == []


def test_too_many_requests_a_minute_are_a_matter_of_rate(vertex, parent, stand_in):
    stand_in.behave(quota={"submissions_per_minute": 1})
    created(vertex, parent)
    assert create(vertex, parent).kind is RefusalKind.RATE


@pytest.mark.parametrize("http_status", [409, 500, 503, 504])
def test_an_error_after_the_effect_is_unanswered_and_the_custom_job_is_there(
    vertex, parent, stand_in, http_status
):
    error = {"method": "CreateCustomJob", "status": http_status, "after_effect": True, "count": 1}
    stand_in.behave(errors=[error])
    assert isinstance(create(vertex, parent), Unanswered)
    assert [each.labels for each in vertex.unfinished(parent)] == [{"pool_queue_token": "t1"}]


def test_silence_is_unanswered_and_the_custom_job_is_there_once(vertex, parent, stand_in):
    stand_in.behave(never_answer={"CreateCustomJob": 1})
    assert isinstance(create(vertex, parent, timeout_seconds=0.3), Unanswered)
    assert [each.labels for each in vertex.unfinished(parent)] == [{"pool_queue_token": "t1"}]
    assert len(creates(stand_in)) == 1


def test_an_answer_later_than_the_timeout_is_unanswered(vertex, parent, stand_in):
    stand_in.behave(latency_seconds={"CreateCustomJob": 1.0})
    assert isinstance(create(vertex, parent, timeout_seconds=0.2), Unanswered)
    until(lambda: creates(stand_in))


@pytest.mark.parametrize("http_status", [429, 500, 503])
def test_a_read_that_fails_is_unavailable(vertex, parent, stand_in, http_status):
    stand_in.behave(errors=[{"status": http_status}])
    with pytest.raises(VertexUnavailable):
        vertex.unfinished(parent)
    with pytest.raises(VertexUnavailable):
        vertex.resource(f"{parent}/persistentResources/gpu-a")
