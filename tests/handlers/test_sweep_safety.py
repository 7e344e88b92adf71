"""What a sweep must not do: mistake a custom job, believe old news, stop at a fault, go on for ever."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from handlers import job_requested, swept
from poolqueue.ports import INSTALLATION_LABEL, JOB_LABEL, TEAM_LABEL, TOKEN_LABEL, Create, StoreUnavailable
from poolqueue.records import read_resource, resource_path, write_resource
from poolqueue.scheduling.jobs import State
from poolqueue.scheduling.pools import Resource, occupied
from poolqueue.sweep.allowance import CANCELS_IN_REGION, LOOKUPS_IN_REGION, Allowance
from poolqueue.sweep.region import RESOURCES_LIMIT
from tests.support.faults import Death, Killed, mortal
from tests.support.installation import DISK, LOCATION, SMALL, Installation, pool, request
from tests.support.soundness import check

NEVER = datetime.min.replace(tzinfo=UTC)


def clone(installation: Installation, job_id: str) -> str:
    """Somebody's copy of a custom job of ours, labels and all; the copy's name."""
    labels = {
        INSTALLATION_LABEL: "testing",
        TOKEN_LABEL: str(installation.job(job_id).token),
        TEAM_LABEL: "research",
        JOB_LABEL: job_id,
    }
    name = installation.submit_directly(labels=labels)
    installation.wait(lambda: installation.state_of(name) == "RUNNING", "the clone to run")
    return name


def real(installation: Installation, job_id: str = "real") -> str:
    """A job that runs; its custom job's name."""
    installation.ask(request(job_id))
    installation.wait_running(job_id)
    name = installation.job(job_id).custom_job
    assert name is not None
    return name


# --- several custom jobs with one token ------------------------------------------------------------------


@pytest.mark.parametrize("seen_before", [False, True], ids=["not seen yet", "seen by a sweep"])
def test_the_end_of_a_clone_is_not_the_end_of_the_job(installation: Installation, seen_before) -> None:
    running = real(installation)
    if seen_before:
        installation.sweep()
    copy = clone(installation, "real")

    installation.end(copy)
    installation.wait(lambda: installation.log_lines, "the clone's log line")
    installation.deliver_log_lines()
    installation.sweep()

    assert installation.job("real").state is State.RUNNING
    assert installation.job("real").custom_job == running
    assert installation.state_of(running) == "RUNNING"
    assert list(installation.resource().reservations) == [installation.job("real").token]


@pytest.mark.parametrize("seen_before", [False, True], ids=["not seen yet", "seen by a sweep"])
def test_a_clone_counts_as_occupancy_and_is_the_one_that_is_cancelled(installing, seen_before) -> None:
    installation = installing(pools=[pool(replicas=3)])
    running = real(installation)
    if seen_before:
        installation.sweep()
    copy = clone(installation, "real")

    installation.sweep()
    assert sum(occupied(installation.resource()).values()) == 2
    installation.sweep()

    installation.wait(lambda: installation.state_of(copy) == "CANCELLED", "the clone to be cancelled")
    assert installation.state_of(running) == "RUNNING"
    assert {each["custom_job"] for each in installation.events("cancel_requested")} == {copy.split("/")[-1]}
    installation.sweep()
    assert sum(occupied(installation.resource()).values()) == 1


def test_the_end_of_the_job_is_found_though_a_clone_runs_on(installation: Installation) -> None:
    real(installation)
    clone(installation, "real")
    installation.finish_quietly("real")
    installation.log_lines = []

    installation.sweep()
    installation.sweep()

    assert installation.job("real").state is State.ENDED
    assert not installation.resource().reservations


# --- a custom job that no listing shows -------------------------------------------------------------------


class LaggingObserver:
    """Listings that do not show yet what was created lately."""

    def __init__(self, observer) -> None:
        self._observer = observer

    def __getattr__(self, name):
        return getattr(self._observer, name)

    def unfinished(self, parent):
        return []

    def by_token(self, parent, token):
        return []


def lose_the_answer(installation: Installation) -> None:
    error = {"method": "CreateCustomJob", "status": 503, "count": 1, "after_effect": True}
    installation.stand_in.behave(errors=[error])
    installation.ask(request("lost"))


def lagging_sweep(installation: Installation) -> None:
    system = replace(installation.system, observer=LaggingObserver(installation.system.observer))
    swept.handle(system, installation.delivery("sweeps", b"{}"))


def test_one_sweep_alone_never_settles_that_there_is_no_custom_job(installation: Installation) -> None:
    lose_the_answer(installation)
    installation.clock.advance(minutes=10)

    lagging_sweep(installation)

    assert installation.job("lost").state is State.RESERVED
    installation.sweep()
    assert installation.job("lost").attempt == 1
    assert installation.job("lost").custom_job == installation.alive()[0].name


def test_two_sweeps_moments_apart_settle_nothing_either(installation: Installation) -> None:
    lose_the_answer(installation)
    installation.clock.advance(minutes=10)

    lagging_sweep(installation)
    installation.clock.advance(seconds=20)
    lagging_sweep(installation)

    assert installation.job("lost").state is State.RESERVED
    assert len(installation.alive()) == 1


def test_an_absence_seen_before_the_quiet_period_is_over_is_settled_by_the_first_sweep_after_it(
    installation: Installation,
) -> None:
    installation.stand_in.behave(errors=[{"method": "CreateCustomJob", "status": 503, "count": 1}])
    installation.ask(request("lost"))
    installation.clock.advance(minutes=3)
    installation.sweep()
    assert installation.job("lost").state is State.RESERVED

    installation.clock.advance(minutes=5)
    installation.sweep()

    assert installation.job("lost").attempt == 2
    check(installation, "lost")


# --- old news ---------------------------------------------------------------------------------------------


class SlowToShowResources:
    """Between the listing and what it shows of each resource, time passes."""

    def __init__(self, installation: Installation, seconds: float) -> None:
        self._observer = installation.system.observer
        self._clock = installation.clock
        self._seconds = seconds
        self.listings = 0

    def __getattr__(self, name):
        return getattr(self._observer, name)

    def unfinished(self, parent):
        self.listings += 1
        return self._observer.unfinished(parent)

    def resource(self, name):
        self._clock.advance(seconds=self._seconds)
        return self._observer.resource(name)


def resources_of_one_replica(project: str, *ids: str) -> list[dict]:
    return [{"project": project, "location": LOCATION, "id": id_, "pools": [pool(replicas=1)]} for id_ in ids]


def sweep_with(installation: Installation, observer) -> None:
    swept.handle(replace(installation.system, observer=observer), installation.delivery("sweeps", b"{}"))


def test_capacity_counts_as_observed_when_the_listing_was_asked_for(installing, demo_project) -> None:
    ids = ("shared", "a")
    installation = installing(persistent_resources=resources_of_one_replica(demo_project, *ids))
    for id_ in ids:
        installation.ask(request(f"on-{id_}", job_spec={"persistentResourceId": id_}))
    installation.clock.advance(seconds=60)
    before = installation.clock()

    sweep_with(installation, SlowToShowResources(installation, 50))

    assert all(0 <= (at - before).total_seconds() < 10 for at in observed_at(installation, *ids))


def observed_at(installation: Installation, *ids: str) -> list[datetime]:
    paths = [resource_path(replace(installation.name, id=id_)) for id_ in ids]
    found = [document.fields for document in installation.documents.read(paths)]
    return [read_resource(fields).observed_at or NEVER for fields in found if fields is not None]


def test_a_listing_that_has_become_old_is_asked_for_again(installing, demo_project) -> None:
    ids = ("shared", "a", "b")
    installation = installing(persistent_resources=resources_of_one_replica(demo_project, *ids))
    for id_ in ids:
        installation.ask(request(f"on-{id_}", job_spec={"persistentResourceId": id_}))
    slow = SlowToShowResources(installation, 61)

    sweep_with(installation, slow)

    assert slow.listings == 3


# --- one resource's fault ---------------------------------------------------------------------------------


class FailingFor:
    """A store that never takes a commit which concerns this one document."""

    def __init__(self, documents, path: str) -> None:
        self._documents = documents
        self._path = path

    def __getattr__(self, name):
        return getattr(self._documents, name)

    def commit(self, writes):
        if any(write.path == self._path for write in writes):
            raise StoreUnavailable(self._path)
        return self._documents.commit(writes)


def test_a_fault_with_one_resource_stops_no_other_and_brings_the_message_again(
    installing, demo_project
) -> None:
    ids = ("a", "b", "shared")
    installation = installing(persistent_resources=resources_of_one_replica(demo_project, *ids))
    for id_ in ids:
        installation.ask(request(f"on-{id_}", job_spec={"persistentResourceId": id_}))
        installation.finish_quietly(f"on-{id_}")
    path = resource_path(replace(installation.name, id="b"))
    system = replace(installation.system, documents=FailingFor(installation.documents, path))

    with pytest.raises(StoreUnavailable):
        swept.handle(system, installation.delivery("sweeps", b"{}"))

    ended = [id_ for id_ in ids if installation.job(f"on-{id_}").state is State.ENDED]
    assert ended == ["a", "shared"]


def test_a_fault_with_one_region_stops_no_other(installing, demo_project) -> None:
    teams = [
        {"name": "research", "topics": ["job-requests"]},
        {"name": "elsewhere", "topics": ["other"], "location": "europe-west4"},
    ]
    installation = installing(settings={"teams": teams})
    installation.ask(request("j"))
    installation.finish_quietly("j")
    documents = FailingToFind(installation.documents, f"{demo_project}.europe-west4")

    with pytest.raises(StoreUnavailable):
        swept.handle(
            replace(installation.system, documents=documents), installation.delivery("sweeps", b"{}")
        )

    assert installation.job("j").state is State.ENDED


class FailingToFind:
    """A store that does not answer what it knows of this one region."""

    def __init__(self, documents, region: str) -> None:
        self._documents = documents
        self._region = region

    def __getattr__(self, name):
        return getattr(self._documents, name)

    def find(self, query):
        if query.where.get("region") == self._region:
            raise StoreUnavailable(self._region)
        return self._documents.find(query)


def test_a_sweep_cut_short_leaves_over_what_the_next_one_begins_with(installing, demo_project) -> None:
    ids = ("a", "b", "shared")
    installation = installing(
        persistent_resources=resources_of_one_replica(demo_project, *ids),
        settings={"timing": {"invocation": "100s"}},
    )
    for id_ in ids:
        installation.ask(request(f"on-{id_}", job_spec={"persistentResourceId": id_}))
    installation.clock.advance(minutes=10)
    before = installation.clock()

    for _ in range(3):
        sweep_with(installation, SlowToShowResources(installation, 100))

    assert all(at > before for at in observed_at(installation, *ids))


# --- a pool that is left alone ----------------------------------------------------------------------------


def refused_again_and_again(installation: Installation, job_id: str) -> None:
    """Until the pool is left alone for minutes."""
    message = "not enough free replicas"
    error = {"method": "CreateCustomJob", "status": 429, "message": message, "count": None}
    installation.stand_in.behave(errors=[error])
    installation.ask(request(job_id))
    for _ in range(4):
        installation.clock.advance(minutes=3)
        installation.sweep()
    installation.stand_in.behave(errors=[])


def left_alone_for(installation: Installation) -> timedelta:
    (backoff,) = installation.resource().backoffs.values()
    return backoff.until - installation.clock()


def test_a_release_starts_what_waits_for_a_pool_that_is_left_alone(installation: Installation) -> None:
    real(installation)
    refused_again_and_again(installation, "waits")
    assert left_alone_for(installation) > timedelta(minutes=2)

    installation.finish("real")

    assert installation.job("waits").state in {State.SUBMITTED, State.RUNNING}


def test_after_a_start_that_was_taken_refusals_begin_anew(installation: Installation) -> None:
    refused_again_and_again(installation, "first")
    installation.clock.advance(minutes=8)
    installation.sweep()
    installation.wait_running("first")
    installation.sweep()

    error = {"method": "CreateCustomJob", "status": 429, "message": "not enough free replicas", "count": 1}
    installation.stand_in.behave(errors=[error], over_capacity="reject")
    installation.ask(request("second"))

    assert installation.job("second").state in {State.SUBMITTED, State.RUNNING}  # some 15 s later


# --- bounded work -----------------------------------------------------------------------------------------


class SlowCancels:
    """Counts cancels; each takes a while and has no effect."""

    def __init__(self, installation: Installation, seconds: float = 0) -> None:
        self._clock = installation.clock
        self._seconds = seconds
        self.asked: list[str] = []

    def cancel(self, name):
        self._clock.advance(seconds=self._seconds)
        self.asked.append(name)
        return False


def with_all_stuck(installing, project: str, jobs: int) -> Installation:
    """That many custom jobs on two resources, pending for too long."""
    ids = ("shared", "other")
    resources = [
        {"project": project, "location": LOCATION, "id": id_, "pools": [pool(replicas=jobs)]} for id_ in ids
    ]
    installation = installing(
        persistent_resources=resources,
        behaviour={"stay_pending": "stuck*"},
        settings={"resource_defaults": {"max_pending": "5m"}, "timing": {"invocation": "100s"}},
    )
    for number in range(jobs):
        job_spec = {"persistentResourceId": ids[number % 2]}
        installation.ask(request(f"stuck{number}", job_spec=job_spec))
    installation.sweep()
    installation.clock.advance(minutes=6)
    return installation


def cancelling_sweep(installation: Installation, submitter) -> None:
    swept.handle(replace(installation.system, submitter=submitter), installation.delivery("sweeps", b"{}"))


def test_a_sweep_cancels_a_limited_number_and_the_next_ones_the_rest_before_any_again(
    installing, demo_project
) -> None:
    jobs = CANCELS_IN_REGION + 5
    installation = with_all_stuck(installing, demo_project, jobs)
    cancels = SlowCancels(installation)

    cancelling_sweep(installation, cancels)
    assert len(cancels.asked) == CANCELS_IN_REGION
    installation.clock.advance(seconds=61)
    cancelling_sweep(installation, cancels)

    assert len(set(cancels.asked)) == jobs
    assert len(cancels.asked) == 2 * CANCELS_IN_REGION


def test_a_sweep_whose_cancels_take_long_ends_in_time_and_the_next_one_repeats_them(
    installing, demo_project
) -> None:
    installation = with_all_stuck(installing, demo_project, 8)
    slow = SlowCancels(installation, seconds=30)

    cancelling_sweep(installation, slow)
    assert len(slow.asked) <= 4
    installation.clock.advance(seconds=61)
    cancelling_sweep(installation, slow)

    assert len(slow.asked) > 4


def test_late_copies_are_cancelled_within_the_time_of_a_sweep(installing) -> None:
    installation = installing(pools=[pool(replicas=9)], settings={"timing": {"invocation": "100s"}})
    real(installation)
    for _ in range(8):
        clone(installation, "real")
    slow = SlowCancels(installation, seconds=30)

    cancelling_sweep(installation, slow)

    assert 1 <= len(slow.asked) <= 4


def test_the_lookups_of_a_region_are_limited_and_end_with_its_time() -> None:
    plenty = Allowance(lambda: NEVER, "region", NEVER + timedelta(seconds=1))
    over = Allowance(lambda: NEVER + timedelta(seconds=1), "region", NEVER + timedelta(seconds=1))

    assert [plenty.take_lookup() for _ in range(LOOKUPS_IN_REGION + 1)] == [True] * LOOKUPS_IN_REGION + [
        False
    ]
    assert not over.take_lookup()


# --- resources that never were ----------------------------------------------------------------------------


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
