"""Where a job may run: alternatives, and a home that is chosen when the request arrives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handlers import job_requested
from poolqueue.records import ResourceName
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.support.installation import GPU, LOCATION, SMALL, Installation, pool, request, worker_pool_spec

Installing = Callable[..., Installation]


@pytest.fixture
def installation(installing: Installing, demo_project: str) -> Installation:
    """Two persistent resources: `a` has one small machine, `b` two and one with a GPU."""
    resources = [
        {"project": demo_project, "location": LOCATION, "id": "a", "pools": [pool(replicas=1)]},
        {"project": demo_project, "location": LOCATION, "id": "b", "pools": [pool(), pool(GPU, 1)]},
    ]
    return installing(persistent_resources=resources)


def key(installation: Installation, name: str) -> str:
    return ResourceName(project=installation.project, location=LOCATION, id=name).key


def ask_any(installation: Installation, job_id: str, *specs: dict[str, Any], **settings: Any) -> str:
    """Ask for any persistent resource; where the job's home came to be."""
    body = request(job_id, *specs, alternatives=["any"], **settings)
    del body["custom_job"]["jobSpec"]["persistentResourceId"]
    installation.ask(body)
    return ResourceName.from_key(installation.job(job_id).resource).id


def make_known(installation: Installation, *names: str) -> None:
    for name in names:
        installation.ask(request(f"first-on-{name}", job_spec={"persistentResourceId": name}))


def test_a_job_keeps_where_else_it_may_run(installation: Installation) -> None:
    alternatives = ["b", {"persistent_resource": "any", "after": "30m"}]
    installation.ask(request("j", alternatives=alternatives, job_spec={"persistentResourceId": "a"}))

    job = installation.job("j")
    assert job.resource == key(installation, "a")
    assert job.alternatives == (
        Alternative(resource=key(installation, "b")),
        Alternative(resource=None, after=1800),
    )


def test_the_first_alternative_is_the_home_of_a_request_that_names_none(installation: Installation) -> None:
    body = request("j", alternatives=["b", "a"])
    del body["custom_job"]["jobSpec"]["persistentResourceId"]
    installation.ask(body)

    job = installation.job("j")
    assert (job.resource, job.state) == (key(installation, "b"), State.SUBMITTED)
    assert job.alternatives == (Alternative(resource=key(installation, "a")),)


def test_any_is_where_it_fits_now_before_where_its_name_comes_first(installation: Installation) -> None:
    make_known(installation, "a", "b")

    assert ask_any(installation, "fits-b") == "b"
    assert installation.job("fits-b").state is State.SUBMITTED
    assert ask_any(installation, "fits-nowhere") == "a"
    installation.finish("first-on-a")
    installation.finish("fits-nowhere")
    assert ask_any(installation, "fits-a") == "a"


def test_any_is_where_the_pools_match(installation: Installation) -> None:
    make_known(installation, "a", "b")

    assert ask_any(installation, "gpu", worker_pool_spec(machine=GPU)) == "b"


def test_any_may_be_one_that_is_not_confirmed_if_none_is(installation: Installation) -> None:
    make_known(installation, "a", "b")
    installation.clock.advance(minutes=10)

    assert ask_any(installation, "gpu", worker_pool_spec(machine=GPU)) == "a"
    assert installation.job("gpu").reason is Reason.NO_MATCHING_POOL
    installation.sweep()
    installation.sweep()
    installation.run_asked_cycles()
    job = installation.job("gpu")
    assert (job.resource, job.state) == (key(installation, "b"), State.SUBMITTED)


def test_any_is_refused_while_none_is_known(installation: Installation) -> None:
    ask_any(installation, "early")

    job = installation.job("early")
    assert (job.outcome, job.reason) == (Outcome.REJECTED, "resource_missing")
    assert job.problems[0]["path"] == "alternatives[0]"
    assert "persistentResourceId" in job.problems[0]["remedy"]


def test_any_is_refused_where_none_has_such_a_pool(installation: Installation) -> None:
    make_known(installation, "a", "b")

    ask_any(installation, "huge", worker_pool_spec(machine={**SMALL, "machineType": "a3-megagpu-8g"}))

    job = installation.job("huge")
    assert (job.outcome, job.reason) == (Outcome.REJECTED, "no_matching_pool")
    assert "machineSpec" in job.problems[0]["path"]


def test_a_second_delivery_rings_where_the_first_put_the_job(installation: Installation) -> None:
    make_known(installation, "a", "b")
    body = request("j", alternatives=["any"])
    del body["custom_job"]["jobSpec"]["persistentResourceId"]
    delivery = installation.ask(body)
    home = installation.job("j").resource
    installation.finish("first-on-a")  # now another one would be chosen

    job_requested.handle(installation.system, delivery)

    assert installation.job("j").resource == home == key(installation, "b")


# --- what a team may use ---------------------------------------------------------------------------------


@pytest.fixture
def limited(installing: Installing, demo_project: str) -> Installation:
    resources = [
        {"project": demo_project, "location": LOCATION, "id": name, "pools": [pool()]} for name in "ab"
    ]
    teams = [
        {"name": "research", "topics": ["job-requests"], "resources": ["b"]},
        {"name": "other", "topics": ["job-requests.other"]},
    ]
    return installing(persistent_resources=resources, settings={"teams": teams})


def test_an_alternative_that_the_team_may_not_use_is_refused(limited: Installation) -> None:
    limited.ask(request("j", alternatives=["a"], job_spec={"persistentResourceId": "b"}))

    job = limited.job("j")
    assert (job.outcome, job.reason) == (Outcome.REJECTED, "not_allowed")
    assert [problem["path"] for problem in job.problems] == ["alternatives[0]"]


def test_an_alternative_in_a_region_that_is_not_swept_is_refused(limited: Installation) -> None:
    away = f"projects/{limited.project}/locations/asia-east1/persistentResources/b"
    limited.ask(request("j", alternatives=[away], job_spec={"persistentResourceId": "b"}))

    assert limited.job("j").reason == "not_allowed"


def test_any_is_one_that_the_team_may_use(limited: Installation) -> None:
    for name in "ab":
        body = request(f"first-on-{name}", job_spec={"persistentResourceId": name})
        limited.ask(body, topic="job-requests.other")

    assert ask_any(limited, "j") == "b"
