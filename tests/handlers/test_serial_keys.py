"""Of the jobs that name one serial key only so many run at a time, wherever, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from handlers import job_ended, job_requested, swept
from poolqueue.ports import JOB_LABEL
from poolqueue.records import read_serial_key, serial_key_path
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State
from poolqueue.scheduling.serial_keys import TURN, SerialKey
from tests.support.deaths import Deaths
from tests.support.faults import Rivalry
from tests.support.installation import LOCATION, Installation, pool, request, worker_pool_spec
from tests.support.meter import Meter
from tests.support.soundness import WITH_RESERVATION, check

Installing = Callable[..., Installation]

KEY = {"serial_key": "resnet"}
AFTER_TIMEOUT = 3 * 60
QUIET_PERIOD = 6 * 60


def two_resources(project: str, replicas: int = 3) -> list[dict[str, Any]]:
    return [
        {"project": project, "location": LOCATION, "id": id_, "pools": [pool(replicas=replicas)]}
        for id_ in "ab"
    ]


@pytest.fixture
def two(installing: Installing, demo_project: str) -> Installation:
    """The resources `a` and `b`, with room for three jobs each; no cycle lingers."""
    settings = {"timing": {"linger": "1s"}}
    return installing(persistent_resources=two_resources(demo_project), settings=settings)


def ask(installation: Installation, job_id: str, *, on: str = "a", **settings: Any) -> Job:
    body = request(job_id, **{**KEY, **settings}, job_spec={"persistentResourceId": on})
    installation.ask(body)
    return installation.job(job_id)


def key(installation: Installation, called: str = "resnet") -> SerialKey:
    fields = installation.documents.read([serial_key_path(("research", called))])[0].fields
    return read_serial_key(fields)


def holders(installation: Installation) -> list[str]:
    return sorted(each.job_id for each in key(installation).holders)


def at_work(installation: Installation, *job_ids: str) -> list[str]:
    return [each for each in job_ids if installation.job(each).state in WITH_RESERVATION]


# --- one resource ----------------------------------------------------------------------------------------


def test_the_second_of_a_key_waits_for_the_first(installation: Installation) -> None:
    installation.ask(request("a", **KEY))
    installation.ask(request("b", **KEY))

    waits = installation.job("b")
    assert (waits.state, waits.reason) == (State.QUEUED, Reason.SERIAL_KEY_TAKEN)
    assert waits.history[-1].note == "serial key resnet: 1 at a time; a has it"
    assert installation.outcomes("b")[-1]["reason"] == "serial_key_taken"
    assert holders(installation) == ["a"]
    check(installation, "a", "b")


def test_the_end_of_the_first_starts_the_second_in_one_commit(installation: Installation) -> None:
    for job_id in ("a", "b", "c"):
        installation.ask(request(job_id, **KEY))

    installation.finish("a", "FAILED")

    assert installation.job("a").outcome is Outcome.FAILED
    assert at_work(installation, "b", "c") == ["b"]
    assert holders(installation) == ["b"]
    check(installation, "a", "b", "c")


def test_as_many_run_as_the_limit_allows(installing: Installing) -> None:
    here = installing(pools=[pool(replicas=5)])
    for n in range(4):
        here.ask(request(f"j{n}", **KEY, serial_limit=2))

    assert at_work(here, "j0", "j1", "j2", "j3") == ["j0", "j1"]
    here.finish("j0")
    assert holders(here) == ["j1", "j2"]


def test_the_smallest_limit_holds(installing: Installing) -> None:
    here = installing(pools=[pool(replicas=5)])
    here.ask(request("two", **KEY, serial_limit=2))
    here.ask(request("one", **KEY))
    here.ask(request("second", **KEY, serial_limit=2))

    assert at_work(here, "two", "one", "second") == ["two", "second"]
    here.finish("two")
    assert at_work(here, "one", "second") == ["second"]
    here.finish("second")
    assert at_work(here, "one") == ["one"]


def test_who_waits_for_a_key_lets_others_go_ahead(installation: Installation) -> None:
    installation.ask(request("a", **KEY))
    installation.ask(request("b", **KEY, priority=99))
    installation.ask(request("free"))

    assert at_work(installation, "b", "free") == ["free"]


def test_keys_are_forgotten_with_their_last_job(installation: Installation) -> None:
    installation.ask(request("a", **KEY))
    installation.finish("a")

    path = serial_key_path(("research", "resnet"))
    assert not installation.documents.read([path])[0].exists


def test_a_job_keeps_its_key_while_it_is_cancelled(installation: Installation) -> None:
    installation.ask(request("a", **KEY))
    installation.ask(request("b", **KEY))
    installation.wait_running("a")
    installation.command(kind="cancel", job_id="a")

    assert at_work(installation, "b") == []
    installation.wait(lambda: installation.log_lines, "the custom job to end")
    installation.deliver_log_lines()
    assert at_work(installation, "b") == ["b"]


def test_an_unresolved_submission_keeps_its_key(installation: Installation) -> None:
    """Vertex AI may have it, or not: only when that is settled, somebody else may have the key."""
    errors = [{"method": "CreateCustomJob", "status": 503, "count": 1, "after_effect": True}]
    installation.stand_in.behave(errors=errors)
    installation.ask(request("a", **KEY))
    installation.ask(request("b", **KEY))

    assert installation.job("a").custom_job is None
    assert at_work(installation, "b") == []
    installation.clock.advance(seconds=AFTER_TIMEOUT)
    installation.sweep()
    assert installation.job("a").custom_job is not None
    assert at_work(installation, "b") == []
    check(installation, "a", "b")


def test_a_refused_submission_gives_its_key_back(installation: Installation) -> None:
    errors = [{"method": "CreateCustomJob", "status": 400, "count": 1, "message": "unknown field"}]
    installation.stand_in.behave(errors=errors)
    installation.ask(request("a", **KEY))
    installation.ask(request("b", **KEY))

    assert installation.job("a").outcome is Outcome.REJECTED
    assert holders(installation) == ["b"]


def test_a_job_without_a_key_costs_nothing_for_keys(installation: Installation) -> None:
    installation.ask(request("keyed", **KEY))
    installation.ask(request("waits", **KEY))
    meter = Meter(installation)
    with meter.running():
        installation.ask(request("plain"))
    beside_keys = meter.cost

    installation.finish("keyed")
    installation.finish("waits")
    installation.finish("plain")
    meter = Meter(installation)
    with meter.running():
        installation.ask(request("again"))

    assert beside_keys.writes == meter.cost.writes


def test_members_of_an_array_share_its_key(installing: Installing) -> None:
    here = installing(pools=[pool(replicas=5)])
    here.ask(request("many", array={"size": 3}, **KEY, serial_limit=2))
    members = [f"many.{n}" for n in range(3)]

    assert at_work(here, *members[:2]) == members[:2]
    assert holders(here) == members[:2]
    here.finish(members[0])
    assert holders(here) == members[1:]
    check(here, *members)


# --- several resources -----------------------------------------------------------------------------------


def test_a_key_is_taken_at_all_resources(two: Installation) -> None:
    ask(two, "a")
    waits = ask(two, "b", on="b")

    assert (waits.state, waits.reason) == (State.QUEUED, Reason.SERIAL_KEY_TAKEN)
    assert waits.history[-1].note == "serial key resnet: 1 at a time; a on a has it"
    assert [each.job_id for each in key(two).waiters] == ["b"]
    check(two, "a", "b", on=("a", "b"))


def test_the_other_resource_is_told_when_the_key_comes_free(two: Installation) -> None:
    ask(two, "a")
    ask(two, "b", on="b")
    two.finish("a")

    assert at_work(two, "b") == []
    assert [each["resource"].rsplit("/", 1)[-1] for each in two.run_asked_cycles()] == ["b"]
    assert at_work(two, "b") == ["b"]
    check(two, "a", "b", on=("a", "b"))


def test_a_sweep_finds_that_it_came_free_if_nobody_told(two: Installation) -> None:
    ask(two, "a")
    ask(two, "b", on="b")
    two.finish("a")
    two.sweep()

    assert at_work(two, "b") == ["b"]


def test_the_resource_that_has_the_key_does_not_keep_it_for_its_own(two: Installation) -> None:
    ask(two, "first")
    ask(two, "waits-there", on="b")
    ask(two, "waits-here")
    two.finish("first")

    assert at_work(two, "waits-here", "waits-there") == []
    two.run_asked_cycles()
    assert at_work(two, "waits-here", "waits-there") == ["waits-there"]
    two.finish("waits-there")
    two.run_asked_cycles()
    assert at_work(two, "waits-here") == ["waits-here"]


def test_a_turn_that_nobody_takes_is_over_soon(two: Installation) -> None:
    """There is no room any more where it would be its turn."""
    ask(two, "first")
    ask(two, "waits-there", on="b")
    ask(two, "waits-here")
    for n in range(3):
        two.ask(request(f"full-{n}", job_spec={"persistentResourceId": "b"}))
    two.finish("first")
    two.run_asked_cycles()
    assert at_work(two, "waits-here", "waits-there") == []

    two.clock.advance(seconds=TURN.total_seconds() + 1)
    two.sweep()

    assert at_work(two, "waits-here", "waits-there") == ["waits-here"]


def test_a_job_does_not_go_elsewhere_for_a_key(two: Installation) -> None:
    ask(two, "a")
    ask(two, "b", alternatives=["b"])
    two.run_asked_cycles()
    two.sweep()

    waits = two.job("b")
    assert (waits.reason, waits.resource.rsplit(".", 1)[-1]) == (Reason.SERIAL_KEY_TAKEN, "a")


def test_a_job_without_room_does_not_go_elsewhere_while_its_key_is_taken(two: Installation) -> None:
    for n in range(3):
        two.ask(request(f"full-{n}", job_spec={"persistentResourceId": "a"}))
    ask(two, "has-it", on="b")
    ask(two, "waits", alternatives=["b"])
    two.run_asked_cycles()

    assert two.job("waits").resource.rsplit(".", 1)[-1] == "a"
    two.finish("has-it")
    two.sweep()
    two.run_asked_cycles()
    assert at_work(two, "waits") == ["waits"]


def test_many_keys_that_others_have_do_not_hide_one_that_is_free(two: Installation) -> None:
    for n in range(3):
        ask(two, f"has-{n}", on="b", serial_key=f"k{n}")
    for n in range(3):
        ask(two, f"waits-{n}", serial_key=f"k{n}", priority=90)
    ask(two, "free", serial_key="other")

    assert at_work(two, "waits-0", "waits-1", "waits-2", "free") == ["free"]


@pytest.mark.parametrize("seed", range(4))
def test_rivals_for_a_key_change_no_result(installing: Installing, demo_project: str, seed: int) -> None:
    here = installing(
        persistent_resources=two_resources(demo_project),
        wrap=lambda documents: Rivalry(documents, seed=seed, probability=0.4),
    )
    names = [f"{on}-{n}" for n in range(4) for on in "ab"]
    for name in names:
        ask(here, name, on=name[0])
        assert len(at_work(here, *names[: names.index(name) + 1])) <= 1
    for _ in names:
        (running,) = at_work(here, *names)
        here.finish(running)
        here.run_asked_cycles()
        here.clock.advance(seconds=61)
        here.sweep()

    assert {here.job(each).outcome for each in names} == {Outcome.SUCCEEDED}


def test_of_many_at_once_one_gets_the_key(two: Installation) -> None:
    names = [f"{on}-{n}" for n in range(10) for on in "ab"]
    bodies = [request(each, **KEY, job_spec={"persistentResourceId": each[0]}) for each in names]
    deliveries = [two.delivery("job-requests", json.dumps(each).encode()) for each in bodies]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda each: job_requested.handle(two.system, each), deliveries))
    two.sweep()

    assert len(at_work(two, *names)) == 1
    alive = [each for each in two.alive() if JOB_LABEL in each.labels]
    assert len(alive) == 1
    check(two, *names, on=("a", "b"))


# --- processes that die ----------------------------------------------------------------------------------


def on_two_resources(directory: Path, project: str) -> Installation:
    return Installation(directory, project, persistent_resources=two_resources(project))


def sweep(installation: Installation) -> None:
    for _ in range(3):
        installation.clock.advance(seconds=QUIET_PERIOD)
        installation.sweep()
        installation.run_asked_cycles()
        _check_key(installation)


def _check_key(installation: Installation) -> None:
    """The key says what the reservations say, and never more than one runs."""
    reserved = sorted(
        each.token for id_ in "ab" for each in installation.resource(id_).reservations.values() if each.serial
    )
    assert sorted(each.token for each in key(installation).holders) == reserved
    assert len(reserved) <= 1


def test_while_it_takes_a_key_or_waits_for_it(deaths: Deaths) -> None:
    def prepare(installation: Installation):
        installation.ask(request("before", job_spec={"persistentResourceId": "a"}))
        ask(installation, "other", on="b")
        installation.finish("other")
        body = request("killed", **KEY, job_spec={"persistentResourceId": "a"})
        return installation.delivery("job-requests", json.dumps(body).encode())

    def verify(installation: Installation) -> None:
        assert at_work(installation, "killed") == ["killed"]
        check(installation, "before", "other", "killed", on=("a", "b"))

    deaths.at_each_effect(
        install=on_two_resources,
        look=_check_key,
        repair=sweep,
        handle=job_requested.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_gives_a_key_back_for_which_another_resource_waits(deaths: Deaths) -> None:
    def prepare(installation: Installation):
        ask(installation, "first")
        ask(installation, "there", on="b")
        ask(installation, "here")
        installation.finish_quietly("first")
        (line,), installation.log_lines = installation.log_lines, []
        return installation.delivery("job-ended", line)

    def verify(installation: Installation) -> None:
        assert installation.job("first").outcome is Outcome.SUCCEEDED
        assert len(at_work(installation, "here", "there")) == 1
        check(installation, "first", "here", "there", on=("a", "b"))

    deaths.at_each_effect(
        install=on_two_resources,
        look=_check_key,
        repair=sweep,
        handle=job_ended.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_a_sweep_finds_the_end_of_one_that_had_a_key(deaths: Deaths) -> None:
    def prepare(installation: Installation):
        ask(installation, "first")
        ask(installation, "there", on="b")
        installation.finish_quietly("first")
        installation.log_lines = []
        return installation.delivery("sweeps", b"{}")

    def verify(installation: Installation) -> None:
        assert at_work(installation, "there") == ["there"]
        check(installation, "first", "there", on=("a", "b"))

    deaths.at_each_effect(
        install=on_two_resources,
        look=_check_key,
        repair=sweep,
        handle=swept.handle,
        prepare=prepare,
        verify=verify,
    )


def test_more_of_a_key_than_one_commit_carries(installing: Installing) -> None:
    """Each with a key of its own: a hundred reservations with a hundred keys."""
    here = installing(pools=[pool(replicas=120)])
    here.ask(request("first"))
    names = [f"j{n}" for n in range(100)]
    bodies = [request(each, worker_pool_spec(), serial_key=each) for each in names]
    deliveries = [here.delivery("job-requests", json.dumps(each).encode()) for each in bodies]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda each: job_requested.handle(here.system, each), deliveries))
    here.sweep()

    assert len(at_work(here, *names)) == 100
    check(here, "first", *names)
