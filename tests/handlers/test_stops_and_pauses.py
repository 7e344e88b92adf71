"""Pools that are stopped, and teams that are paused."""

from __future__ import annotations

import re

import pytest

from poolqueue.records import PAUSES_PATH, read_pauses
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.handlers.test_holds import view
from tests.handlers.test_job_commands import forget_result
from tests.support.installation import GPU, LOCATION, SMALL, Installation, pool, request, worker_pool_spec
from tests.support.meter import Meter
from tests.support.soundness import check

TWO = (worker_pool_spec(), worker_pool_spec())
TEAMS = [
    {"name": "research", "topics": ["job-requests"], "command_topics": ["research-commands"]},
    {"name": "vision", "topics": ["vision"]},
]


def end_the_cancelled(installation: Installation, many: int) -> None:
    installation.wait(lambda: len(installation.log_lines) >= many, "the log lines of what was cancelled")
    installation.deliver_log_lines()


@pytest.fixture
def two_teams(installing) -> Installation:
    installation = installing(settings={"teams": TEAMS})
    installation.ask(request("before"))
    return installation


# --- stop ------------------------------------------------------------------------------------------------


def test_a_stopped_resource_puts_back_what_runs_and_starts_it_after_it_is_resumed(
    installation: Installation,
) -> None:
    for job_id in ("a", "b", "waits"):
        installation.ask(request(job_id))
        if job_id != "waits":
            installation.wait_running(job_id)

    told = installation.command(kind="stop", persistent_resource="shared", reason="new driver")
    end_the_cancelled(installation, 2)

    assert told["result"] == "done"
    assert "research/a, research/b" in told["message"]
    for job_id in ("a", "b"):
        job = installation.job(job_id)
        assert (job.state, job.reason) == (State.QUEUED, Reason.REQUEUE_ASKED)
        assert job.history[-1].note == "tester: new driver"
    assert {(each.reason, each.note) for each in view(installation).waiting} == {
        (Reason.DRAINED, "all of it, by tester: new driver")
    }
    installation.command(kind="resume", persistent_resource="shared")
    states = [installation.job(job_id).state for job_id in ("a", "b", "waits")]
    assert states == [State.SUBMITTED, State.QUEUED, State.SUBMITTED], "waits was promised the next start"
    check(installation, "a", "b", "waits")


def test_a_stopped_pool_cancels_what_runs_there_if_that_is_asked(installing) -> None:
    installation = installing(pools=[pool(SMALL, 1, id="small"), pool(GPU, 1, id="gpu")])
    installation.ask(request("small"))
    installation.ask(request("gpu", worker_pool_spec(machine=GPU)))
    installation.wait_running("gpu")

    installation.command(kind="stop", persistent_resource="shared", pool="gpu", running="cancel")
    end_the_cancelled(installation, 1)

    assert (installation.job("gpu").outcome, installation.job("gpu").reason) == (
        Outcome.CANCELLED,
        Reason.ASKED,
    )
    assert installation.job("small").state is State.SUBMITTED
    check(installation, "small", "gpu")


def test_a_stop_that_comes_again_stops_nothing_that_was_resumed_since(installation: Installation) -> None:
    installation.ask(request("a"))
    installation.wait_running("a")
    stop = {"id": "s", "kind": "stop", "persistent_resource": "shared"}
    installation.command(**stop)
    end_the_cancelled(installation, 1)
    installation.command(kind="resume", persistent_resource="shared")

    installation.command(**stop)

    assert installation.job("a").state is State.SUBMITTED
    assert not installation.resource().drained


def test_a_stop_whose_process_died_goes_on_when_it_comes_again(installation: Installation) -> None:
    installation.ask(request("a"))
    installation.wait_running("a")
    stop = {"id": "s", "kind": "stop", "persistent_resource": "shared"}
    installation.command(**stop)
    forget_result(installation, "s")

    again = installation.command(**stop)
    end_the_cancelled(installation, 1)

    assert again["result"] == "done"
    assert installation.states("a").count("cancelling") == 1
    check(installation, "a")


def test_foreign_use_of_what_is_stopped_is_told(installation: Installation) -> None:
    installation.ask(request("a"))
    installation.submit_directly(worker_pool_spec())
    installation.sweep()

    told = installation.command(kind="stop", persistent_resource="shared")

    assert "1 replicas are held by custom jobs that did not come through the queue" in told["message"]


# --- again, late, and out of order -----------------------------------------------------------------------


def test_a_drain_whose_process_died_drains_nothing_when_it_comes_again_after_a_resume(
    installation: Installation,
) -> None:
    installation.ask(request("a", *TWO))
    drain = installation.publish_command(id="d", kind="drain", persistent_resource="shared", author="ann")
    installation.deliver_command(drain)
    forget_result(installation, "d")
    installation.command(
        id="r", kind="resume", persistent_resource="shared", author="bob", reason="it is back"
    )

    told = installation.deliver_command(drain)

    assert (told["result"], told["overtaken_by"]) == ("refused", "r")
    assert re.fullmatch(
        r"overtaken: shared was resumed by bob \(it is back\), published at .*\.\d{3}Z, after this drain at"
        r" .*\.\d{3}Z; it stays so\. If it is still to be drained, ask again",
        told["message"],
    )
    assert not installation.resource().drained
    installation.ask(request("b", *TWO))
    installation.finish("a")
    assert installation.job("b").state is State.SUBMITTED


def test_a_drain_that_comes_twice_is_one_with_the_time_of_the_first(installation: Installation) -> None:
    installation.ask(request("a"))
    drain = installation.publish_command(id="d", kind="drain", persistent_resource="shared")
    installation.deliver_command(drain)
    first = installation.resource().drained
    forget_result(installation, "d")
    installation.clock.advance(seconds=30)

    told = installation.deliver_command(drain)

    assert told["result"] == "done"
    assert installation.resource().drained == first


@pytest.mark.parametrize(("earlier", "later"), [("drain", "resume"), ("stop", "resume"), ("resume", "drain")])
def test_of_two_commands_that_come_out_of_order_the_one_published_last_counts(
    installation: Installation, earlier: str, later: str
) -> None:
    installation.ask(request("a"))
    installation.wait_running("a")
    if later == "drain":
        installation.command(kind="drain", persistent_resource="shared", reason="the first")
    late = installation.publish_command(kind=earlier, persistent_resource="shared")
    installation.clock.advance(days=1)
    installation.command(kind=later, persistent_resource="shared", reason="the last")

    told = installation.deliver_command(late)

    assert told["result"] == "refused"
    assert re.search(r"\(the last\), published at 20\d\d-\d\d-\d\d \d\d:", told["message"])
    assert [drain.reason for drain in installation.resource().drained.values()] == (
        ["the last"] if later == "drain" else []
    )
    assert installation.job("a").state is State.SUBMITTED, "a late stop leaves alone what runs"


def test_a_drain_that_another_has_overtaken_is_done(installation: Installation) -> None:
    installation.ask(request("a"))
    drain = installation.publish_command(kind="drain", persistent_resource="shared")
    installation.command(kind="drain", persistent_resource="shared", reason="the last")

    assert installation.deliver_command(drain)["result"] == "done"
    assert installation.resource().drained["*"].reason == "the last"


def test_a_stop_that_comes_again_leaves_alone_what_started_since_and_is_to_go_on(
    installation: Installation,
) -> None:
    installation.ask(request("a"))
    installation.wait_running("a")
    stop = installation.publish_command(id="s", kind="stop", persistent_resource="shared")
    installation.deliver_command(stop)
    end_the_cancelled(installation, 1)
    forget_result(installation, "s")
    installation.command(kind="resume", persistent_resource="shared")
    installation.command(kind="drain", persistent_resource="shared")

    told = installation.deliver_command(stop)

    assert told["message"].startswith("overtaken: shared was drained by tester")
    assert installation.job("a").state is State.SUBMITTED


def test_a_command_that_is_published_once_more_under_its_id_is_no_later_one(
    installation: Installation,
) -> None:
    installation.ask(request("a"))
    drain = {"id": "d", "kind": "drain", "persistent_resource": "shared"}
    installation.command(**drain)
    forget_result(installation, "d")
    installation.command(kind="resume", persistent_resource="shared")

    assert installation.command(**drain)["result"] == "refused"
    assert not installation.resource().drained


@pytest.mark.parametrize(("earlier", "later"), [("pause", "unpause"), ("unpause", "pause")])
def test_of_two_commands_about_a_team_the_one_published_last_counts(
    two_teams: Installation, earlier: str, later: str
) -> None:
    if later == "pause":
        two_teams.command(kind="pause", team="research", reason="the first")
    late = two_teams.publish_command(kind=earlier, team="research")
    two_teams.command(kind=later, team="research", author="bob", reason="the last")

    told = two_teams.deliver_command(late)

    assert told["result"] == "refused"
    assert told["message"].startswith(f"overtaken: team research was {later}d by bob (the last), published")
    assert [*two_teams.resource().pauses.teams] == (["research"] if later == "pause" else [])


# --- pause -----------------------------------------------------------------------------------------------


def test_nothing_of_a_paused_team_is_admitted_and_its_jobs_say_by_whom_and_why(
    two_teams: Installation,
) -> None:
    told = two_teams.command(kind="pause", team="research", author="ann", reason="budget is spent")
    two_teams.ask(request("j"))
    two_teams.ask(request("theirs"), topic="vision")

    assert told["result"] == "done"
    assert two_teams.job("before").state is State.SUBMITTED
    assert two_teams.job("theirs", team="vision").state is State.SUBMITTED
    job = two_teams.job("j")
    assert (job.state, job.reason) == (State.QUEUED, Reason.TEAM_PAUSED)
    assert two_teams.outcomes("j")[-1]["note"] == "team research, by ann: budget is spent"
    (shown,) = view(two_teams).waiting
    assert (shown.reason, shown.note) == (Reason.TEAM_PAUSED, "team research, by ann: budget is spent")
    two_teams.finish("before")
    two_teams.sweep()
    assert two_teams.job("j").state is State.QUEUED

    two_teams.command(kind="unpause", team="research")

    assert two_teams.job("j").state is State.SUBMITTED
    check(two_teams, "before", "j", teams={"theirs": "vision"})


def test_a_paused_team_holds_nothing_up(installing) -> None:
    installation = installing(settings={"teams": TEAMS})
    installation.ask(request("first", *TWO), topic="vision")
    installation.ask(request("j", *TWO))
    installation.command(kind="pause", team="research")
    installation.ask(request("small"), topic="vision")
    installation.command(kind="cancel", job_id="first", team="vision")
    installation.wait(lambda: installation.log_lines, "the end of the first")
    installation.deliver_log_lines()

    assert installation.job("j").state is State.QUEUED
    assert installation.job("small", team="vision").state is State.SUBMITTED


def test_a_resource_that_is_named_for_the_first_time_knows_what_is_paused(
    installing, demo_project: str
) -> None:
    has = [
        {"project": demo_project, "location": LOCATION, "id": id_, "pools": [pool()]}
        for id_ in ("shared", "new")
    ]
    installation = installing(persistent_resources=has)
    installation.ask(request("before"))
    installation.command(kind="pause", team="research")

    installation.ask(request("j", job_spec={"persistentResourceId": "new"}))
    installation.sweep()

    assert installation.job("j").reason is Reason.TEAM_PAUSED
    installation.command(kind="unpause", team="research")
    assert installation.job("j").state is State.SUBMITTED


def test_pausing_costs_cycles_no_reads(two_teams: Installation) -> None:
    def cost_of(job_id: str) -> int:
        meter = Meter(two_teams)
        with meter.running():
            two_teams.ask(request(job_id), topic="vision")
        return int(meter.cost.reads)

    two_teams.sweep()
    without = cost_of("one")
    two_teams.finish("before")
    two_teams.command(kind="pause", team="research")

    assert cost_of("two") == without


def test_a_team_is_paused_once_and_unpaused_once(two_teams: Installation) -> None:
    messages = [
        two_teams.command(kind=kind, team="research", reason="why", author="ann")["message"]
        for kind in ("pause", "pause", "unpause", "unpause")
    ]

    assert messages[1] == "team research is paused already, by ann: why"
    assert messages[3] == "team research is not paused"
    pauses = read_pauses(two_teams.documents.read([PAUSES_PATH])[0].fields)
    assert (pauses.version, dict(pauses.teams)) == (2, {})


def test_a_pause_that_comes_again_after_the_team_was_unpaused_pauses_nothing(two_teams: Installation) -> None:
    pause = {"id": "p", "kind": "pause", "team": "research"}
    two_teams.command(**pause)
    two_teams.command(kind="unpause", team="research")
    forget_result(two_teams, "p")

    two_teams.command(**pause)
    two_teams.ask(request("j"))

    assert two_teams.job("j").state is State.SUBMITTED


def test_an_unknown_team_is_not_paused(two_teams: Installation) -> None:
    told = two_teams.command(kind="pause", team="speech")

    assert (told["result"], told["message"]) == ("refused", "team: speech is none of research, vision")


@pytest.mark.parametrize(
    "command",
    [
        {"kind": "pause", "team": "research"},
        {"kind": "unpause", "team": "research"},
        {"kind": "stop", "persistent_resource": "shared"},
        {"kind": "resume", "persistent_resource": "shared"},
    ],
    ids=lambda command: command["kind"],
)
def test_a_teams_topic_neither_stops_pools_nor_pauses_teams(two_teams: Installation, command) -> None:
    told = two_teams.command(topic="research-commands", **command)

    assert told["result"] == "refused"
    assert "administrators' topic" in told["message"]
    assert not two_teams.resource().pauses.teams
    assert not two_teams.resource().drained
