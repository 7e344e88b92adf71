"""What teams used is kept, once each, whatever dies; and what ended may be deleted in time."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers import swept
from poolqueue.cli.failures import Exit
from poolqueue.ports import Delete
from poolqueue.records import job_path, resource_path, write_resource
from poolqueue.scheduling.events import RunEnded, apply
from poolqueue.scheduling.jobs import State
from poolqueue.scheduling.pools import Ran
from poolqueue.scheduling.traits import NO_TRAITS
from tests.handlers.conftest import Installing
from tests.handlers.test_poolctl import Poolctl
from tests.support.faults import Death, Killed, mortal
from tests.support.installation import Installation, request, worker_pool_spec

RETENTION = timedelta(days=30)


def run_to_its_end(installation: Installation, job_id: str) -> None:
    installation.ask(request(job_id))
    installation.wait_running(job_id)
    installation.finish(job_id)


def has_run(installation: Installation, *, hours: float, replicas: int) -> None:
    """A run of that length has ended just now, as its end leaves it on the resource."""
    document = installation.documents.read([resource_path(installation.name)])[0]
    resource = installation.resource()
    ran = Ran(
        traits=NO_TRAITS,
        since=datetime(2026, 11, 3, tzinfo=UTC),
        seconds=hours * 3_600,
        by_itself=True,
        team="research",
        replicas={resource.pools[0].key: replicas},
    )
    fields = write_resource(apply(resource, RunEnded(token=f"{hours}-{replicas}", ran=ran)))
    installation.documents.commit([document.written(fields)])


def used(installation: Installation, *arguments: str) -> list[dict[str, Any]]:
    told = Poolctl(installation).list("usage", "--json", *arguments)
    rows: list[dict[str, Any]] = json.loads(told[told.index("{") : told.rindex("}") + 1])["usage"]
    return rows


def fields_of(installation: Installation, path: str) -> Mapping[str, Any]:
    fields = installation.documents.read([path])[0].fields
    assert fields is not None
    return fields


# --- usage -----------------------------------------------------------------------------------------------


def test_a_job_that_ended_is_charged_to_its_team_before_and_after_a_sweep(installation: Installation) -> None:
    run_to_its_end(installation, "first")
    before = used(installation)

    installation.sweep()

    (row,) = before
    assert (row["team"], row["attempts_ended"]) == ("research", 1)
    assert used(installation) == before
    assert not installation.resource().outcomes


def test_hours_are_those_of_single_replicas(installation: Installation) -> None:
    installation.sweep()
    run_to_its_end(installation, "first")
    for hours, replicas in ((1.5, 2), (3.0, 1)):
        has_run(installation, hours=hours, replicas=replicas)
    installation.sweep()
    has_run(installation, hours=0.25, replicas=4)

    (row,) = used(installation, "--month", "2026-11")

    assert row["replica_hours"] == pytest.approx(7.0, abs=0.1)


@pytest.mark.parametrize("after_effect", [False, True])
def test_sweeps_that_die_at_any_call_charge_a_run_once(
    installation: Installation, after_effect: bool
) -> None:
    run_to_its_end(installation, "first")
    for call in range(1, 12):
        death = Death(at=call, after_effect=after_effect)
        with suppress(Killed):
            swept.handle(mortal(installation.system, death), installation.delivery("sweeps", b"{}"))
    installation.sweep()
    installation.sweep()

    (row,) = used(installation)
    assert row["attempts_ended"] == 1


def test_what_still_runs_is_told_apart(installation: Installation) -> None:
    installation.ask(request("first"))
    installation.wait_running("first")
    installation.sweep()
    installation.clock.advance(hours=2)

    (row,) = used(installation)

    assert (row["attempts_ended"], row["replica_hours"]) == (0, 0.0)
    assert row["replica_hours_running"] == pytest.approx(2.0, abs=0.05)


def test_usage_stays_when_the_jobs_and_the_resource_are_gone(installation: Installation) -> None:
    run_to_its_end(installation, "first")
    installation.sweep()
    before = used(installation)
    for path in (job_path("research.first"), f"resources/{installation.name.key}"):
        document = installation.documents.read([path])[0]
        installation.documents.commit([Delete(path=path, version=document.version)])

    assert used(installation) == before


def test_one_team_or_month_alone(installation: Installation) -> None:
    run_to_its_end(installation, "first")

    assert used(installation, "--team", "nobody") == []
    assert used(installation, "--month", "2020-01") == []


def test_a_month_that_is_none_is_refused_with_one_that_is(installation: Installation) -> None:
    told = Poolctl(installation)("usage", "--month", "November", exit_code=Exit.USAGE)

    assert "give it as 20" in told


def test_a_spreadsheet_gets_a_row_for_each(installation: Installation) -> None:
    run_to_its_end(installation, "first")

    (row,) = csv.DictReader(Poolctl(installation).list("usage", "--csv").splitlines())

    assert (row["month"], row["team"], row["attempts_ended"]) == (
        f"{installation.clock():%Y-%m}",
        "research",
        "1",
    )


def test_replicas_that_idle_while_a_job_waits_for_more_are_counted(installation: Installation) -> None:
    installation.ask(request("first"))
    installation.wait_running("first")
    installation.ask(request("large", worker_pool_spec(), worker_pool_spec()))
    installation.sweep()
    installation.clock.advance(seconds=60)
    installation.sweep()

    (resource,) = json.loads(Poolctl(installation).list("stats", "--json"))["resources"]
    (replicas,) = resource["replicas"]
    assert replicas["idle_replica_hours_while_jobs_waited"] > 0
    assert replicas["busy_replica_hours"] > 0


# --- retention -------------------------------------------------------------------------------------------


def test_a_job_may_be_deleted_once_its_retention_is_over_and_not_while_it_lives(
    installation: Installation,
) -> None:
    installation.ask(request("first"))
    assert "expires_at" not in fields_of(installation, "jobs/research.first")

    installation.finish("first")

    ended = installation.job("first").ended
    assert ended is not None
    assert fields_of(installation, "jobs/research.first")["expires_at"] == ended + RETENTION


def test_retention_is_a_setting(installing: Installing) -> None:
    installation = installing(settings={"retention": "90d"})
    run_to_its_end(installation, "first")

    fields = fields_of(installation, "jobs/research.first")
    assert fields["expires_at"] - fields["ended_at"] == timedelta(days=90)


def test_a_job_that_is_retried_does_not_expire(installation: Installation) -> None:
    installation.ask(request("first"))
    installation.finish("first", "FAILED")
    assert installation.job("first").state is State.ENDED

    installation.command(kind="retry", job_id="first")

    assert "expires_at" not in fields_of(installation, "jobs/research.first")


def test_commands_that_are_done_and_dead_letters_expire(installation: Installation) -> None:
    installation.ask(b"no request")
    command = installation.command(kind="drain", persistent_resource="shared")

    (letter,) = installation.dead_letters()
    assert letter["expires_at"] == letter["at"] + RETENTION
    assert command["expires_at"] == command["finished_at"] + RETENTION


def test_an_id_is_free_again_once_its_job_is_deleted(installation: Installation) -> None:
    run_to_its_end(installation, "first")
    installation.sweep()
    document = installation.documents.read([job_path("research.first")])[0]
    installation.documents.commit([Delete(path=document.path, version=document.version)])

    installation.ask(request("first"))

    installation.wait_running("first")


def test_the_template_of_an_array_expires_with_its_job(installation: Installation) -> None:
    installation.ask(request("sweep", array={"size": 1}))
    assert "expires_at" not in fields_of(installation, "templates/research.sweep")

    installation.finish("sweep.0")

    job = fields_of(installation, "jobs/research.sweep")
    assert fields_of(installation, "templates/research.sweep")["expires_at"] == job["expires_at"]
