"""Resources that never were, or are no more: known while somebody needs them, and no longer."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

from handlers import job_requested
from poolqueue.ports import Create
from poolqueue.records import resource_path, write_resource
from poolqueue.scheduling.jobs import State
from poolqueue.scheduling.pools import Resource
from poolqueue.sweep.region import RESOURCES_LIMIT
from tests.support.faults import Death, Killed, mortal
from tests.support.installation import DISK, SMALL, Installation, request
from tests.support.sweeping import resources_of_one_replica


def ask_for_a_typo(installation: Installation) -> str:
    """One job on a resource that does not exist, and its cancel; the path of the resource's document."""
    installation.ask(request("j", job_spec={"persistentResourceId": "typo"}))
    installation.command(kind="cancel", job_id="j")
    return resource_path(replace(installation.name, id="typo"))


def is_known(installation: Installation, path: str) -> bool:
    return installation.documents.read([path])[0].exists


def test_a_missing_resource_that_nobody_waits_for_is_forgotten_after_an_hour(
    installation: Installation,
) -> None:
    path = ask_for_a_typo(installation)
    installation.sweep()
    installation.clock.advance(minutes=50)
    installation.sweep()
    assert is_known(installation, path)
    writes = installation.documents.counts.writes
    installation.sweep()
    assert installation.documents.counts.writes == writes

    installation.clock.advance(minutes=20)
    installation.sweep()

    assert not is_known(installation, path)


def test_a_missing_resource_is_known_while_a_job_waits_for_it(installation: Installation) -> None:
    installation.ask(request("j", job_spec={"persistentResourceId": "typo"}))
    for _ in range(3):
        installation.clock.advance(hours=1)
        installation.sweep()

    assert is_known(installation, resource_path(replace(installation.name, id="typo")))
    assert installation.job("j").state is State.QUEUED


def test_a_missing_resource_stays_drained(installation: Installation) -> None:
    path = ask_for_a_typo(installation)
    installation.command(kind="drain", persistent_resource="typo")
    for _ in range(3):
        installation.clock.advance(hours=1)
        installation.sweep()

    assert is_known(installation, path)


def test_a_job_for_a_forgotten_resource_is_queued_and_starts_once_it_is_made(
    installing, demo_project
) -> None:
    installation = installing(persistent_resources=resources_of_one_replica(demo_project, "other"))
    installation.ask(request("before"))
    installation.command(kind="cancel", job_id="before")
    for _ in range(3):
        installation.clock.advance(hours=1)
        installation.sweep()
    assert not is_known(installation, resource_path(installation.name))

    installation.ask(request("after"))
    assert installation.job("after").state is State.QUEUED
    create_resource(installation)
    installation.sweep()

    assert installation.job("after").state in {State.SUBMITTED, State.RUNNING}


def create_resource(installation: Installation) -> None:
    pools = [{"machineSpec": SMALL, "diskSpec": DISK, "replicaCount": "2"}]
    path = f"{installation.name.parent}/persistentResources?persistentResourceId={installation.name.id}"
    installation.call("POST", path, {"resourcePools": pools})
    observer = installation.system.observer
    installation.wait(lambda: observer.resource(installation.name.full).state == "RUNNING", "it to run")


def test_a_new_job_in_the_inbox_of_an_empty_missing_resource_is_found(installation: Installation) -> None:
    """Its invocation died before its cycle, and its message never came again."""
    path = ask_for_a_typo(installation)
    installation.sweep()
    body = json.dumps(request("new", job_spec={"persistentResourceId": "typo"})).encode()
    system = mortal(installation.system, Death(at=4))
    with suppress(Killed):
        job_requested.handle(system, installation.delivery("job-requests", body))
    assert installation.job("new").inbox
    installation.clock.advance(hours=2)

    installation.sweep()

    assert is_known(installation, path)
    assert not installation.job("new").inbox


def test_more_resources_than_a_sweep_can_look_at_are_reported(installation: Installation, caplog) -> None:
    names = [replace(installation.name, id=f"r{number}") for number in range(RESOURCES_LIMIT)]
    installation.documents.commit(
        [Create(path=resource_path(each), fields=write_resource(Resource(name=each.full))) for each in names]
    )
    installation.stand_in.behave(errors=[{"method": "ListCustomJobs", "status": 503}])

    installation.sweep()

    (told,) = [record for record in caplog.records if record.message == "too_many_resources"]
    assert told.limit == RESOURCES_LIMIT
