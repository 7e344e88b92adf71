"""Persistent resources that are missing, not ready, made anew, resized; and those that others use too."""

from __future__ import annotations

import pytest

from poolqueue.ports import Created
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.support.installation import GPU, LOCATION, SMALL, Installation, pool, request, worker_pool_spec
from tests.support.soundness import check

TWO = (worker_pool_spec(), worker_pool_spec())


def waits(installation: Installation, job_id: str) -> str | None:
    """Why the job waits, as its latest outcome message says."""
    assert installation.job(job_id).state is State.QUEUED
    return installation.outcomes(job_id)[-1].get("reason")


def is_at_work(installation: Installation, job_id: str) -> bool:
    return installation.job(job_id).state in {State.SUBMITTED, State.RUNNING}


# --- states ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["PROVISIONING", "REBOOTING", "ERROR", "UPDATING", "STOPPING"])
def test_jobs_wait_until_their_resource_is_ready(installation: Installation, state: str) -> None:
    installation.stand_in.set_state(resource="shared", state=state)
    installation.ask(request("j"))
    assert waits(installation, "j") == "resource_not_ready"

    installation.stand_in.set_state(resource="shared", state="RUNNING")
    installation.sweep()

    assert is_at_work(installation, "j")


def test_jobs_wait_for_a_resource_that_does_not_exist_yet(installing, demo_project) -> None:
    installation = installing(persistent_resources=[])
    installation.ask(request("j"))
    assert waits(installation, "j") == "resource_missing"

    create_resource(installation)
    installation.sweep()

    assert is_at_work(installation, "j")


def create_resource(installation: Installation) -> None:
    """With one pool of two replicas, by the REST call; waits until it runs."""
    body = {
        "resourcePools": [
            {
                "machineSpec": SMALL,
                "diskSpec": {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100},
                "replicaCount": "2",
            }
        ]
    }
    path = f"{installation.name.parent}/persistentResources"
    installation.call("POST", f"{path}?persistentResourceId=shared", body)
    installation.wait(
        lambda: installation.system.observer.resource(installation.name.full).state == "RUNNING",
        "the persistent resource to run",
    )


def delete_resource(installation: Installation) -> None:
    installation.call("DELETE", installation.name.full)
    installation.wait(
        lambda: installation.system.observer.resource(installation.name.full).state == "MISSING",
        "the persistent resource to be deleted",
    )


def test_what_ran_on_a_deleted_resource_is_requeued_and_starts_once_it_is_made_anew(
    installation: Installation,
) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")
    delete_resource(installation)

    installation.sweep()
    assert installation.job("j").state is State.QUEUED
    assert installation.job("j").history[-1].reason is Reason.RESOURCE_DELETED

    create_resource(installation)
    installation.clock.advance(seconds=60)
    installation.sweep()
    assert is_at_work(installation, "j")
    check(installation, "j")


def test_the_log_line_of_a_job_that_its_resource_took_along_requeues_it_too(
    installation: Installation,
) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")
    delete_resource(installation)
    create_resource(installation)

    installation.wait(lambda: installation.log_lines, "the log line")
    installation.deliver_log_lines()

    assert Reason.RESOURCE_DELETED in [entry.reason for entry in installation.job("j").history]
    assert is_at_work(installation, "j")


def test_a_resource_found_not_ready_by_a_refusal_is_looked_at_again(installation: Installation) -> None:
    installation.ask(request("first"))
    installation.stand_in.set_state(resource="shared", state="REBOOTING")

    installation.ask(request("j"))

    assert waits(installation, "j") == "resource_not_ready"
    installation.stand_in.set_state(resource="shared", state="RUNNING")
    installation.clock.advance(seconds=60)
    installation.sweep()
    assert is_at_work(installation, "j")


def test_a_new_job_is_not_refused_on_old_news(installation: Installation) -> None:
    """The pool that it wants was added since the last look."""
    installation.ask(request("first"))
    installation.stand_in.change_pools(resource="shared", add=[pool(GPU, 1)])
    installation.clock.advance(seconds=91)

    installation.ask(request("j", worker_pool_spec(machine=GPU)))

    assert is_at_work(installation, "j")


# --- pools -----------------------------------------------------------------------------------------------


def test_a_pool_that_grows_admits_more_with_the_next_sweep(installation: Installation) -> None:
    installation.ask(request("a", *TWO))
    installation.ask(request("b"))

    installation.stand_in.change_pools(resource="shared", resize={pool_id(installation): 3})
    installation.sweep()

    assert is_at_work(installation, "b")


def pool_id(installation: Installation) -> str:
    return installation.system.observer.resource(installation.name.full).pools[0].id


def test_a_pool_that_shrinks_below_what_runs_on_it_admits_nothing_until_it_fits(
    installation: Installation,
) -> None:
    installation.ask(request("a"))
    installation.ask(request("b"))
    installation.stand_in.change_pools(resource="shared", resize={pool_id(installation): 1})
    installation.sweep()
    installation.ask(request("c"))

    installation.finish("a")
    assert waits(installation, "c") == "needs_replicas"

    installation.finish("b")
    assert is_at_work(installation, "c")


def test_a_pool_that_is_removed_makes_its_jobs_wait_with_the_reason(installing) -> None:
    installation = installing(pools=[pool(SMALL, 1, id="small"), pool(GPU, 1, id="gpu")])
    installation.ask(request("a", worker_pool_spec(machine=GPU)))
    installation.ask(request("b", worker_pool_spec(machine=GPU)))
    installation.stand_in.change_pools(resource="shared", remove=["gpu"])
    installation.sweep()

    installation.ask(request("c"))

    assert is_at_work(installation, "c")
    assert installation.job("b").state is State.QUEUED
    installation.stand_in.change_pools(resource="shared", add=[pool(GPU, 2, id="gpu")])
    installation.sweep()
    assert is_at_work(installation, "b")


def test_an_autoscaled_pool_counts_with_its_maximum(installing) -> None:
    scaled = {"autoscaling": {"min": 1, "max": 3}}
    pools = [{key: value for key, value in {**pool(), **scaled}.items() if key != "replica_count"}]
    installation = installing(pools=pools)

    installation.ask(request("j", worker_pool_spec(), worker_pool_spec(replicas=2)))

    assert is_at_work(installation, "j")
    assert installation.resource().pools[0].capacity == 3


def test_two_identical_pools_are_one(installing) -> None:
    installation = installing(pools=[pool(SMALL, 1, id="a"), pool(SMALL, 2, id="b")])

    installation.ask(request("two", *TWO))
    installation.ask(request("one"))
    installation.ask(request("late"))

    assert is_at_work(installation, "two")
    assert is_at_work(installation, "one")
    assert waits(installation, "late") == "needs_replicas"


# --- what others run -------------------------------------------------------------------------------------


def test_a_start_beside_a_busy_resource_counts_what_runs_there_already(installation: Installation) -> None:
    foreign = installation.submit_directly()

    installation.ask(request("large", *TWO))
    installation.ask(request("small"))

    assert waits(installation, "large") == "needs_replicas"
    assert is_at_work(installation, "small")
    assert installation.resource().foreign
    check(installation, "large", "small")
    assert foreign in {job.name for job in installation.alive()}


def test_the_end_of_somebody_elses_job_admits_without_a_sweep(installation: Installation) -> None:
    foreign = installation.submit_directly()
    installation.ask(request("large", *TWO))

    installation.wait(lambda: installation.state_of(foreign) == "RUNNING", "the foreign job to run")
    installation.end(foreign)
    installation.wait(lambda: installation.log_lines, "its log line")
    installation.deliver_log_lines()

    assert is_at_work(installation, "large")


def test_a_job_of_another_installation_counts_as_anybody_elses(installation: Installation) -> None:
    labels = {
        "pool_queue_installation": "other",
        "pool_queue_token": "t",
        "pool_queue_team": "research",
        "pool_queue_job": "large",
    }
    installation.submit_directly(labels=labels)

    installation.ask(request("large", *TWO))
    installation.sweep()

    assert waits(installation, "large") == "needs_replicas"
    assert len(installation.alive()) == 1


def test_a_job_on_another_resource_of_the_region_does_not_count(installing, demo_project) -> None:
    resources = [
        {"project": demo_project, "location": LOCATION, "id": id_, "pools": [pool()]}
        for id_ in ("shared", "other")
    ]
    installation = installing(persistent_resources=resources)
    body = request("f", job_spec={"persistentResourceId": "other"})["custom_job"]
    answer = installation.system.submitter.create(installation.name.parent, body, timeout_seconds=20)
    assert isinstance(answer, Created)

    installation.ask(request("large", *TWO))

    assert is_at_work(installation, "large")


def test_two_resources_have_queues_of_their_own(installing, demo_project) -> None:
    resources = [
        {"project": demo_project, "location": LOCATION, "id": id_, "pools": [pool(replicas=1)]}
        for id_ in ("shared", "other")
    ]
    installation = installing(persistent_resources=resources)

    installation.ask(request("a"))
    installation.ask(request("b", job_spec={"persistentResourceId": "other"}))

    assert is_at_work(installation, "a")
    assert is_at_work(installation, "b")


def test_replicas_that_no_listed_job_explains_count_when_two_sweeps_saw_them(
    installation: Installation,
) -> None:
    installation.submit_directly()
    installation.ask(request("small"))
    hide_from_listings(installation)

    installation.sweep()
    assert not installation.resource().surplus
    installation.sweep()

    assert sum(installation.resource().surplus.values()) == 1


def hide_from_listings(installation: Installation) -> None:
    """A job that holds replicas and that no listing shows, as those of other services are not."""
    world = installation.stand_in._world
    with world.timeline.lock:
        for job in world.jobs.values():
            if not job.body.get("labels"):
                job.project = "demo-hidden"


def test_a_listing_that_lags_behind_a_release_holds_nothing_up(installation: Installation) -> None:
    installation.ask(request("large", *TWO))
    installation.ask(request("next", *TWO))
    installation.wait_running("large")
    installation.stand_in.behave(listing_lag_seconds=30)
    installation.clock.advance(seconds=91)

    installation.finish("large")

    assert is_at_work(installation, "next")


def test_an_ended_job_keeps_its_outcome_though_its_resource_is_deleted_after(
    installation: Installation,
) -> None:
    installation.ask(request("j"))
    installation.finish("j")
    delete_resource(installation)
    installation.sweep()

    assert installation.job("j").outcome is Outcome.SUCCEEDED


def test_no_job_is_lost_where_one_commit_cannot_take_up_all(installation: Installation) -> None:
    """Jobs that came while nothing was confirmed are refused, or told what they lack, a few at a time."""
    installation.stand_in.set_state(resource="shared", state="REBOOTING")
    fit = [f"fits-{n}" for n in range(30)]
    never = [f"never-{n}" for n in range(30)]
    for job_id in fit:
        installation.ask(request(job_id, worker_pool_spec(), worker_pool_spec()))
    for job_id in never:
        installation.ask(request(job_id, worker_pool_spec(machine=GPU)))
    installation.stand_in.set_state(resource="shared", state="RUNNING")
    for _ in range(3):
        installation.sweep()

    assert {installation.job(job_id).outcome for job_id in never} == {Outcome.REJECTED}
    waiting = [job_id for job_id in fit if installation.job(job_id).state is State.QUEUED]
    assert installation.resource().waiting == len(waiting) == 29
