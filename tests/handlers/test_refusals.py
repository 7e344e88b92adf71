from __future__ import annotations

import json

import pytest

from handlers import job_requested
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.support.installation import DISK, GPU, SMALL, Installation, pool, request, worker_pool_spec

TEAM = {"name": "research", "topics": ["job-requests"]}


def refusal(installation: Installation, job_id: str) -> dict:
    job = installation.job(job_id)
    assert (job.state, job.outcome) == (State.ENDED, Outcome.REJECTED)
    (last,) = [body for body in installation.outcomes(job_id) if body["state"] == "ended"]
    return last


def paths(body: dict) -> list[str]:
    return [problem["path"].removeprefix("custom_job.jobSpec.") for problem in body["problems"]]


# --- what no pool can run --------------------------------------------------------------------------------


def test_a_machine_that_no_pool_has_is_refused_and_told_what_there_is(installation: Installation) -> None:
    installation.ask(request("gpu", worker_pool_spec(machine=GPU)))

    told = refusal(installation, "gpu")
    assert told["reason"] == "no_matching_pool"
    assert paths(told) == ["workerPoolSpecs[0].machineSpec"]
    assert "n1-standard-4" in told["problems"][0]["problem"]
    assert not installation.events("custom_job_created")


def test_another_disk_is_refused_and_told_what_differs(installation: Installation) -> None:
    installation.ask(request("disk", worker_pool_spec(disk={**DISK, "bootDiskSizeGb": 500})))

    told = refusal(installation, "disk")
    assert paths(told) == ["workerPoolSpecs[0].diskSpec"]
    assert "100" in told["problems"][0]["problem"]


def test_more_replicas_than_the_pool_can_have_are_refused(installation: Installation) -> None:
    installation.ask(request("large", worker_pool_spec(), worker_pool_spec(replicas=2)))

    assert refusal(installation, "large")["reason"] == "above_capacity"


def test_all_that_is_wrong_is_told_in_one_answer_with_what_no_pool_can_run(
    installation: Installation,
) -> None:
    installation.ask(request("known"))  # by now the resource's pools are known

    bad = request("bad", worker_pool_spec(machine=GPU, replicas=2), job_spec={"enableWebAccess": "perhaps"})
    installation.ask(bad)

    told = refusal(installation, "bad")
    assert told["reason"] == "bad_request"
    assert {"workerPoolSpecs[0].replicaCount", "workerPoolSpecs[0].machineSpec"} <= set(paths(told))


def test_a_secret_of_env_appears_in_no_refusal(installation: Installation) -> None:
    container = {"imageUri": "demo/image", "env": [{"name": "TOKEN", "value": "s3cret-value"}]}
    installation.ask(request("bad", worker_pool_spec(containerSpec=container, machine=GPU), priority=101))
    installation.ask(request("worse", worker_pool_spec(containerSpec=container, machine=GPU)))

    said = b"".join(message.body for message in installation.publisher.messages)
    assert b"s3cret" not in said
    assert installation.outcomes("bad")
    assert installation.outcomes("worse")


# --- what the team may not have --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "job_spec", "path"),
    [
        ({"resources": ["other"]}, {}, "persistentResourceId"),
        ({"service_accounts": ["a@p"]}, {"serviceAccount": "b@p"}, "serviceAccount"),
        ({"networks": []}, {"network": "projects/1/global/networks/n"}, "network"),
        ({"image_prefixes": ["europe-docker.pkg.dev/"]}, {}, "workerPoolSpecs"),
        (
            {"max_timeout": "1h", "default_timeout": "1h"},
            {"scheduling": {"timeout": "3601s"}},
            "scheduling.timeout",
        ),
    ],
)
def test_what_a_team_may_not_have_is_refused(installing, allowed, job_spec, path) -> None:
    installation = installing(settings={"teams": [{**TEAM, **allowed}]})

    installation.ask(request("j", job_spec=job_spec))

    told = refusal(installation, "j")
    assert told["reason"] == "not_allowed"
    assert paths(told) == [path]
    assert not installation.events("custom_job_created")


@pytest.mark.parametrize("priority", [1, 51])
def test_a_priority_outside_the_teams_bounds_is_refused(installing, priority) -> None:
    installation = installing(settings={"teams": [{**TEAM, "priority": {"minimum": 2, "maximum": 50}}]})

    installation.ask(request("j", priority=priority))

    assert paths(refusal(installation, "j")) == ["priority"]


def test_what_a_team_may_have_is_not_refused(installing) -> None:
    team = {
        **TEAM,
        "resources": ["shared"],
        "service_accounts": ["a@p"],
        "image_prefixes": ["demo/"],
        "networks": [],
        "priority": {"maximum": 50},
        "max_timeout": "2h",
        "default_timeout": "1h",
    }
    installation = installing(settings={"teams": [team]})

    spec = {"serviceAccount": "a@p", "scheduling": {"timeout": "7200s"}}
    installation.ask(request("j", job_spec=spec, priority=50))

    assert installation.job("j").state is State.SUBMITTED


def test_an_allowed_id_in_another_project_or_region_is_not_the_allowed_resource(installing) -> None:
    installation = installing(settings={"teams": [{**TEAM, "resources": ["shared"]}]})
    elsewhere = f"projects/{installation.project}/locations/europe-west4/persistentResources/shared"

    installation.ask(request("j", job_spec={"persistentResourceId": elsewhere}))

    assert paths(refusal(installation, "j")) == ["persistentResourceId"]


def test_a_region_that_no_sweep_looks_at_is_refused_because_its_ends_would_never_be_seen(
    installation: Installation,
) -> None:
    elsewhere = "projects/demo-other/locations/us-central1/persistentResources/shared"

    installation.ask(request("j", job_spec={"persistentResourceId": elsewhere}))

    told = refusal(installation, "j")
    assert paths(told) == ["persistentResourceId"]
    assert "demo-other" in told["problems"][0]["value"]


def test_a_full_name_is_the_same_resource(installation: Installation) -> None:
    installation.ask(request("j", job_spec={"persistentResourceId": installation.name.full}))

    assert installation.job("j").state is State.SUBMITTED
    assert next(iter(installation.resource().reservations.values())).job_id == "j"


def test_a_full_name_may_stand_in_an_allow_list(installing, demo_project) -> None:
    full = f"projects/{demo_project}/locations/us-central1/persistentResources/shared"
    installation = installing(settings={"teams": [{**TEAM, "resources": [full]}], "resources": [full]})

    installation.ask(request("j"))

    assert installation.job("j").state is State.SUBMITTED


def test_the_installations_own_allow_list_binds_every_team(installing) -> None:
    installation = installing(settings={"resources": ["other"]})

    installation.ask(request("j"))

    assert refusal(installation, "j")["reason"] == "not_allowed"


# --- what reaches Vertex AI ------------------------------------------------------------------------------


def body_at_vertex(installation: Installation) -> dict:
    (created,) = installation.events("custom_job_created")
    return created


def test_the_teams_default_timeout_reaches_vertex_ai(installing) -> None:
    installation = installing(settings={"teams": [{**TEAM, "default_timeout": "90m"}]})

    installation.ask(request("j"))

    assert json.loads(installation.job("j").custom_job_body)["jobSpec"]["scheduling"] == {"timeout": "5400s"}


def test_a_requests_own_timeout_is_kept(installation: Installation) -> None:
    installation.ask(request("j", job_spec={"scheduling": {"timeout": "60s", "disableRetries": True}}))

    scheduling = json.loads(installation.job("j").custom_job_body)["jobSpec"]["scheduling"]
    assert scheduling == {"timeout": "60s", "disableRetries": True}


def test_a_custom_job_carries_the_publishers_labels_and_ours(installation: Installation) -> None:
    body = request("j")
    body["custom_job"]["labels"] = {"project": "seven"}

    installation.ask(body)

    assert body_at_vertex(installation)["labels"] == {
        "project": "seven",
        "pool_queue_installation": "testing",
        "pool_queue_token": installation.job("j").token,
        "pool_queue_team": "research",
        "pool_queue_job": "j",
    }


def test_a_disk_that_only_one_pool_can_mean_is_filled_in(installation: Installation) -> None:
    installation.ask(request("j", worker_pool_spec(disk=None)))

    assert installation.job("j").state is State.SUBMITTED


def test_a_missing_disk_that_several_pools_could_mean_is_refused(installing) -> None:
    large = {**DISK, "bootDiskSizeGb": 500}
    installation = installing(pools=[pool(id="small"), {**pool(id="large"), "disk_spec": large}])

    installation.ask(request("j", worker_pool_spec(disk=None)))

    told = refusal(installation, "j")["problems"][0]["problem"]
    assert "small" in told
    assert "large" in told


def test_a_job_on_two_pools_takes_replicas_of_both(installing) -> None:
    installation = installing(pools=[pool(SMALL, 1), pool(GPU, 3)])

    installation.ask(request("j", worker_pool_spec(), worker_pool_spec(machine=GPU, replicas=3)))

    assert installation.job("j").state is State.SUBMITTED
    (taken,) = installation.events("replicas_taken")
    assert sorted(demand["replicas"] for demand in taken["demands"]) == [1, 3]


def test_a_refusal_delivered_again_stays_one_refusal(installation: Installation) -> None:
    delivery = installation.ask(request("gpu", worker_pool_spec(machine=GPU)))

    job_requested.handle(installation.system, delivery)

    assert installation.job("gpu").reason is Reason.NO_MATCHING_POOL
    assert len([b for b in installation.outcomes("gpu") if b["state"] == "ended"]) == 1
