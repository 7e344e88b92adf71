from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
import yaml

from poolqueue.messages import BadRequest, WorkerPool, derived_job_id
from poolqueue.requests.naming import is_id
from tests.unit.messages.building import (
    CONTAINER,
    PACKAGE,
    accepted,
    custom_job,
    parse,
    paths,
    refused,
    with_container,
    worker_pool_spec,
)

SNAKE = {
    "display_name": "resnet",
    "job_spec": {
        "persistent_resource_id": "gpu-a",
        "worker_pool_specs": [
            {
                "machine_spec": {"machine_type": "n1-standard-4"},
                "replica_count": 1,
                "container_spec": {"image_uri": CONTAINER["imageUri"], "args": CONTAINER["args"]},
            }
        ],
    },
}


# --- forms -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "attributes"),
    [
        ({"job_id": "j", "priority": 60, "custom_job": custom_job()}, {}),
        ({"job_id": "j", "custom_job": custom_job()}, {"priority": "60"}),
        ({"job_id": "j", "priority": "60", "custom_job": SNAKE}, {"job_id": "j"}),
        (custom_job(), {"job_id": "j", "priority": "60"}),
        (SNAKE, {"job_id": "j", "priority": "60"}),
        (custom_job()["jobSpec"], {"job_id": "j", "priority": "60", "display_name": "resnet"}),
        (
            {"job_id": "j", "priority": 60, "display_name": "resnet", "custom_job": custom_job()["jobSpec"]},
            {"googclient_schemaencoding": "JSON", "traceparent": "00-x", "CloudPubSubDeadLetterX": "1"},
        ),
    ],
)
def test_every_form_of_one_request_is_the_same_request(message: dict, attributes: dict[str, str]) -> None:
    requests = [accepted(message, attributes), accepted(yaml.safe_dump(message), attributes)]

    assert requests == [accepted({"job_id": "j", "priority": 60, "custom_job": custom_job()})] * 2


def test_a_request_says_what_the_queue_needs_to_know() -> None:
    request = accepted(
        {
            "custom_job": custom_job(
                workerPoolSpecs=[
                    worker_pool_spec(diskSpec={"bootDiskType": "pd-ssd"}),
                    {},
                    {
                        "machineSpec": {
                            "machineType": "g2-standard-12",
                            "acceleratorType": 11,
                            "acceleratorCount": "1",
                        },
                        "replicaCount": "3",
                        "pythonPackageSpec": PACKAGE,
                    },
                ],
                scheduling={"timeout": "3600.5s"},
                serviceAccount="sa@p.iam.gserviceaccount.com",
                network="projects/1/global/networks/n",
            )
        }
    )

    assert (request.job_id, request.priority, request.display_name) == ("derived", 50, "resnet")
    assert (request.project, request.location, request.persistent_resource) == ("p", "europe-west4", "gpu-a")
    assert request.worker_pools == (
        WorkerPool(
            index=0,
            machine='{"machineType":"n1-standard-4"}',
            disk='{"bootDiskSizeGb":100,"bootDiskType":"pd-ssd"}',
            replicas=1,
        ),
        WorkerPool(
            index=2,
            machine='{"acceleratorCount":1,"acceleratorType":"NVIDIA_L4","machineType":"g2-standard-12"}',
            disk=None,
            replicas=3,
        ),
    )
    assert request.timeout_seconds == 3601
    assert request.service_account == "sa@p.iam.gserviceaccount.com"
    assert request.network == "projects/1/global/networks/n"
    assert request.images == (CONTAINER["imageUri"], PACKAGE["executorImageUri"])


def test_known_fields_reach_vertex_ai_unchanged() -> None:
    body = custom_job(
        scheduling={
            "timeout": "3600s",
            "restartJobOnWorkerRestart": True,
            "strategy": "SPOT",
            "disableRetries": False,
            "maxWaitDuration": "0s",
        },
        reservedIpRanges=["a", "b"],
        pscInterfaceConfig={"dnsPeeringConfigs": [{"domain": "d."}]},
        baseOutputDirectory={"outputUriPrefix": "gs://b/o"},
        tensorboard="projects/p/locations/l/tensorboards/1",
        enableWebAccess=True,
        experimentRun="r",
        models=["m"],
        workerPoolSpecs=[
            worker_pool_spec(
                replicaCount="1",
                diskSpec={"bootDiskType": "pd-ssd", "bootDiskSizeGb": 200},
                nfsMounts=[{"server": "s", "path": "/p", "mountPoint": "/m"}],
                machineSpec={
                    "machineType": "a3-highgpu-8g",
                    "acceleratorType": "NVIDIA_H100_80GB",
                    "acceleratorCount": 8,
                    "reservationAffinity": {
                        "reservationAffinityType": "SPECIFIC_RESERVATION",
                        "key": "k",
                        "values": ["v"],
                    },
                },
            ),
            {},
            worker_pool_spec(replicaCount="2"),
        ],
    ) | {"labels": {"a": "b"}, "encryptionSpec": {"kmsKeyName": "k"}}

    assert accepted(body).custom_job == body


def test_enums_become_names_int64_becomes_text_and_nulls_go() -> None:
    given = custom_job(
        scheduling={"strategy": 3, "timeout": "60.500s"},
        serviceAccount=None,
        workerPoolSpecs=[worker_pool_spec(replicaCount=1.0, diskSpec={"bootDiskSizeGb": "200"})],
    )

    spec = accepted(given).custom_job["jobSpec"]

    assert spec["scheduling"] == {"strategy": "STANDARD", "timeout": "60.5s"}
    assert "serviceAccount" not in spec
    assert spec["workerPoolSpecs"][0]["replicaCount"] == "1"
    assert spec["workerPoolSpecs"][0]["diskSpec"] == {"bootDiskSizeGb": 200}


def test_one_worker_pool_spec_may_stand_without_its_list_as_gcloud_takes_it() -> None:
    alone = accepted(custom_job(workerPoolSpecs=worker_pool_spec()))

    assert alone == accepted(custom_job())


def test_a_custom_job_without_a_display_name_is_named_after_its_job() -> None:
    request = accepted(custom_job()["jobSpec"], {"job_id": "j"})

    assert request.display_name == request.custom_job["displayName"] == "j"


def test_a_full_name_of_the_persistent_resource_says_project_and_location() -> None:
    full = accepted(
        custom_job(persistentResourceId="projects/q/locations/us-east1/persistentResources/gpu-b")
    )

    assert (full.project, full.location, full.persistent_resource) == ("q", "us-east1", "gpu-b")
    assert full.custom_job["jobSpec"]["persistentResourceId"] == "gpu-b"


def test_the_topics_own_resource_in_full_is_the_same_request() -> None:
    name = "projects/p/locations/europe-west4/persistentResources/gpu-a"

    assert accepted(custom_job(persistentResourceId=name)) == accepted(custom_job())


# --- digests ---------------------------------------------------------------------------------------------


def test_the_digest_leaves_out_the_job_id() -> None:
    assert accepted(custom_job(), {"job_id": "a"}).digest == accepted(custom_job(), {"job_id": "b"}).digest


@pytest.mark.parametrize(
    ("message", "attributes"),
    [
        (custom_job(), {"priority": "51"}),
        (custom_job(serviceAccount="sa@p.iam.gserviceaccount.com"), {}),
        (custom_job(persistentResourceId="gpu-b"), {}),
        (custom_job(persistentResourceId="projects/q/locations/l/persistentResources/gpu-a"), {}),
        ({**custom_job(), "labels": {"a": "b"}}, {}),
    ],
)
def test_other_content_has_another_digest(message: dict, attributes: dict[str, str]) -> None:
    assert accepted(message, attributes).digest != accepted(custom_job()).digest


def test_a_refusal_has_a_digest_of_what_came() -> None:
    first, same, other = (parse(b"[]", {"googclient_x": x}) for x in "112")
    different = parse(b"[ ]")

    assert first.digest == same.digest == other.digest != different.digest


# --- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "attributes", "job_id"),
    [
        (b"not a mapping", {}, None),
        (b"\xff", {"job_id": "j"}, "j"),
        (b"\xff", {"job_id": "Not An Id"}, None),
        (b"{}", {}, "derived"),
        (b'{"job_id": "j"}', {}, "j"),
        (b'{"job_id": "J"}', {}, None),
        (b'{"job_id": 7}', {}, None),
        (b"displayName: x", {"job_id": "j"}, "j"),
        (b"displayName: x", {"job_id": ""}, None),
    ],
)
def test_a_refusal_belongs_to_a_job_when_its_id_can_be_known(
    message: bytes, attributes: dict[str, str], job_id: str | None
) -> None:
    parsed = parse(message, attributes)

    assert isinstance(parsed, BadRequest)
    assert parsed.job_id == job_id


def test_all_problems_come_in_one_answer_each_told_once() -> None:
    problems = refused(
        {
            "job_id": "resnet",
            "prioritty": 1,
            "not_before": "2027-01-01",
            "team": "research",
            "custom_job": {
                "displayNane": "resnet",
                "state": "JOB_STATE_PENDING",
                "labels": {"Env": "prod"},
                "workerPoolSpecs": [],
                "jobSpec": {
                    "persistentResourceId": "GPU",
                    "scheduling": {"timeout": "1h", "strategy": "FAST"},
                    "workerPoolSpecs": [
                        {"replicaCount": 2, "machineSpec": [], "diskSpec": {"bootDiskSizeGb": 10}},
                        {"replicaCount": "two", "machineSpec": {"machineType": 4}},
                    ],
                },
            },
        }
    )

    first, second = (f"custom_job.jobSpec.workerPoolSpecs[{i}]" for i in range(2))
    assert sorted(paths(problems)) == sorted(
        [
            "prioritty",
            "not_before",
            "team",
            "custom_job.displayNane",
            "custom_job.state",
            "custom_job.labels.Env",
            "custom_job.workerPoolSpecs",
            "custom_job.jobSpec.persistentResourceId",
            "custom_job.jobSpec.scheduling.timeout",
            "custom_job.jobSpec.scheduling.strategy",
            f"{first}.replicaCount",
            f"{first}.machineSpec",
            f"{first}.diskSpec.bootDiskSizeGb",
            first,
            f"{second}.replicaCount",
            f"{second}.machineSpec.machineType",
            second,
        ]
    )
    assert all(problem.problem and problem.remedy for problem in problems)


def test_a_refusal_keeps_the_worker_pool_specs_that_pools_can_still_be_held_against() -> None:
    parsed = parse(
        custom_job(
            workerPoolSpecs=[
                worker_pool_spec(replicaCount=2),
                worker_pool_spec(machineSpec={"machineType": "n1", "acceleratorType": "NVIDIA_L5"}),
                worker_pool_spec(diskSpec={"bootDiskSizeGb": 1}),
                worker_pool_spec(machineSpec=7),
                worker_pool_spec(replicaCount=-1),
            ]
        )
    )

    assert isinstance(parsed, BadRequest)
    assert [(pool.index, pool.replicas) for pool in parsed.worker_pools] == [(0, 2), (4, 1)]


@pytest.mark.parametrize(
    ("message", "path", "remedy"),
    [
        ({**custom_job(), "displayname": "x"}, "custom_job.displayname", "did you mean displayName?"),
        ({**custom_job(), "job_id": "x"}, "custom_job.job_id", "put it in an envelope"),
        ({**custom_job(), "scheduling": {}}, "custom_job.scheduling", "put it in jobSpec"),
        ({"custom_job": custom_job(), "prority": 1}, "prority", "did you mean priority?"),
        (custom_job(zebra=1), "custom_job.jobSpec.zebra", "leave it out; known are"),
        (
            with_container(imageUrl="x"),
            "custom_job.jobSpec.workerPoolSpecs[0].containerSpec.imageUrl",
            "did you mean imageUri?",
        ),
        (
            custom_job(
                workerPoolSpecs=[
                    worker_pool_spec(machineSpec={"machineType": "n1", "acceleratorType": "NVIDIA_TESLA_T44"})
                ]
            ),
            "custom_job.jobSpec.workerPoolSpecs[0].machineSpec.acceleratorType",
            "did you mean NVIDIA_TESLA_T4?",
        ),
    ],
)
def test_what_is_not_known_is_named_with_what_was_meant(message: dict, path: str, remedy: str) -> None:
    told = {problem.path: problem.remedy for problem in refused(message)}

    assert remedy in told[path]


@pytest.mark.parametrize("key", ["name", "state", "createTime", "create_time", "error", "webAccessUris"])
def test_what_only_vertex_ai_sets_is_refused(key: str) -> None:
    (problem,) = refused({**custom_job(), key: "x"})

    assert problem.path == f"custom_job.{key}"
    assert problem.problem == "is set by Vertex AI and cannot be given"


def test_a_field_in_both_spellings_is_refused() -> None:
    (problem,) = refused({**custom_job(), "display_name": "resnet"})

    assert problem.path == "custom_job.displayName"
    assert "twice" in problem.problem


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("serviceAccount", 7, "is not a string"),
        ("network", True, "is not a string"),
        ("enableWebAccess", "yes", "is not true or false"),
        ("enableWebAccess", 1, "is not true or false"),
        ("reservedIpRanges", "a", "is not a list"),
        ("scheduling", [], "is not a mapping"),
        ("workerPoolSpecs", "x", "is not a list"),
    ],
)
def test_a_value_of_another_type_is_refused(field: str, value: object, problem: str) -> None:
    (told,) = refused(custom_job(**{field: value}))

    assert (told.path, told.problem) == (f"custom_job.jobSpec.{field}", problem)


@pytest.mark.parametrize(
    "timeout",
    [
        "1h",
        "60",
        60,
        "-5s",
        "1e3s",
        "315360001s",
        " 5s",
        "5 s",
        "s",
        "0s",
        "0.0s",
        "1.0123456789s",
        "9" * 40 + "s",
    ],
)
def test_a_bad_duration_is_refused(timeout: object) -> None:
    (problem,) = refused(custom_job(scheduling={"timeout": timeout}))

    assert problem.path == "custom_job.jobSpec.scheduling.timeout"


@pytest.mark.parametrize("replicas", ["01", "1.5", 1.5, True, [], "x", 2**63, -(2**70), "9" * 19])
def test_a_replica_count_that_is_no_int64_is_refused(replicas: object) -> None:
    specs = [worker_pool_spec(), worker_pool_spec(replicaCount=replicas)]

    (problem,) = refused(custom_job(workerPoolSpecs=specs))

    assert problem.path == "custom_job.jobSpec.workerPoolSpecs[1].replicaCount"


def test_values_of_env_are_never_shown() -> None:
    secret = "hunter2"
    env = [
        {"name": "A", "value": [secret]},
        {"name": "B", "Value": secret},
        {"name": "C", "value": 7234},
        {"name": "", "value": secret},
        secret,
    ]
    answers = [
        parse(with_container(env=env)),
        parse(with_container(env=secret)),
        parse(with_container(env={"A": secret})),
        parse(with_container(environment=[{"name": "A", "value": secret}])),
        parse(json.dumps(with_container(env=[{"name": "A", "value": secret}])) + "}"),
    ]

    assert all(isinstance(answer, BadRequest) for answer in answers)
    assert secret not in str([answer.problems for answer in answers])
    assert "7234" not in str(answers)


def test_values_are_shown_short_and_printable() -> None:
    (problem,) = refused(custom_job(persistentResourceId="a\n\x1b[31m\u202e" + "b" * 1_000))

    assert len(problem.value) <= 120
    assert problem.value.isprintable()


def test_a_message_full_of_mistakes_gets_a_short_answer() -> None:
    problems = refused({"custom_job": {f"displayNam{i}": i for i in range(10_000)}})

    assert len(problems) == 51
    assert problems[-1].problem == "there are more problems than are listed"


# --- ids -------------------------------------------------------------------------------------------------

PUBLISHED = datetime(2026, 11, 23, 17, 30, 1, 5, tzinfo=UTC)


def test_a_derived_job_id_is_an_id_and_stable() -> None:
    first = derived_job_id("projects/p/topics/t", "123", PUBLISHED)
    elsewhere = PUBLISHED.astimezone(timezone(timedelta(hours=9)))

    assert is_id(first)
    assert first.startswith("20261123-173001-")
    assert first == derived_job_id("projects/p/topics/t", "123", elsewhere)


@pytest.mark.parametrize(
    "other",
    [
        ("projects/p/topics/u", "123", PUBLISHED),
        ("projects/p/topics/t", "124", PUBLISHED),
        ("projects/p/topics/t", "123", PUBLISHED + timedelta(microseconds=1)),
    ],
)
def test_another_message_gets_another_job_id(other: tuple[str, str, datetime]) -> None:
    assert derived_job_id("projects/p/topics/t", "123", PUBLISHED) != derived_job_id(*other)
