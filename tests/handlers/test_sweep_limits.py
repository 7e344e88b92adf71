"""A sweep is not stopped by one resource's fault, and asks no more of Vertex AI than it may."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers import swept
from poolqueue.ports import StoreUnavailable
from poolqueue.records import resource_path
from poolqueue.scheduling.jobs import State
from poolqueue.sweep.allowance import CANCELS_IN_REGION, LOOKUPS_IN_REGION, Allowance
from tests.support.installation import LOCATION, Installation, pool, request
from tests.support.sweeping import (
    NEVER,
    SlowToShowResources,
    clone,
    observed_at,
    real,
    resources_of_one_replica,
    sweep_with,
)

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
