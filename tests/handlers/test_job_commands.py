"""Commands about jobs in every state, delivered once and again, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from handlers import job_ended
from poolqueue.ports import Replace
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.support.installation import GPU, LOCATION, Installation, pool, request, worker_pool_spec
from tests.support.soundness import check

TWO = (worker_pool_spec(), worker_pool_spec())
TEAMS = [
    {
        "name": "research",
        "topics": ["job-requests"],
        "command_topics": ["research-commands"],
        "priority": {"minimum": 10, "maximum": 60},
    },
    {"name": "vision", "topics": ["vision"], "command_topics": ["vision-commands"]},
]


def held(installation: Installation) -> None:
    installation.ask(request("j", hold=True))


def queued(installation: Installation) -> None:
    installation.ask(request("first", *TWO))
    installation.ask(request("j"))


def reserved(installation: Installation) -> None:
    error = {"method": "CreateCustomJob", "status": 500, "after_effect": True, "count": 1}
    installation.stand_in.behave(errors=[error])
    installation.ask(request("j"))


def submitted(installation: Installation) -> None:
    installation.ask(request("j"))


def running(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")
    installation.sweep()


def cancelling(installation: Installation) -> None:
    running(installation)
    installation.command(kind="cancel", job_id="j")


def ended(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish("j", "FAILED", error={"code": 3, "message": "exit code 1"})


START: dict[State, Callable[[Installation], None]] = {
    State.HELD: held,
    State.QUEUED: queued,
    State.RESERVED: reserved,
    State.SUBMITTED: submitted,
    State.RUNNING: running,
    State.CANCELLING: cancelling,
    State.ENDED: ended,
}
WITH_CUSTOM_JOB = (State.RESERVED, State.SUBMITTED, State.RUNNING)
REFUSED, DONE = "refused", "done"

# For each kind and the state before: the command's result, and the state after.
TABLE: dict[str, dict[State, tuple[str, State]]] = {
    "cancel": {
        State.HELD: (DONE, State.ENDED),
        State.QUEUED: (DONE, State.ENDED),
        **dict.fromkeys(WITH_CUSTOM_JOB, (DONE, State.CANCELLING)),
        State.CANCELLING: (DONE, State.CANCELLING),
        State.ENDED: (DONE, State.ENDED),
    },
    "hold": {
        State.HELD: (DONE, State.HELD),
        State.QUEUED: (DONE, State.HELD),
        **{state: (REFUSED, state) for state in (*WITH_CUSTOM_JOB, State.CANCELLING, State.ENDED)},
    },
    "release": {
        State.HELD: (DONE, State.SUBMITTED),
        **{state: (DONE, state) for state in (State.QUEUED, *WITH_CUSTOM_JOB, State.CANCELLING)},
        State.ENDED: (REFUSED, State.ENDED),
    },
    "change": {
        State.HELD: (DONE, State.HELD),
        State.QUEUED: (DONE, State.QUEUED),
        **{state: (REFUSED, state) for state in (*WITH_CUSTOM_JOB, State.CANCELLING, State.ENDED)},
    },
    "retry": {
        **{state: (REFUSED, state) for state in State if state is not State.ENDED},
        State.ENDED: (DONE, State.SUBMITTED),
    },
    "requeue": {
        **{state: (REFUSED, state) for state in (State.HELD, State.QUEUED)},
        **dict.fromkeys(WITH_CUSTOM_JOB, (DONE, State.CANCELLING)),
        **{state: (REFUSED, state) for state in (State.CANCELLING, State.ENDED)},
    },
}
CASES = [(kind, state, *expected) for kind, row in TABLE.items() for state, expected in row.items()]
FIELDS: dict[str, dict[str, Any]] = {"change": {"priority": 70}}


def forget_result(installation: Installation, command: str) -> None:
    """As if the process had died before it recorded the result."""
    document = installation.documents.read([f"commands/{command}"])[0]
    assert document.fields is not None
    fields = {key: value for key, value in document.fields.items() if key not in {"message", "finished_at"}}
    write = Replace(path=document.path, fields={**fields, "result": None}, version=document.version)
    installation.documents.commit([write])


@pytest.mark.parametrize(
    ("kind", "start", "result", "after"), CASES, ids=[f"{kind}-{state}" for kind, state, *_ in CASES]
)
def test_every_command_in_every_state_once_and_again(
    installation: Installation, kind: str, start: State, result: str, after: State
) -> None:
    START[start](installation)
    assert installation.job("j").state is start
    command = {"id": "c", "kind": kind, "job_id": "j", **FIELDS.get(kind, {})}
    before = installation.states("j")

    told = installation.command(**command)
    job = installation.job("j")
    forget_result(installation, "c")
    again = installation.command(**command)

    assert (told["result"], job.state) == (result, after), told["message"]
    assert again["result"] == result, again["message"]
    assert installation.states("j") == [entry.state.value for entry in job.history]
    by_command = [entry for entry in job.history if entry.command == "c"]
    if result == REFUSED or installation.states("j") == before:
        assert not by_command
    else:
        (entry,) = by_command
        assert entry.note is not None
        assert "tester: a test" in entry.note


def test_the_table_knows_every_state() -> None:
    assert all(row.keys() == set(State) for row in TABLE.values())


# --- change ----------------------------------------------------------------------------------------------


def test_a_raised_priority_takes_effect_and_is_told(installation: Installation) -> None:
    installation.ask(request("first", *TWO))
    for job_id in ("before", "j"):
        installation.ask(request(job_id, *TWO))

    installation.command(kind="change", job_id="j", priority=80, reason="urgent")
    installation.finish("first")

    assert installation.job("j").state is State.SUBMITTED
    assert installation.job("before").state is State.QUEUED
    told = next(each for each in installation.outcomes("j") if each.get("reason") == "changed")
    assert told["note"] == "priority 50 -> 80; tester: urgent"
    check(installation, "first", "before", "j")


def test_a_changed_deadline_ends_the_job_then_and_none_never(installation: Installation) -> None:
    soon = (installation.clock() + timedelta(hours=1)).isoformat()
    installation.ask(request("first", *TWO))
    for job_id in ("j", "other"):
        installation.ask(request(job_id, *TWO, deadline=soon))

    later = (installation.clock() + timedelta(hours=3)).isoformat()
    installation.command(kind="change", job_id="j", deadline=later)
    installation.command(kind="change", job_id="other", deadline="none", max_wait="5h")
    installation.clock.advance(hours=2)
    installation.sweep()
    assert installation.states("j")[-1] == installation.states("other")[-1] == "queued"
    installation.clock.advance(hours=2)
    installation.sweep()
    assert installation.job("j").reason is Reason.DEADLINE_PASSED
    installation.clock.advance(hours=2)
    installation.sweep()

    assert installation.job("other").reason is Reason.WAITED_TOO_LONG


def test_new_alternatives_let_a_job_go_elsewhere_at_once(installing, demo_project: str) -> None:
    has = [
        {"project": demo_project, "location": LOCATION, "id": id_, "pools": [pool()]}
        for id_ in ("shared", "other")
    ]
    installation = installing(persistent_resources=has)
    installation.ask(request("known", job_spec={"persistentResourceId": "other"}))
    queued(installation)

    installation.command(kind="change", job_id="j", alternatives=["other"])
    installation.run_asked_cycles()

    job = installation.job("j")
    assert (job.resource, job.state) == (f"{demo_project}.{LOCATION}.other", State.SUBMITTED)
    check(installation, "known", "first", "j", on=("shared", "other"))


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ({"priority": 61}, "priorities from 10 to 60"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "has passed"),
        ({"alternatives": ["projects/other/locations/nowhere/persistentResources/x"]}, "may not use it"),
    ],
)
def test_what_a_team_may_not_have_or_what_would_end_the_job_is_refused(installing, terms, told) -> None:
    installation = installing(settings={"teams": TEAMS})
    queued(installation)

    refused = installation.command(topic="research-commands", kind="change", job_id="j", **terms)

    assert refused["result"] == "refused"
    assert told in refused["message"]
    assert len(installation.states("j")) == 2


def test_a_max_wait_that_is_over_already_is_refused(installation: Installation) -> None:
    queued(installation)
    installation.clock.advance(hours=2)

    refused = installation.command(kind="change", job_id="j", max_wait="1h")

    assert "has waited for longer" in refused["message"]


def test_a_change_to_what_is_so_already_is_done_and_leaves_no_trace(installation: Installation) -> None:
    queued(installation)

    told = installation.command(kind="change", job_id="j", priority=50, alternatives=[])

    assert (told["result"], told["message"]) == ("done", "it is so already")
    assert len(installation.states("j")) == 2


def test_a_changed_job_is_still_the_same_request(installation: Installation) -> None:
    queued(installation)
    installation.command(kind="change", job_id="j", priority=70)

    installation.ask(request("j"))

    assert installation.job("j").priority == 70
    assert len(installation.outcomes("j")) == 3


# --- retry -----------------------------------------------------------------------------------------------


def test_a_retried_job_is_a_new_attempt_of_the_same_job(installation: Installation) -> None:
    ended(installation)
    before = installation.job("j")

    installation.command(kind="retry", job_id="j", reason="the data is there now")
    installation.finish("j")

    job = installation.job("j")
    assert (job.outcome, job.attempt, job.error) == (Outcome.SUCCEEDED, 2, None)
    assert job.history[: len(before.history)] == before.history
    assert job.custom_job != before.custom_job
    assert [body["sequence"] for body in installation.outcomes("j")] == [*range(1, job.sequence + 1)]
    outcomes = [body["outcome"] for body in installation.outcomes("j") if "outcome" in body]
    assert outcomes == ["failed", "succeeded"]
    check(installation, "j")


def test_a_late_line_of_the_attempt_before_changes_nothing_of_a_retried_job(
    installation: Installation,
) -> None:
    installation.ask(request("j"))
    installation.finish_quietly("j", "FAILED")
    lines = [*installation.log_lines]
    installation.deliver_log_lines()
    installation.command(kind="retry", job_id="j")

    installation.log_lines = lines
    installation.deliver_log_lines()

    assert installation.job("j").state is State.SUBMITTED
    check(installation, "j")


def test_a_retried_job_waits_as_if_it_had_just_arrived(installation: Installation) -> None:
    installation.ask(request("j", *TWO, max_wait="1h"))
    installation.finish("j", "FAILED")
    installation.clock.advance(hours=5)
    for job_id in ("first", "before"):
        installation.ask(request(job_id, *TWO))

    installation.command(kind="retry", job_id="j")
    installation.finish("first")

    assert installation.job("before").state is State.SUBMITTED
    assert installation.job("j").state is State.QUEUED
    installation.clock.advance(hours=1)
    installation.sweep()
    assert installation.job("j").reason is Reason.WAITED_TOO_LONG
    assert "ended_at" in installation.documents.read(["jobs/research.j"])[0].fields


def test_a_retried_job_is_no_longer_among_those_that_ended(installation: Installation) -> None:
    ended(installation)
    installation.ask(request("first", *TWO))

    installation.command(kind="retry", job_id="j")

    fields = installation.documents.read(["jobs/research.j"])[0].fields
    assert fields["state"] == "queued"
    assert not {"ended_at", "outcome", "error", "token", "custom_job"} & fields.keys()


def test_a_command_that_comes_again_after_the_retried_job_has_ended_retries_nothing(
    installation: Installation,
) -> None:
    ended(installation)
    retry = {"id": "r", "kind": "retry", "job_id": "j"}
    installation.command(**retry)
    installation.finish("j")
    forget_result(installation, "r")

    told = installation.command(**retry)

    assert told["result"] == "done"
    assert installation.job("j").state is State.ENDED


def test_a_job_whose_deadline_has_passed_is_retried_with_a_later_one(installation: Installation) -> None:
    soon = installation.clock() + timedelta(hours=1)
    installation.ask(request("j", deadline=soon.isoformat()))
    installation.finish("j", "FAILED")
    installation.clock.advance(hours=2)

    refused = installation.command(kind="retry", job_id="j")
    later = (installation.clock() + timedelta(hours=1)).isoformat()
    told = installation.command(kind="retry", job_id="j", deadline=later, priority=60)

    assert (refused["result"], told["result"]) == ("refused", "done")
    assert "give a later one" in refused["message"]
    assert installation.job("j").priority == 60
    assert installation.job("j").state is State.SUBMITTED


def test_what_was_refused_before_it_waited_is_published_again_not_retried(installation: Installation) -> None:
    installation.ask({"job_id": "j", "custom_job": {"displayName": "j"}})

    told = installation.command(kind="retry", job_id="j")

    assert told["result"] == "refused"
    assert "publish it again" in told["message"]


def test_a_job_that_its_pools_could_not_run_is_held_against_them_anew(installation: Installation) -> None:
    installation.ask(request("before"))
    installation.ask(request("j", worker_pool_spec(machine=GPU)))
    assert installation.job("j").outcome is Outcome.REJECTED
    installation.command(kind="retry", job_id="j")
    assert installation.states("j")[-2:] == ["queued", "ended"]

    installation.stand_in.change_pools(resource="shared", add=[pool(GPU, 1)])
    installation.sweep()
    installation.command(kind="retry", job_id="j")

    assert installation.job("j").state is State.SUBMITTED
    check(installation, "before", "j")


def test_a_team_retries_nothing_that_it_may_not_have_any_more(installing) -> None:
    installation = installing(settings={"teams": TEAMS})
    ended(installation)
    fewer = {**installation.fields, "teams": [{**TEAMS[0], "image_prefixes": ["other/"]}, TEAMS[1]]}
    assert installation.command(kind="apply", settings=json.dumps(fewer))["result"] == "done"

    told = installation.command(topic="research-commands", kind="retry", job_id="j")

    assert told["result"] == "refused"
    assert "may not use it" in told["message"]


# --- requeue ---------------------------------------------------------------------------------------------


def end_the_cancelled(installation: Installation) -> None:
    installation.wait(lambda: installation.log_lines, "the log line of the cancelled attempt")
    installation.deliver_log_lines()


def test_a_requeued_job_is_cancelled_at_vertex_ai_and_runs_again_uncharged(
    installation: Installation,
) -> None:
    running(installation)
    first = installation.job("j")

    told = installation.command(kind="requeue", job_id="j", reason="bad node")
    end_the_cancelled(installation)

    job = installation.job("j")
    assert told["message"] == "Vertex AI is cancelling it, and it waits again then"
    assert (job.state, job.attempt, job.setbacks, job.not_before) == (State.SUBMITTED, 2, 0, None)
    assert job.custom_job != first.custom_job
    assert installation.state_of(first.custom_job or "") == "CANCELLED"
    said = [(entry.state, entry.reason, entry.note) for entry in job.history][4:6]
    assert said == [
        (State.CANCELLING, Reason.REQUEUE_ASKED, "tester: bad node"),
        (State.QUEUED, Reason.REQUEUE_ASKED, "tester: bad node"),
    ]
    check(installation, "j")


def test_a_requeued_job_may_be_held_until_it_is_released(installation: Installation) -> None:
    running(installation)

    installation.command(kind="requeue", job_id="j", hold=True)
    end_the_cancelled(installation)
    assert installation.job("j").state is State.HELD
    installation.command(kind="release", job_id="j")

    assert installation.job("j").state is State.SUBMITTED
    check(installation, "j")


def test_a_requeued_job_that_is_cancelled_before_its_attempt_ended_ends(installation: Installation) -> None:
    running(installation)

    installation.command(kind="requeue", job_id="j")
    installation.command(kind="cancel", job_id="j")
    end_the_cancelled(installation)

    job = installation.job("j")
    assert (job.outcome, job.reason) == (Outcome.CANCELLED, Reason.ASKED)
    check(installation, "j")


def test_a_job_requeued_before_vertex_ai_answered_is_cancelled_once_it_is_found(
    installation: Installation,
) -> None:
    reserved(installation)

    told = installation.command(kind="requeue", job_id="j")
    assert "once Vertex AI has answered" in told["message"]
    installation.clock.advance(seconds=61)
    installation.sweep()
    end_the_cancelled(installation)

    assert installation.states("j") == [
        "queued", "reserved", "cancelling", "queued", "reserved", "submitted",
    ]  # fmt: skip
    check(installation, "j")


def test_a_requeue_whose_cancel_vertex_ai_did_not_hear_is_repeated_by_the_sweep(
    installation: Installation,
) -> None:
    running(installation)
    installation.stand_in.behave(errors=[{"method": "CancelCustomJob", "status": 503, "count": 1}])

    told = installation.command(kind="requeue", job_id="j")
    assert "did not answer" in told["message"]
    installation.clock.advance(seconds=61)
    installation.sweep()
    end_the_cancelled(installation)

    assert installation.job("j").state is State.SUBMITTED
    check(installation, "j")


# --- whose -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*TABLE])
def test_a_teams_topic_commands_its_own_jobs_alone(installing, kind: str) -> None:
    installation = installing(settings={"teams": TEAMS})
    queued(installation)
    before = installation.job("j")

    for named in ({}, {"team": "research"}):
        told = installation.command(
            topic="vision-commands", kind=kind, job_id="j", **FIELDS.get(kind, {}), **named
        )
        assert told["result"] == "refused"

    assert installation.job("j") == before


# --- racing ----------------------------------------------------------------------------------------------


def test_commands_and_cycles_that_race_lose_no_job_and_start_none_that_is_held(installing) -> None:
    installation = installing(pools=[pool(replicas=3)])
    job_ids = [f"j{number}" for number in range(24)]
    for job_id in job_ids:
        installation.ask(request(job_id))
    waiting = job_ids[3:]

    def command(number: int) -> None:
        job_id = waiting[number % len(waiting)]
        for kind in ("hold", "change", "release", "hold"):
            installation.command(
                id=f"{kind}-{number}-{job_id}", kind=kind, job_id=job_id, **FIELDS.get(kind, {})
            )

    for job_id in job_ids[:3]:
        installation.finish_quietly(job_id)
    lines, installation.log_lines = installation.log_lines, []
    ends = [installation.delivery("job-ended", line) for line in lines]

    with ThreadPoolExecutor(6) as threads:
        calls = [threads.submit(command, number) for number in range(12)]
        calls += [threads.submit(job_ended.handle, installation.system, each) for each in ends]
        for call in calls:
            call.result()

    check(installation, *job_ids)
    jobs = [installation.job(job_id) for job_id in job_ids]
    assert all(job.holds for job in jobs if job.state is State.HELD)
    assert sum(job.state in {State.SUBMITTED, State.RUNNING} for job in jobs) == 3
    for job in jobs:
        if job.state is State.HELD:
            installation.command(kind="release", job_id=job.job_id)
    assert not any(job.state is State.HELD for job in map(installation.job, job_ids))
    check(installation, *job_ids)
