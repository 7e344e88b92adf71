"""Jobs that end teach how long others will run, and a cycle decides by that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from handlers import swept
from poolqueue.cycle.learning import PENDING_LIMIT
from poolqueue.ports import Document, Replace
from poolqueue.records import (
    read_run_times,
    resource_path,
    run_times_path,
    write_resource,
    write_run_times,
)
from poolqueue.scheduling.events import RunEnded, apply
from poolqueue.scheduling.jobs import State
from poolqueue.scheduling.pools import Ran
from poolqueue.scheduling.run_times import Outcome, RunTimes
from poolqueue.scheduling.traits import NO_TRAITS, Traits
from tests.handlers.conftest import Installing
from tests.support.faults import Death, Killed, mortal
from tests.support.installation import Installation, pool, request

HOUR = 3_600.0
ALL_RUNS = ""


def stored(installation: Installation) -> RunTimes:
    return read_run_times(installation.documents.read([run_times_path(installation.name)])[0].fields)


def learned_runs(installation: Installation) -> int:
    evidence = stored(installation).evidence.get(ALL_RUNS)
    return 0 if evidence is None else evidence.runs


def teach(installation: Installation, traits: Traits, seconds: float, *, times: int = 20) -> None:
    """Run times that another process has stored."""
    document = installation.documents.read([run_times_path(installation.name)])[0]
    run_times = read_run_times(document.fields)
    for _ in range(times):
        run_times.learn(Outcome(traits=traits, seconds=seconds))
    installation.documents.commit([document.written(write_run_times(run_times))])


def add_pending(installation: Installation, count: int) -> None:
    document = installation.documents.read([resource_path(installation.name)])[0]
    resource = installation.resource()
    for n in range(count):
        ran = Ran(traits=NO_TRAITS, since=installation.clock(), seconds=HOUR, by_itself=True)
        resource = apply(resource, RunEnded(token=f"pending-{n}", ran=ran))
    write = Replace(path=document.path, fields=write_resource(resource), version=document.version)
    installation.documents.commit([write])


def run_to_its_end(installation: Installation, job_id: str, state: str = "SUCCEEDED") -> None:
    installation.ask(request(job_id))
    installation.finish(job_id, state)


# --- from an end to what is stored


def test_a_job_that_ended_is_remembered_with_its_traits(installation: Installation) -> None:
    run_to_its_end(installation, "first")

    (ran,) = installation.resource().outcomes.values()
    assert ran.traits == installation.job("first").traits
    assert ran.by_itself


def test_a_job_that_was_cancelled_is_known_to_take_longer(installation: Installation) -> None:
    run_to_its_end(installation, "first", "CANCELLED")

    (ran,) = installation.resource().outcomes.values()
    assert not ran.by_itself


def test_a_sweep_learns_from_what_ended_and_forgets_it_in_the_same_commit(installation: Installation) -> None:
    run_to_its_end(installation, "first")
    run_to_its_end(installation, "second")

    installation.sweep()

    assert learned_runs(installation) == 2
    assert not installation.resource().outcomes


def test_a_sweep_after_which_nothing_ended_does_not_read_or_write_run_times(
    installation: Installation,
) -> None:
    run_to_its_end(installation, "first")
    installation.sweep()
    before = installation.documents.read([run_times_path(installation.name)])[0]

    installation.sweep()

    assert installation.documents.read([run_times_path(installation.name)])[0].version == before.version


def test_what_runs_is_known_to_go_on_when_something_else_is_learned(installation: Installation) -> None:
    installation.ask(request("runs"))
    installation.wait_running("runs")
    installation.sweep()
    run_to_its_end(installation, "ends")

    installation.sweep()

    assert stored(installation).going.keys() == {installation.job("runs").token}


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_sweep_that_dies_at_any_call_makes_nothing_count_twice_or_never(
    installing: Installing, after_effect: bool
) -> None:
    installation = installing()
    for number in range(1, 60):
        run_to_its_end(installation, f"job-{number}")
        death = Death(at=number, after_effect=after_effect)
        with suppress(Killed):
            swept.handle(mortal(installation.system, death), installation.delivery("sweeps", b"{}"))
        installation.sweep()

        assert learned_runs(installation) == number, f"killed at call {number}"
        if not death.died:
            return
    pytest.fail("still at work after 60 calls")


def test_a_round_learns_by_itself_when_much_is_pending(installation: Installation) -> None:
    installation.ask(request("first"))
    add_pending(installation, PENDING_LIMIT + 1)

    installation.ask(request("second"))

    assert learned_runs(installation) == PENDING_LIMIT + 1
    assert not installation.resource().outcomes


# --- from what is stored to a decision


@pytest.fixture
def ordered(installing: Installing) -> Installation:
    """One replica, and jobs that are expected to be short go first."""
    settings = {"resource_settings": {"shared": {"ordering": "expected"}}}
    return installing(pools=[pool(replicas=1)], settings=settings)


def traits_of(installation: Installation, job_id: str) -> Traits:
    return installation.job(job_id).traits


def test_of_those_that_wait_the_one_that_similar_jobs_say_is_short_goes_first(ordered: Installation) -> None:
    ordered.ask(request("runs"))
    ordered.ask(request("long"))
    ordered.ask(request("short"))
    teach(ordered, traits_of(ordered, "long"), 30 * HOUR)
    teach(ordered, traits_of(ordered, "short"), 60.0)
    ordered.clock.advance(seconds=61)
    ordered.sweep()

    ordered.finish("runs")

    assert ordered.job("short").state is State.SUBMITTED
    assert ordered.job("long").state is State.QUEUED


def test_outcomes_that_no_sweep_has_learned_yet_count_as_well(ordered: Installation) -> None:
    ordered.ask(request("runs"))
    ordered.ask(request("long"))
    ordered.ask(request("short"))
    document = ordered.documents.read([resource_path(ordered.name)])[0]
    resource = ordered.resource()
    for job_id, seconds in (("long", 30 * HOUR), ("short", 60.0)):
        for n in range(20):
            since = ordered.clock()
            ran = Ran(traits=traits_of(ordered, job_id), since=since, seconds=seconds, by_itself=True)
            resource = apply(resource, RunEnded(token=f"{job_id}-{n}", ran=ran))
    write = Replace(path=document.path, fields=write_resource(resource), version=document.version)
    ordered.documents.commit([write])

    ordered.finish("runs")

    assert ordered.job("short").state is State.SUBMITTED


class Watched:
    """Documents that tell which of them were read."""

    def __init__(self, documents: Any) -> None:
        self._documents = documents
        self.read_paths: list[str] = []

    def read(self, paths: Sequence[str]) -> list[Document]:
        self.read_paths += paths
        return self._documents.read(paths)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)


@pytest.fixture
def watched(installing: Installing) -> tuple[Installation, Callable[[], int]]:
    """One replica; and how often run times were read so far."""
    stores: list[Watched] = []

    def watch(documents: Any) -> Watched:
        stores.append(Watched(documents))
        return stores[-1]

    installation = installing(pools=[pool(replicas=1)], wrap=watch)
    path = run_times_path(installation.name)
    return installation, lambda: sum(store.read_paths.count(path) for store in stores)


def test_run_times_are_not_read_while_no_job_must_wait(watched) -> None:
    installation, count = watched

    run_to_its_end(installation, "first")
    run_to_its_end(installation, "second")

    assert count() == 0


def test_run_times_are_read_once_a_minute_while_jobs_wait(watched) -> None:
    installation, count = watched

    for job_id in ("runs", "waits", "waits-too"):
        installation.ask(request(job_id))
    assert count() == 1

    installation.clock.advance(seconds=61)
    for job_id in ("later", "later-still"):
        installation.ask(request(job_id))
    assert count() == 2
