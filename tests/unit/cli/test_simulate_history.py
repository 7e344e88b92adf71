"""`poolctl simulate --history`: one's own jobs that ended, on one's own pools as they are or might be."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.cli.app import app
from poolqueue.cli.failures import Exit
from poolqueue.cli.past import Past, past_workload
from poolqueue.cli.session import Outside
from poolqueue.config import Environment
from poolqueue.records import ResourceName
from poolqueue.scheduling.jobs import Job, Outcome, State
from poolqueue.scheduling.traits import Traits
from poolqueue.viewing.ended import PAGE, ended_since
from tests.unit.cli.building import GPU, NAME, NOW, PROJECT, SMALL, demand, job, pool, resource, store

OTHER = replace(NAME, id="gpu-b")
HOUR = timedelta(hours=1)


def ended(job_id: str, *, asked: timedelta, ran: timedelta | None, at: datetime = NOW - HOUR, **more) -> Job:
    """A job that was asked for so long before its end, and that ran for the last of it."""
    return job(
        job_id,
        created=at - asked,
        state=State.ENDED,
        outcome=Outcome.CANCELLED if ran is None else Outcome.SUCCEEDED,
        inbox=False,
        started=None if ran is None else at - ran,
        ended=at,
        **more,
    )


def poolctl(documents: MemoryDocuments, *arguments: object, exit_code: int = Exit.DONE) -> Result:
    outside = Outside(
        environment=lambda: Environment(project=PROJECT), documents=lambda *_: documents, now=lambda: NOW
    )
    given = [*map(str, arguments)]
    policy = () if "--policy" in given else ("--policy", "strict_fifo")
    options = ("simulate", "--history", "30d", *policy, *given)
    ran = CliRunner().invoke(app, options, obj=outside)
    assert ran.exit_code == exit_code, ran.output
    return ran


def simulated(jobs: Iterable[Job], *arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(poolctl(store(resource(), jobs=jobs), *arguments, "--json").stdout)
    return found["strict_fifo"]


# Three jobs of an hour that were asked for at once, each on 2 of the pool's 4 replicas.
THREE = [ended(f"job-{n}", asked=3 * HOUR, ran=HOUR, demands=(demand(2),)) for n in range(3)]


# --- the workload ----------------------------------------------------------------------------------------


def test_what_ran_is_simulated_on_the_pools_as_they_are() -> None:
    found = simulated(THREE)

    assert found["jobs"] == 3
    assert found["max_wait_s"] == 3600
    assert found["makespan_s"] == 2 * 3600


def test_our_own_policies_run_over_years_in_which_nothing_was_asked_for() -> None:
    """What ran lies as long after the beginning of virtual time."""
    policies = [word for name in ("fifo", "priority", "expected") for word in ("--policy", name)]
    ran = poolctl(store(resource(), jobs=THREE), *policies, "--json")

    found = json.loads(ran.stdout)
    assert {name: each["max_wait_s"] for name, each in found.items()} == {
        "fifo": 3600,
        "priority": 3600,
        "expected": 3600,
    }


def test_a_pool_is_resized_by_any_of_its_ids() -> None:
    twins = resource(pools=(pool(SMALL, "small", "small-too", capacity=4),))
    ran = poolctl(store(twins, jobs=THREE), "--resize", "small-too=6", "--json")

    assert json.loads(ran.stdout)["strict_fifo"]["max_wait_s"] == 0


def test_the_replicas_that_would_have_kept_waits_short_are_found() -> None:
    found = simulated(THREE, "--find-replicas", "small", "--p90-wait", "30m")

    assert found["replicas"] == 6


def test_a_job_keeps_team_priority_claim_and_traits() -> None:
    traits = Traits(keys=("k",), timeout=60)
    wishes = {"priority": 7, "expected_run": 900, "traits": traits, "team": "vision"}
    past = Past(resource=resource(), jobs=(ended("a", asked=2 * HOUR, ran=HOUR, **wishes),))
    (found,) = past_workload(past, capacity=None, replicas={}).jobs

    assert (found.job_id, found.team, found.priority, found.requested) == ("a", "vision", 7, 900)
    assert found.traits == traits
    assert found.arrives == (NOW - 3 * HOUR).timestamp()
    assert found.runs == 3600


def test_a_job_needs_all_of_its_pools() -> None:
    both = ended("a", asked=HOUR, ran=HOUR, demands=(demand(2), demand(3, GPU, index=1)))
    work = past_workload(Past(resource=resource(), jobs=(both,)), capacity=None, replicas={})

    assert work.jobs[0].needs == ((0, 2), (1, 3))
    assert [(each.id, each.replicas) for each in work.pools] == [("small", 4), ("gpus", 8)]


def test_a_job_that_ran_on_more_than_there_is_now_runs_where_there_is_enough() -> None:
    large = (ended("a", asked=HOUR, ran=HOUR, demands=(demand(9),)),)
    past = Past(resource=resource(), jobs=large)

    assert past_workload(past, capacity=None, replicas={"small": 9}).jobs[0].needs == ((0, 9),)
    assert past_workload(past, capacity=None, replicas={}).left_out == {
        "it needs more replicas than small has": 1
    }


def test_what_cannot_be_simulated_is_counted_by_reason() -> None:
    never = ended("never", asked=HOUR, ran=None)
    gone = ended("gone", asked=HOUR, ran=HOUR, demands=(demand(1, GPU),))
    documents = store(resource(pools=(pool(),)), jobs=[*THREE, never, gone])
    told = poolctl(documents).stderr.splitlines()

    assert sorted(told) == [
        "left out 1 job: it never ran",
        "left out 1 job: there are no pools (any more) of the machines that it needs",
    ]


# --- reading ---------------------------------------------------------------------------------------------


def test_only_what_ended_in_the_span_counts() -> None:
    old = ended("old", asked=2 * HOUR, ran=HOUR, at=NOW - timedelta(days=31))

    assert simulated([*THREE, old])["jobs"] == 3


def test_every_page_is_read_once_and_none_is_missed() -> None:
    # Many end at one moment, so that a page ends among them.
    jobs = [ended(f"job-{n}", asked=HOUR, ran=HOUR, at=NOW - (n // 700) * HOUR) for n in range(2 * PAGE + 5)]
    found = [each.job_id for each in ended_since(store(jobs=jobs), NOW - timedelta(days=1))]

    assert len(found) == len(jobs)
    assert set(found) == {each.job_id for each in jobs}


def test_what_is_older_is_not_read_to_the_end() -> None:
    jobs = [ended(f"job-{n}", asked=HOUR, ran=HOUR, at=NOW - n * HOUR) for n in range(3 * PAGE)]
    documents = store(jobs=jobs)
    before = documents.counts.reads
    list(ended_since(documents, NOW - 10 * HOUR))

    assert documents.counts.reads - before == PAGE


def test_of_several_resources_one_must_be_chosen() -> None:
    elsewhere = ended("other", asked=HOUR, ran=HOUR, resource=OTHER.key)
    documents = store(resource(), jobs=[*THREE, elsewhere])
    told = poolctl(documents, exit_code=Exit.USAGE).stderr

    assert "give --resource, of" in told
    assert all(name.full in told.replace("\n", "") for name in (NAME, OTHER))
    for chosen in (NAME.id, NAME.full):
        found = json.loads(poolctl(documents, "--resource", chosen, "--json").stdout)
        assert found["strict_fifo"]["jobs"] == 3


@pytest.mark.parametrize(
    ("documents", "options", "told"),
    [
        (store(), (), "no job has ended in that time: give a longer --history"),
        (store(), ("--resource", "gpu-a"), "no job has ended at gpu-a in that time"),
        (store(jobs=THREE), (), "the pools of gpu-a are not known (any more)"),
    ],
)
def test_without_jobs_or_pools_it_is_refused(documents: MemoryDocuments, options: Any, told: str) -> None:
    assert told in poolctl(documents, *options, exit_code=Exit.REFUSED).stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--pools", "pools.yaml"), "--pools goes with a trace: with --history, give --resize POOL=N"),
        (("--capacity", 9), "--capacity is for a single pool: give --resize POOL=N"),
        (("--resize", "tpus=9"), "there is no pool tpus; the pools are small, gpus"),
        (("trace.csv",), "give a TRACE or --history, not both"),
    ],
)
def test_wrong_usage_is_told(options: tuple[object, ...], told: str) -> None:
    assert told in poolctl(store(resource(), jobs=THREE), *options, exit_code=Exit.USAGE).stderr


def test_capacity_is_that_of_the_only_pool() -> None:
    documents = store(resource(pools=(pool(),)), jobs=THREE)
    found = json.loads(poolctl(documents, "--capacity", 2, "--json").stdout)

    assert found["strict_fifo"]["max_wait_s"] == 2 * 3600


def test_the_resource_named_need_not_be_in_a_region_of_the_settings() -> None:
    far = ResourceName(project=PROJECT, location="europe-west4", id="far")
    jobs = [replace(each, resource=far.key) for each in THREE]
    documents = store(resource(name=far.full), jobs=jobs)

    assert json.loads(poolctl(documents, "--resource", "far", "--json").stdout)["strict_fifo"]["jobs"] == 3
