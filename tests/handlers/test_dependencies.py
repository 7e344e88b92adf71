"""Jobs that depend on others: held until these end, then released or ended, wherever they wait."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handlers import job_commanded, job_ended, job_requested, swept
from handlers.delivery import Delivery
from poolqueue.ports import Replace
from poolqueue.records import job_path, write_job
from poolqueue.scheduling.dependants import DEPENDANTS_LIMIT
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State
from tests.support.deaths import Deaths
from tests.support.faults import Rivalry
from tests.support.installation import LOCATION, SMALL, Installation, pool, request, worker_pool_spec
from tests.support.meter import Meter
from tests.support.soundness import WITH_RESERVATION, check

Installing = Callable[..., Installation]

GRACE = 3 * 60
QUIET_PERIOD = 6 * 60
AT_ONCE = {"timing": {"await_dependencies": "0.1s"}}


def ask(
    installation: Installation, job_id: str, *depends_on: Any, on: str = "shared", **settings: Any
) -> Job:
    wishes = {"depends_on": list(depends_on)} if depends_on else {}
    installation.ask(request(job_id, **wishes, **settings, job_spec={"persistentResourceId": on}))
    return installation.job(job_id)


def after(job_id: str, what: str) -> dict[str, str]:
    return {"job_id": job_id, "after": what}


def told(job: Job) -> tuple[State, Outcome | None, Reason | None]:
    return job.state, job.outcome, job.reason


def finish(installation: Installation, job_id: str, state: str = "SUCCEEDED") -> None:
    installation.finish(job_id, state)
    installation.run_asked_cycles()


def is_at_work(installation: Installation, job_id: str) -> bool:
    return installation.job(job_id).state in WITH_RESERVATION


# --- the way of a dependant ------------------------------------------------------------------------------


def test_a_job_starts_once_the_other_has_succeeded(installation: Installation) -> None:
    ask(installation, "a")
    held = ask(installation, "b", "a")

    assert told(held) == (State.HELD, None, Reason.WAITS_FOR_JOBS)
    assert installation.outcomes("b")[0]["note"] == "waits for a"
    assert installation.job("a").dependants == ("b",)
    finish(installation, "a")
    assert installation.states("b") == ["held", "queued", "reserved", "submitted"]
    assert installation.job("a").dependants == ()
    assert installation.resource().unsettled == {}
    check(installation, "a", "b")


def test_a_failed_dependency_ends_the_whole_chain(installation: Installation) -> None:
    for job_id, *depends_on in (["a"], ["b", "a"], ["c", "b"], ["d", "c"]):
        ask(installation, job_id, *depends_on)

    finish(installation, "a", "FAILED")

    for job_id in "bcd":
        assert told(installation.job(job_id)) == (
            State.ENDED,
            Outcome.CANCELLED,
            Reason.DEPENDENCY_FAILED,
        )
    assert installation.job("b").error == "it was to start once a had succeeded, which failed"
    assert installation.job("d").error == "it was to start once c had succeeded, which was cancelled"
    assert installation.outcomes("d")[-1]["reason"] == "dependency_failed"
    assert installation.resource().waiting == 0
    check(installation, *"abcd")


def test_a_failed_dependency_may_release(installation: Installation) -> None:
    ask(installation, "a")
    ask(installation, "b", "a", on_failed_dependency="release")
    finish(installation, "a", "FAILED")

    assert is_at_work(installation, "b")


def test_jobs_may_wait_for_a_failure_or_any_end(installation: Installation) -> None:
    ask(installation, "a")
    ask(installation, "repair", after("a", "failure"))
    ask(installation, "clean", after("a", "end"))
    ask(installation, "next", "a")
    finish(installation, "a", "FAILED")

    assert is_at_work(installation, "repair")
    assert is_at_work(installation, "clean")
    assert installation.job("next").outcome is Outcome.CANCELLED


def test_a_job_waits_for_all_of_several(installing: Installing) -> None:
    installation = installing(pools=[pool(replicas=4)])
    for job_id in "abc":
        ask(installation, job_id)
    ask(installation, "join", *"abc")
    for job_id in "cab":
        assert told(installation.job("join")) == (State.HELD, None, Reason.WAITS_FOR_JOBS)
        finish(installation, job_id)

    assert is_at_work(installation, "join")
    assert [body["state"] for body in installation.outcomes("join")][:2] == ["held", "queued"]


def test_what_has_ended_already_is_decided_at_once(installation: Installation) -> None:
    ask(installation, "good")
    ask(installation, "bad")
    finish(installation, "good")
    finish(installation, "bad", "FAILED")

    assert ask(installation, "b", "good").state in WITH_RESERVATION
    over = ask(installation, "c", "good", "bad")
    assert told(over) == (State.ENDED, Outcome.CANCELLED, Reason.DEPENDENCY_FAILED)
    assert ask(installation, "d", after("bad", "failure")).state in WITH_RESERVATION
    assert [body["state"] for body in installation.outcomes("c")] == ["ended"]
    check(installation, *"bcd")


def test_a_cancelled_dependency_counts_as_failed(installation: Installation) -> None:
    for job_id, *depends_on in (["a"], ["b", "a"], ["c", "b"]):
        ask(installation, job_id, *depends_on)
    installation.command(kind="cancel", job_id="b")
    installation.run_asked_cycles()

    assert told(installation.job("c")) == (State.ENDED, Outcome.CANCELLED, Reason.DEPENDENCY_FAILED)
    assert installation.job("a").state in WITH_RESERVATION
    finish(installation, "a")
    check(installation, *"abc")


def test_a_rejected_or_expired_dependency_counts_as_failed(installation: Installation) -> None:
    ask(installation, "full")
    ask(installation, "full-2")
    ask(installation, "expires", max_wait="1h")
    ask(installation, "after-expired", "expires")
    ask(installation, "either", after("expires", "end"))
    installation.clock.advance(hours=2)
    installation.sweep()
    installation.run_asked_cycles()

    assert installation.job("expires").outcome is Outcome.EXPIRED
    assert installation.job("after-expired").reason is Reason.DEPENDENCY_FAILED
    assert installation.job("either").state is State.QUEUED


def test_a_held_jobs_own_time_runs_out_all_the_same(installation: Installation) -> None:
    ask(installation, "a")
    ask(installation, "b", "a", max_wait="1h")
    ask(installation, "c", "b")
    installation.clock.advance(hours=2)
    installation.sweep()
    installation.run_asked_cycles()

    assert told(installation.job("b")) == (State.ENDED, Outcome.EXPIRED, Reason.WAITED_TOO_LONG)
    assert installation.job("c").reason is Reason.DEPENDENCY_FAILED


def test_who_is_on_hold_besides_is_released_by_both(installation: Installation) -> None:
    ask(installation, "a")
    ask(installation, "b", "a", hold=True)
    finish(installation, "a")
    assert told(installation.job("b")) == (State.HELD, None, Reason.ON_HOLD)

    installation.command(kind="release", job_id="b")
    assert is_at_work(installation, "b")


def test_a_dependant_that_does_not_fit_waits_at_its_place(installation: Installation) -> None:
    ask(installation, "a")
    ask(installation, "other")
    ask(installation, "b", "a", priority=90)
    ask(installation, "later", priority=10)
    finish(installation, "a")

    assert is_at_work(installation, "later") or is_at_work(installation, "b")
    finish(installation, "other")
    assert is_at_work(installation, "b")


def test_a_dependant_that_no_pool_can_run_is_refused_once_it_is_released(installation: Installation) -> None:
    ask(installation, "a")
    installation.ask(request("b", worker_pool_spec(machine={"machineType": "none"}), depends_on=["a"]))
    assert installation.job("b").state is State.HELD
    finish(installation, "a")

    assert installation.job("b").outcome is Outcome.REJECTED


def test_other_teams_jobs_are_unknown(installing: Installing) -> None:
    teams = [{"name": team, "topics": [f"job-requests.{team}"]} for team in ("research", "vision")]
    installation = installing(settings={"teams": teams, **AT_ONCE})
    installation.ask(request("a"), topic="job-requests.vision")
    installation.ask(request("b", depends_on=["a"]), topic="job-requests.research")

    assert told(installation.job("b")) == (State.ENDED, Outcome.REJECTED, Reason.UNKNOWN_JOB)


# --- what is refused -------------------------------------------------------------------------------------


def test_unknown_ids_are_refused_by_name(installing: Installing) -> None:
    installation = installing(settings=AT_ONCE)
    ask(installation, "a")
    refused = ask(installation, "b", "a", "nobody", "none")

    assert told(refused) == (State.ENDED, Outcome.REJECTED, Reason.UNKNOWN_JOB)
    assert [(each["path"], each["value"]) for each in refused.problems] == [
        ("depends_on[1]", "nobody"),
        ("depends_on[2]", "none"),
    ]
    assert installation.job("a").dependants == ()
    assert len(installation.dead_letters()) == 1


def test_a_request_may_come_before_what_it_depends_on(installation: Installation) -> None:
    """Pub/Sub keeps no order: whoever publishes two in a row must not be refused for that."""
    first = json.dumps(request("a")).encode()

    def comes_late(seconds: float) -> None:
        job_requested.handle(installation.system, installation.delivery("job-requests", first))
        assert seconds < 1

    waits = replace(installation.system, sleep=comes_late)
    body = json.dumps(request("b", depends_on=["a"])).encode()
    job_requested.handle(waits, installation.delivery("job-requests", body))

    assert told(installation.job("b")) == (State.HELD, None, Reason.WAITS_FOR_JOBS)


def test_no_job_waits_for_itself_or_in_a_circle(installing: Installing) -> None:
    """A circle would need an id that is known before its job is: only a refused one is."""
    installation = installing(settings=AT_ONCE)
    assert told(ask(installation, "self", "self")) == (State.ENDED, Outcome.REJECTED, Reason.BAD_REQUEST)
    assert told(ask(installation, "a", "b")) == (State.ENDED, Outcome.REJECTED, Reason.UNKNOWN_JOB)
    b = ask(installation, "b", after("a", "end"))
    assert b.state in WITH_RESERVATION, "a has ended, refused"

    a = ask(installation, "a", "b")

    assert (a.state, [each.job_id for each in a.waits_for]) == (State.HELD, ["b"])
    finish(installation, "b")
    assert is_at_work(installation, "a")
    check(installation, "a", "b")


def test_who_waits_for_a_refused_job_learns_of_it_before_its_id_is_used_again(
    installing: Installing,
) -> None:
    installation = installing(settings=AT_ONCE)
    ask(installation, "first")
    installation.wait_running("first")  # else it is cancelled for being pending for so long
    installation.clock.advance(hours=1)  # what is known of pools is old: it is refused later
    installation.stand_in.behave(errors=[{"method": "GetPersistentResource", "status": 503, "count": 9}])
    installation.ask(request("a", worker_pool_spec(machine={"machineType": "none"})))
    ask(installation, "b", "a")
    installation.stand_in.behave(errors=[])
    installation.sweep()
    assert installation.job("a").outcome is Outcome.REJECTED
    assert installation.job("b").state is State.HELD, "nobody has told it yet"

    again = ask(installation, "a", "b")

    assert told(installation.job("b")) == (State.ENDED, Outcome.CANCELLED, Reason.DEPENDENCY_FAILED)
    assert told(again) == (State.ENDED, Outcome.CANCELLED, Reason.DEPENDENCY_FAILED)
    installation.run_asked_cycles()
    check(installation, "first", "a", "b")


def test_a_job_has_a_bounded_number_of_dependants(installing: Installing) -> None:
    installation = installing(settings=AT_ONCE)
    ask(installation, "a")
    document = installation.documents.read([job_path("research.a")])[0]
    many = tuple(f"j{n}" for n in range(DEPENDANTS_LIMIT))
    full = write_job(replace(installation.job("a"), dependants=many), retention=timedelta(days=30))
    installation.documents.commit([Replace(path=document.path, fields=full, version=document.version)])

    refused = ask(installation, "b", "a")

    assert told(refused) == (State.ENDED, Outcome.REJECTED, Reason.TOO_MANY_WAITING)
    assert refused.problems[0]["problem"] == "1,000 jobs depend on this one, and no more may"


def test_the_same_request_again_changes_nothing(installation: Installation) -> None:
    ask(installation, "a")
    delivery = installation.ask(request("b", depends_on=["a"]))
    job_requested.handle(installation.system, delivery)
    installation.ask(request("b", depends_on=["a"]))

    assert installation.states("b") == ["held"]
    assert installation.job("a").dependants == ("b",)
    finish(installation, "a")
    job_requested.handle(installation.system, delivery)
    assert is_at_work(installation, "b")
    check(installation, "a", "b")


# --- retried ---------------------------------------------------------------------------------------------


def test_a_failed_job_that_is_retried_before_anybody_was_told_is_still_waited_for(
    installation: Installation,
) -> None:
    ask(installation, "a")
    ask(installation, "b", "a")
    installation.finish("a", "FAILED")
    installation.command(kind="retry", job_id="a")
    installation.run_asked_cycles()

    assert told(installation.job("b")) == (State.HELD, None, Reason.WAITS_FOR_JOBS)
    assert installation.resource().unsettled == {}
    finish(installation, "a")
    assert is_at_work(installation, "b")
    check(installation, "a", "b")


def test_a_dependant_that_is_retried_waits_for_what_is_retried_too(installation: Installation) -> None:
    ask(installation, "a")
    ask(installation, "b", "a")
    finish(installation, "a", "FAILED")
    assert installation.job("b").reason is Reason.DEPENDENCY_FAILED

    installation.command(kind="retry", job_id="a")
    assert installation.job("b").state is State.ENDED, "what was decided stays so"
    result = installation.command(kind="retry", job_id="b")

    assert result["message"] == "retried; it is held: waits for a"
    assert installation.job("a").dependants == ("b",)
    finish(installation, "a")
    assert is_at_work(installation, "b")
    check(installation, "a", "b")


def test_a_dependant_that_is_retried_alone_runs_without(installation: Installation) -> None:
    ask(installation, "a")
    finish(installation, "a", "FAILED")
    ask(installation, "b", "a")
    assert installation.job("b").reason is Reason.DEPENDENCY_FAILED

    installation.command(kind="retry", job_id="b")

    assert is_at_work(installation, "b")
    check(installation, "a", "b")


# --- what it costs ---------------------------------------------------------------------------------------


def test_jobs_without_dependencies_cost_no_more_beside_some(installing: Installing) -> None:
    installation = installing(pools=[pool(replicas=1)])

    def run_alone(job_id: str) -> Meter:
        meter = Meter(installation)
        with meter.running():
            ask(installation, job_id)
        installation.finish_quietly(job_id)
        with meter.running():
            installation.deliver_log_lines()
        return meter

    run_alone("before")
    installation.sweep()
    without = run_alone("without").cost
    ask(installation, "late", not_before="2099-01-01T00:00:00Z")
    ask(installation, "held", "late")

    beside = run_alone("beside").cost

    assert (beside.writes, beside.messages) == (without.writes, without.messages)


# --- several resources, and rivals -----------------------------------------------------------------------


def two_resources(project: str) -> list[dict[str, Any]]:
    return [{"project": project, "location": LOCATION, "id": id_, "pools": [pool(SMALL, 2)]} for id_ in "ab"]


def test_the_resource_of_a_dependant_starts_it(installing: Installing, demo_project: str) -> None:
    installation = installing(persistent_resources=two_resources(demo_project))
    ask(installation, "first", on="a")
    ask(installation, "there", "first", on="b")
    ask(installation, "here", "first", on="a")
    installation.finish("first")
    asked = installation.run_asked_cycles()

    assert [each["dependants_of"] for each in asked] == ["research.first"]
    assert is_at_work(installation, "there")
    assert is_at_work(installation, "here")
    check(installation, "first", "there", "here", on=("a", "b"))


def test_a_sweep_tells_them_if_the_message_was_lost(installing: Installing, demo_project: str) -> None:
    installation = installing(persistent_resources=two_resources(demo_project))
    ask(installation, "first", on="a")
    ask(installation, "there", "first", on="b")
    ask(installation, "last", "there", on="a")
    installation.finish("first", "FAILED")
    assert installation.job("there").state is State.HELD

    for _ in range(2):
        installation.clock.advance(seconds=GRACE)
        installation.sweep()

    assert installation.job("there").reason is Reason.DEPENDENCY_FAILED
    assert installation.job("last").reason is Reason.DEPENDENCY_FAILED
    assert installation.resource("a").unsettled == installation.resource("b").unsettled == {}
    check(installation, "first", "there", "last", on=("a", "b"))


def test_many_dependants_at_once(installing: Installing) -> None:
    """More than one commit carries; they are published all at once."""
    installation = installing(pools=[pool(replicas=3)])
    ask(installation, "a")
    names = [f"j{n}" for n in range(50)]
    bodies = [json.dumps(request(each, depends_on=["a"])).encode() for each in names]
    deliveries = [installation.delivery("job-requests", body) for body in bodies]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda each: job_requested.handle(installation.system, each), deliveries))
    assert len(installation.job("a").dependants) == 50

    finish(installation, "a")

    assert sum(is_at_work(installation, each) for each in names) == 3
    assert installation.resource().waiting == 47
    check(installation, "a", *names)


@pytest.mark.parametrize("seed", range(4))
def test_rivals_change_no_result(installing: Installing, seed: int) -> None:
    installation = installing(
        pools=[pool(replicas=4)],
        wrap=lambda documents: Rivalry(documents, seed=seed, probability=0.4),
    )
    ask(installation, "a")
    for n in range(6):
        ask(installation, f"j{n}", "a", *([f"j{n - 1}"] if n else []))
    finish(installation, "a")
    for n in range(6):
        finish(installation, f"j{n}", "FAILED" if n == 3 else "SUCCEEDED") if n < 4 else None

    assert [installation.job(f"j{n}").outcome for n in range(6)] == [
        *[Outcome.SUCCEEDED] * 3,
        Outcome.FAILED,
        *[Outcome.CANCELLED] * 2,
    ]
    check(installation, "a", *(f"j{n}" for n in range(6)))


def test_a_request_races_with_the_end_of_what_it_depends_on(installation: Installation) -> None:
    """Whichever is first: the job is held and learns of the end, or it is decided at once."""
    for n in range(10):
        ask(installation, f"a{n}")
        installation.finish_quietly(f"a{n}")
        (line,), installation.log_lines = installation.log_lines, []
        ended = installation.delivery("job-ended", line)
        body = json.dumps(request(f"b{n}", depends_on=[f"a{n}"])).encode()
        asked = installation.delivery("job-requests", body)
        calls: list[tuple[Any, Delivery]] = [(job_ended.handle, ended), (job_requested.handle, asked)]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda call: call[0](installation.system, call[1]), calls))
        installation.run_asked_cycles()
        installation.sweep()
        assert is_at_work(installation, f"b{n}"), told(installation.job(f"b{n}"))
        installation.finish(f"b{n}")


def test_an_array_waits_for_a_job_and_a_job_for_an_array(installation: Installation) -> None:
    ask(installation, "a")
    ask(installation, "many", "a", array={"size": 2})
    ask(installation, "join", "many")
    assert told(installation.job("many")) == (State.HELD, None, Reason.WAITS_FOR_JOBS)
    finish(installation, "a")
    for n in range(2):
        assert told(installation.job("join")) == (State.HELD, None, Reason.WAITS_FOR_JOBS)
        finish(installation, f"many.{n}")

    assert is_at_work(installation, "join")


@pytest.mark.parametrize("key", ["a/b", "", "research", "..", "research.A", "x" * 2_000, 7, None])
def test_nobody_sends_us_elsewhere_by_a_message(installation: Installation, key: object) -> None:
    ask(installation, "a")
    body = json.dumps({"resource": installation.name.full, "dependants_of": key}).encode()

    swept.handle(installation.system, installation.delivery("sweeps", body))

    check(installation, "a")


# --- processes that die ----------------------------------------------------------------------------------


def on_two_resources(directory: Path, project: str) -> Installation:
    return Installation(directory, project, persistent_resources=two_resources(project))


def sweep(installation: Installation) -> None:
    for _ in range(3):
        installation.clock.advance(seconds=QUIET_PERIOD)
        installation.sweep()


def test_while_it_takes_in_a_dependant(deaths: Deaths) -> None:
    def prepare(installation: Installation) -> Delivery:
        ask(installation, "a", on="a")
        body = request("killed", depends_on=["a"], job_spec={"persistentResourceId": "b"})
        return installation.delivery("job-requests", json.dumps(body).encode())

    def verify(installation: Installation) -> None:
        assert installation.job("a").dependants == ("killed",)
        assert told(installation.job("killed")) == (State.HELD, None, Reason.WAITS_FOR_JOBS)
        finish(installation, "a")
        assert is_at_work(installation, "killed")
        check(installation, "a", "killed", on=("a", "b"))

    deaths.at_each_effect(
        install=on_two_resources,
        repair=sweep,
        handle=job_requested.handle,
        prepare=prepare,
        verify=verify,
    )


def chain(installation: Installation) -> None:
    """One job on each side waits for it, and one more for that."""
    ask(installation, "a", on="a")
    ask(installation, "here", "a", on="a")
    ask(installation, "there", "a", on="b")
    ask(installation, "last", after("there", "failure"), on="a")


def all_is_settled(installation: Installation, *, outcome: Outcome) -> None:
    assert installation.job("a").outcome is outcome
    if outcome is Outcome.SUCCEEDED:
        assert is_at_work(installation, "here")
        assert is_at_work(installation, "there")
        assert installation.job("last").state is State.HELD
    else:
        assert installation.job("here").reason is Reason.DEPENDENCY_FAILED
        assert installation.job("there").reason is Reason.DEPENDENCY_FAILED
        assert is_at_work(installation, "last")
    assert installation.resource("a").unsettled == {}
    check(installation, "a", "here", "there", "last", on=("a", "b"))


@pytest.mark.parametrize("state", ["SUCCEEDED", "FAILED"])
def test_while_it_handles_the_end_that_others_wait_for(deaths: Deaths, state) -> None:
    def prepare(installation: Installation) -> Delivery:
        chain(installation)
        installation.finish_quietly("a", state)
        (line,), installation.log_lines = installation.log_lines, []
        return installation.delivery("job-ended", line)

    deaths.at_each_effect(
        install=on_two_resources,
        repair=sweep,
        handle=job_ended.handle,
        prepare=prepare,
        verify=lambda installation: all_is_settled(installation, outcome=Outcome(state.lower())),
    )


@pytest.mark.parametrize("again", [True, False], ids=["and comes again", "and is lost"])
def test_while_it_tells_those_that_wait(deaths: Deaths, again) -> None:
    def prepare(installation: Installation) -> Delivery:
        chain(installation)
        installation.finish("a", "FAILED")
        body = {"resource": replace(installation.name, id="a").full, "dependants_of": "research.a"}
        return installation.delivery("sweeps", json.dumps(body).encode())

    deaths.at_each_effect(
        install=on_two_resources,
        repair=sweep,
        handle=swept.handle,
        prepare=prepare,
        verify=lambda installation: all_is_settled(installation, outcome=Outcome.FAILED),
        again=again,
    )


def test_while_it_retries_a_dependant(deaths: Deaths) -> None:
    def prepare(installation: Installation) -> Delivery:
        ask(installation, "a", on="a")
        ask(installation, "killed", "a", on="b")
        finish(installation, "a", "FAILED")
        installation.command(kind="retry", job_id="a")
        command = {"id": "c", "kind": "retry", "job_id": "killed", "author": "ada", "reason": "r"}
        return installation.delivery("job-commands", json.dumps(command).encode())

    def verify(installation: Installation) -> None:
        assert told(installation.job("killed")) == (State.HELD, None, Reason.WAITS_FOR_JOBS)
        finish(installation, "a")
        assert is_at_work(installation, "killed")
        check(installation, "a", "killed", on=("a", "b"))

    deaths.at_each_effect(
        install=on_two_resources,
        repair=sweep,
        handle=job_commanded.handle,
        prepare=prepare,
        verify=verify,
    )


def test_while_it_cancels_what_others_wait_for(deaths: Deaths) -> None:
    def prepare(installation: Installation) -> Delivery:
        chain(installation)
        command = {"id": "c", "kind": "cancel", "job_id": "there", "author": "ada", "reason": "r"}
        return installation.delivery("job-commands", json.dumps(command).encode())

    def verify(installation: Installation) -> None:
        assert installation.job("there").reason is Reason.ASKED
        assert is_at_work(installation, "last")
        check(installation, "a", "here", "there", "last", on=("a", "b"))

    deaths.at_each_effect(
        install=on_two_resources,
        repair=sweep,
        handle=job_commanded.handle,
        prepare=prepare,
        verify=verify,
    )
