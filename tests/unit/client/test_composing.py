"""What is published of each kind of job, and what is refused before anything is."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from google.cloud.aiplatform import initializer

from poolqueue.client import RequestRefused
from poolqueue.client.composing import compose
from tests.unit.client.building import NOW
from tests.unit.messages.building import custom_job, paths

SPECS = [
    {
        "machine_spec": {"machine_type": "n1-standard-4"},
        "replica_count": 1,
        "container_spec": {"image_uri": "europe-docker.pkg.dev/p/r/train:1", "args": ["--lr=0.1"]},
    }
]


def composed(job: object, **settings: Any) -> dict[str, Any]:
    return dict(json.loads(compose(job, settings, now=NOW).data))


def refused(job: object, **settings: Any) -> list[str]:
    with pytest.raises(RequestRefused) as refusal:
        compose(job, settings, now=NOW)
    return paths(refusal.value.problems)


# --- dictionaries and text -------------------------------------------------------------------------------


def test_a_custom_job_goes_into_an_envelope_with_its_settings() -> None:
    job = custom_job()

    assert composed(job, job_id="j", priority=7) == {"custom_job": job, "job_id": "j", "priority": 7}


def test_a_spec_alone_is_a_custom_job_too() -> None:
    spec = custom_job()["jobSpec"]

    assert composed(spec, job_id="j") == {"custom_job": spec, "job_id": "j"}


def test_a_request_keeps_its_settings_and_takes_more() -> None:
    request = {"job_id": "j", "custom_job": custom_job()}

    assert composed(request, priority=7) == {**request, "priority": 7}
    assert "priority" not in request


def test_a_request_may_be_text_in_yaml() -> None:
    text = "job_id: j\ncustom_job: " + json.dumps(custom_job())

    assert composed(text) == composed(text.encode()) == {"job_id": "j", "custom_job": custom_job()}


def test_spans_and_times_may_be_those_of_python() -> None:
    deadline = datetime(2026, 11, 24, 6, tzinfo=UTC)

    body = composed(custom_job(), job_id="j", max_wait=timedelta(hours=8), deadline=deadline)

    assert (body["max_wait"], body["deadline"]) == (28_800, "2026-11-24T06:00:00+00:00")


def test_a_setting_of_none_is_left_out() -> None:
    assert composed(custom_job(), job_id="j", priority=None) == {"custom_job": custom_job(), "job_id": "j"}


def test_a_job_without_an_id_gets_one_from_its_name_and_the_time() -> None:
    job = {**custom_job(), "displayName": "ResNet: Ärger & more, much longer than forty characters"}

    first, second = (composed(job)["job_id"] for _ in range(2))

    assert first.startswith("resnet-rger-more-much-longer-than-fo-20261123-180000-")
    assert first != second


def test_all_that_is_wrong_is_told_before_anything_is_published() -> None:
    job = custom_job(scheduling={"timeout": "1h"})

    assert refused(job, job_id="J", prioritty=1) == [
        "prioritty",
        "job_id",
        "custom_job.jobSpec.scheduling.timeout",
    ]


def test_a_refusal_says_field_value_and_remedy() -> None:
    with pytest.raises(RequestRefused, match=r"priority is 101: is not a priority; give a whole number"):
        compose(custom_job(), {"priority": 101}, now=NOW)


def test_a_refusal_shows_no_value_of_the_environment() -> None:
    container = {"imageUri": "i", "env": [{"name": "TOKEN", "value": 123456}]}
    spec = {"machineSpec": {"machineType": "n1"}, "replicaCount": 1, "containerSpec": container}

    with pytest.raises(RequestRefused) as refusal:
        compose(custom_job(workerPoolSpecs=[spec]), {}, now=NOW)

    assert "123456" not in str(refusal.value)


def test_a_setting_that_differs_in_the_request_is_refused() -> None:
    assert refused({"job_id": "j", "custom_job": custom_job()}, job_id="other") == ["job_id"]


def test_a_time_without_a_zone_is_refused() -> None:
    assert refused(custom_job(), deadline=datetime(2026, 11, 24)) == ["deadline"]  # noqa: DTZ001


def test_text_that_is_no_mapping_is_refused() -> None:
    assert refused("[1, 2]") == ["message"]
    assert refused("a: [") == ["message"]


@pytest.mark.parametrize("job", [None, 7, ["x"], object()])
def test_what_is_no_job_is_a_type_error_that_says_what_is_one(job: object) -> None:
    with pytest.raises(TypeError, match=r"give an aiplatform\.CustomJob"):
        compose(job, {}, now=NOW)


def test_what_json_cannot_hold_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        compose(custom_job(labels={"a": object()}), {}, now=NOW)


def test_options_of_run_belong_to_a_custom_job_of_the_sdk() -> None:
    assert refused(custom_job(), service_account="sa@p.iam.gserviceaccount.com") == ["service_account"]


def test_the_digest_is_what_the_receiver_reckons() -> None:
    one = compose(custom_job(), {"job_id": "a"}, now=NOW)
    other = compose(custom_job(), {"job_id": "b"}, now=NOW)

    assert one.digest(project="p", location="l") == other.digest(project="p", location="l")
    assert one.digest(project="p", location="l") != one.digest(project="q", location="l")


# --- the SDK ---------------------------------------------------------------------------------------------


@pytest.fixture
def sdk() -> Any:
    """What `aiplatform.init` was given is forgotten afterwards."""
    aiplatform.init(
        project="my-project",
        location="europe-west4",
        staging_bucket="gs://staging",
        credentials=AnonymousCredentials(),
    )
    yield
    initializer.global_config.__init__()


def sdk_job(**more: Any) -> aiplatform.CustomJob:
    given = {"display_name": "resnet", "worker_pool_specs": SPECS, "persistent_resource_id": "gpu-a", **more}
    return aiplatform.CustomJob(**given)


@pytest.mark.usefixtures("sdk")
def test_a_custom_job_of_the_sdk_becomes_what_run_would_send() -> None:
    job = sdk_job(labels={"a": "b"}, base_output_dir="gs://out/here")

    body = composed(job, job_id="j")["custom_job"]

    assert body == {
        "displayName": "resnet",
        "labels": {"a": "b"},
        "jobSpec": {
            "persistentResourceId": "projects/my-project/locations/europe-west4/persistentResources/gpu-a",
            "baseOutputDirectory": {"outputUriPrefix": "gs://out/here"},
            "workerPoolSpecs": [
                {
                    "machineSpec": {"machineType": "n1-standard-4"},
                    "replicaCount": "1",
                    "containerSpec": {"imageUri": "europe-docker.pkg.dev/p/r/train:1", "args": ["--lr=0.1"]},
                }
            ],
        },
    }


@pytest.mark.usefixtures("sdk")
def test_what_run_takes_enqueue_takes() -> None:
    strategy = aiplatform.gapic.Scheduling.Strategy.SPOT if hasattr(aiplatform.gapic, "Scheduling") else 4

    spec = composed(
        sdk_job(persistent_resource_id=None),
        job_id="j",
        service_account="sa@p.iam.gserviceaccount.com",
        network="projects/1/global/networks/n",
        timeout=3600,
        restart_job_on_worker_restart=True,
        enable_web_access=True,
        tensorboard="projects/1/locations/l/tensorboards/2",
        disable_retries=True,
        persistent_resource_id="gpu-b",
        scheduling_strategy=strategy,
        max_wait_duration=0,
    )["custom_job"]["jobSpec"]

    del spec["workerPoolSpecs"], spec["baseOutputDirectory"]
    assert spec == {
        "persistentResourceId": "projects/my-project/locations/europe-west4/persistentResources/gpu-b",
        "serviceAccount": "sa@p.iam.gserviceaccount.com",
        "network": "projects/1/global/networks/n",
        "enableWebAccess": True,
        "tensorboard": "projects/1/locations/l/tensorboards/2",
        "scheduling": {
            "timeout": "3600s",
            "restartJobOnWorkerRestart": True,
            "disableRetries": True,
            "strategy": 4,
            "maxWaitDuration": "0s",
        },
    }


@pytest.mark.usefixtures("sdk")
def test_what_init_was_given_holds_as_for_run() -> None:
    aiplatform.init(service_account="init@p.iam.gserviceaccount.com", network="projects/1/global/networks/n")

    spec = composed(sdk_job(), job_id="j")["custom_job"]["jobSpec"]

    assert spec["serviceAccount"] == "init@p.iam.gserviceaccount.com"
    assert spec["network"] == "projects/1/global/networks/n"


@pytest.mark.usefixtures("sdk")
def test_two_equal_jobs_of_one_id_are_one_request_though_the_sdk_dates_their_output() -> None:
    first, second = (compose(sdk_job(), {"job_id": "j"}, now=NOW) for _ in range(2))

    assert first.data == second.data
    output = json.loads(first.data)["custom_job"]["jobSpec"]["baseOutputDirectory"]["outputUriPrefix"]
    assert output == "gs://staging/aiplatform-custom-job-j"


@pytest.mark.usefixtures("sdk")
def test_without_an_id_of_the_callers_the_output_keeps_its_date() -> None:
    spec = composed(sdk_job())["custom_job"]["jobSpec"]

    assert spec["baseOutputDirectory"]["outputUriPrefix"].startswith("gs://staging/aiplatform-custom-job-20")


@pytest.mark.usefixtures("sdk")
def test_a_project_that_is_known_by_number_only_leaves_the_resource_to_the_topic() -> None:
    spec = composed(sdk_job(project="123"), job_id="j")["custom_job"]["jobSpec"]

    assert spec["persistentResourceId"] == "gpu-a"


@pytest.mark.usefixtures("sdk")
def test_what_was_set_on_the_jobs_spec_is_kept() -> None:
    job = sdk_job()
    job.job_spec.reserved_ip_ranges = ["range"]

    assert composed(job, job_id="j")["custom_job"]["jobSpec"]["reservedIpRanges"] == ["range"]


@pytest.mark.usefixtures("sdk")
def test_a_custom_job_that_was_run_already_is_refused() -> None:
    job = sdk_job()
    job._gca_resource.name = "projects/1/locations/l/customJobs/2"

    with pytest.raises(RequestRefused, match="was run already"):
        compose(job, {}, now=NOW)


@pytest.mark.usefixtures("sdk")
@pytest.mark.parametrize("name", ["sync", "experiment", "experiment_run", "create_request_timeout"])
def test_arguments_of_run_that_mean_nothing_here_say_what_to_do_instead(name: str) -> None:
    with pytest.raises(RequestRefused, match=r"is not taken by enqueue; (leave it out|set job)"):
        compose(sdk_job(), {name: "x"}, now=NOW)


@pytest.mark.usefixtures("sdk")
def test_a_job_that_names_no_persistent_resource_is_refused() -> None:
    assert refused(sdk_job(persistent_resource_id=None)) == ["custom_job.jobSpec.persistentResourceId"]


@pytest.mark.usefixtures("sdk")
def test_another_kind_of_job_of_the_sdk_is_a_type_error() -> None:
    job = aiplatform.CustomContainerTrainingJob(display_name="t", container_uri="i")

    with pytest.raises(TypeError, match="CustomContainerTrainingJob cannot be enqueued"):
        compose(job, {}, now=NOW)
