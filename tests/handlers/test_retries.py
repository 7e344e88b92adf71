"""Attempts that end badly, through the whole system in memory: what is tried again, when and where."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handlers import job_ended
from poolqueue.cli.dry_run import Asked, DryRun, Variations
from poolqueue.cli.dry_run_shown import facts_of
from poolqueue.records import read_run_times, run_times_path
from poolqueue.scheduling.jobs import Outcome, Reason, State
from poolqueue.scheduling.retries import charged
from poolqueue.viewing.reading import Reader
from tests.support.installation import DISK, GPU, SMALL, Installation, pool, request, worker_pool_spec
from tests.support.soundness import check

LARGE = {"machineType": "n1-highmem-16"}
KILLED = {
    "code": 3,
    "message": "The replica workerpool0-0 ran out of memory and exited with a non-zero status of 137.",
}
EXITED = {"code": 3, "message": "The replica workerpool0-0 exited with a non-zero status of 1."}
NO_IMAGE = {"code": 3, "message": "The image demo/image could not be pulled."}
INTERNAL = {"code": 13, "message": "Internal error occurred for the current attempt"}
STOCKOUT = {
    "code": 8,
    "message": "Resources are insufficient in region: us-central1. Try a different region.",
}
LARGER_ONCE = {"exit_code": 137, "retry": "once", "pool": "large"}
NEVER = {"error": "INVALID_ARGUMENT", "retry": "never"}
RULES = {"rules": [LARGER_ONCE, NEVER]}
SOON = {"backoff": "1s", "longest_backoff": "1s"}


@pytest.fixture
def here(installing: Any) -> Installation:
    """A small and a larger pool; both are known."""
    installation = installing(
        pools=[pool(SMALL, 2, id="small"), pool(LARGE, 1, id="large"), pool(GPU, 1, id="gpu")]
    )
    installation.ask(request("first"))
    installation.sweep()
    return installation


def fail(installation: Installation, job_id: str, error: dict[str, Any]) -> None:
    installation.finish(job_id, "FAILED", error=error)


def pause_is_over(installation: Installation) -> None:
    installation.clock.advance(seconds=40)
    installation.sweep()


def machine_at_vertex(installation: Installation, job_id: str) -> Any:
    name = installation.job(job_id).custom_job
    (spec,) = installation.call("GET", name)["jobSpec"]["workerPoolSpecs"]
    return spec["machineSpec"]["machineType"], spec["diskSpec"]


def test_exit_code_137_is_tried_again_once_on_the_larger_pool(here: Installation) -> None:
    here.ask(request("j", retries=RULES))
    fail(here, "j", KILLED)
    waiting = here.job("j")
    assert (waiting.state, waiting.reason, waiting.attempt) == (State.QUEUED, Reason.RETRIED, 1)

    pause_is_over(here)
    assert machine_at_vertex(here, "j") == ("n1-highmem-16", DISK)
    fail(here, "j", KILLED)

    job = here.job("j")
    assert (job.state, job.outcome, job.attempt, charged(job.failures)) == (State.ENDED, Outcome.FAILED, 2, 2)
    assert job.history[-1].note is not None
    assert job.history[-1].note.startswith("rule 1 (exit code 137): tried again 1 time already")
    assert not [each for each in here.resource().reservations.values() if each.job_id == "j"]
    check(here, "first", "j")


def test_it_is_announced_with_the_charged_attempts_and_the_rule(here: Installation) -> None:
    here.ask(request("j", retries=RULES))
    fail(here, "j", KILLED)
    pause_is_over(here)
    fail(here, "j", KILLED)

    told = [each for each in here.outcomes("j") if "failure" in each]
    assert [(each["state"], each.get("reason"), each["error"]) for each in told] == [
        ("queued", "retried", KILLED["message"]),
        ("ended", None, KILLED["message"]),
    ]
    about = {"attempts": 3, "is_charged": True, "rule": 1, "exit_codes": [137]}
    assert [each["failure"] for each in told] == [{"charged": 1, **about}, {"charged": 2, **about}]


def test_on_the_larger_pool_it_may_well_succeed(here: Installation) -> None:
    here.ask(request("j", retries=RULES))
    fail(here, "j", KILLED)
    pause_is_over(here)
    here.finish("j")

    job = here.job("j")
    assert (job.outcome, job.error, job.attempt) == (Outcome.SUCCEEDED, None, 2)
    (failure,) = job.failures
    assert (failure.attempt, failure.exit_codes, failure.rule) == (1, (137,), 1)
    check(here, "first", "j")


def test_invalid_argument_is_never_tried_again(here: Installation) -> None:
    here.ask(request("j", retries={"attempts": 5, "rules": [LARGER_ONCE, NEVER, {"outcome": "failed"}]}))
    fail(here, "j", NO_IMAGE)

    job = here.job("j")
    assert (job.outcome, job.attempt) == (Outcome.FAILED, 1)
    assert job.history[-1].note == f"rule 2 (error INVALID_ARGUMENT): never. {NO_IMAGE['message']}"
    assert here.outcomes("j")[-1]["failure"]["error_class"] == "INVALID_ARGUMENT"


def test_a_job_without_retries_ends_at_its_first_failure(here: Installation) -> None:
    here.ask(request("j"))
    fail(here, "j", EXITED)

    assert (here.job("j").outcome, here.job("j").history[-1].note) == (Outcome.FAILED, EXITED["message"])


def test_preemption_capacity_and_internal_errors_charge_nothing(installing: Any) -> None:
    installation = installing(
        pools=[pool(replicas=1)],
        settings={
            "teams": [
                {"name": "research", "topics": ["job-requests"]},
                {"name": "vision", "topics": ["job-requests.vision"]},
            ],
            "resource_defaults": {"preemption": "lent", "quotas": {"vision": {"*": {"guaranteed": 1}}}},
        },
    )
    ends = [
        {"display_name": "j", **STOCKOUT, "before_running": True, "count": 1},
        {"display_name": "j", **INTERNAL, "count": 1},
    ]
    installation.stand_in.behave(endings=ends)
    installation.ask(request("j", retries={"attempts": 2, **SOON}))

    def until_running() -> bool:
        installation.clock.advance(seconds=61)
        installation.sweep()
        installation.deliver_log_lines()
        job = installation.job("j")
        return job.state is State.RUNNING and len(job.failures) == 1

    installation.wait(until_running, "the job to run at last")
    installation.ask(request("owner"), topic="job-requests.vision")

    def preempted() -> int:
        installation.deliver_log_lines()
        return installation.job("j").preemptions

    installation.wait(preempted, "the end of its attempt")
    reasons = [entry.reason for entry in installation.job("j").history if entry.state is State.QUEUED]
    assert {Reason.CAPACITY_REFUSED, Reason.RETRIED, Reason.PREEMPTED} <= set(reasons)
    assert charged(installation.job("j").failures) == 0
    owner = installation.job("owner", team="vision")
    installation.wait(lambda: installation.state_of(owner.custom_job) == "RUNNING", "the owner to run")
    installation.end(owner.custom_job)
    installation.wait(until_running, "the job to run again")
    fail(installation, "j", EXITED)

    job = installation.job("j")
    assert (job.outcome, charged(job.failures), len(job.failures)) == (None, 1, 2)
    check(installation, "j", teams={"owner": "vision"})


def test_what_vertex_ai_spoils_ends_failed_when_it_was_tried_often_enough(here: Installation) -> None:
    here.stand_in.behave(endings=[{"display_name": "j", **INTERNAL}])
    here.ask(request("j", retries={"attempts": 1, "infrastructure": 2, **SOON}))

    def ended() -> bool:
        here.clock.advance(seconds=61)
        here.sweep()
        return here.job("j").state is State.ENDED

    here.wait(ended, "its end")
    job = here.job("j")
    assert (job.outcome, job.attempt, charged(job.failures)) == (Outcome.FAILED, 3, 0)
    assert job.history[-1].note is not None
    assert job.history[-1].note.startswith("by Vertex AI's fault; tried again 2 times already")
    check(here, "first", "j")


def test_the_pause_comes_first_and_the_queue_says_so(here: Installation) -> None:
    here.ask(request("j", retries={"attempts": 2, "backoff": "10m"}))
    fail(here, "j", EXITED)
    pause_is_over(here)
    assert here.job("j").attempt == 1

    here.clock.advance(minutes=11)
    here.sweep()

    assert here.job("j").attempt == 2
    here.wait_running("j")
    check(here, "first", "j")


# --- once, whatever comes twice or late ------------------------------------------------------------------


def test_an_end_that_is_told_twice_is_one_failure(here: Installation) -> None:
    here.ask(request("j", retries={"attempts": 3, **SOON}))
    here.finish_quietly("j", "FAILED", error=EXITED)
    (line,) = here.log_lines
    for _ in range(2):
        job_ended.handle(here.system, here.delivery("job-ended", line))
    here.sweep()

    assert charged(here.job("j").failures) == 1
    check(here, "first", "j")


def test_a_late_line_of_the_failed_attempt_changes_nothing_about_the_next(here: Installation) -> None:
    here.ask(request("j", retries={"attempts": 3, **SOON}))
    here.finish_quietly("j", "FAILED", error=EXITED)
    here.sweep()
    pause_is_over(here)
    before = here.job("j")
    assert (before.attempt, len(here.log_lines)) == (2, 1)

    here.deliver_log_lines()

    assert here.job("j") == before
    here.finish("j")
    assert (here.job("j").outcome, charged(here.job("j").failures)) == (Outcome.SUCCEEDED, 1)
    check(here, "first", "j")


def test_the_same_request_again_is_a_duplicate_and_other_retries_are_another_request(
    here: Installation,
) -> None:
    here.ask(request("j", retries=RULES))
    fail(here, "j", KILLED)
    waiting = here.job("j")

    here.ask(request("j", retries=RULES))
    assert here.job("j") == waiting
    here.ask(request("j", retries={"attempts": 2}))

    assert here.job("j") == waiting
    assert [letter["job"] for letter in here.dead_letters()] != []


def test_a_job_that_waits_for_its_next_attempt_can_be_cancelled(here: Installation) -> None:
    here.ask(request("j", retries={"attempts": 2, "backoff": "1h"}))
    fail(here, "j", EXITED)

    here.command(kind="cancel", job_id="j")

    assert (here.job("j").outcome, here.job("j").error) == (Outcome.CANCELLED, None)
    assert "failure" not in here.outcomes("j")[-1]
    check(here, "first", "j")


def test_each_attempt_is_learned_once(here: Installation) -> None:
    here.ask(request("j", retries={"attempts": 2, **SOON}))
    fail(here, "j", EXITED)
    here.sweep()
    pause_is_over(here)
    fail(here, "j", EXITED)
    for _ in range(2):
        here.sweep()

    document = here.documents.read([run_times_path(here.name)])[0]
    evidence = read_run_times(document.fields).evidence[here.job("j").traits.keys[0]]
    assert evidence.runs == 2


# --- pools that rules name -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "reason", "problem"),
    [
        ("huge", Reason.NO_MATCHING_POOL, "there is no pool huge"),
        ("large", Reason.ABOVE_CAPACITY, "pool large can have 1 replicas, and the job asks for 2"),
    ],
)
def test_a_pool_that_could_never_take_it_is_refused_at_once(
    here: Installation, named, reason, problem
) -> None:
    rules = [{"exit_code": 137, "pool": named}]
    here.ask(request("j", worker_pool_spec(), worker_pool_spec(), retries={"rules": rules}))

    job = here.job("j")
    assert (job.outcome, job.reason) == (Outcome.REJECTED, reason)
    (told,) = job.problems
    assert (told["path"], told["value"], told["problem"]) == ("retries.rules[0].pool", named, problem)


def test_a_pool_of_which_the_team_may_have_too_little_is_refused(installing: Any) -> None:
    quotas = {"research": {"large": {"maximum": 0}}}
    installation = installing(settings={"resource_defaults": {"quotas": quotas}})

    installation.ask(request("j", retries=RULES))

    assert (installation.job("j").outcome, installation.job("j").reason) == (
        Outcome.REJECTED,
        Reason.NOT_ALLOWED,
    )
    assert "team research may have 0 replicas" in installation.job("j").problems[0]["problem"]


def test_of_a_resource_that_nobody_has_seen_yet_no_pool_is_refused(installation: Installation) -> None:
    installation.ask(request("j", retries=RULES))

    assert installation.job("j").outcome is None


def test_a_pool_that_is_gone_by_then_ends_the_job_and_its_history_says_so(here: Installation) -> None:
    here.ask(request("j", retries=RULES))
    here.wait_running("j")
    here.stand_in.change_pools(resource="shared", remove=["large"])
    here.sweep()

    fail(here, "j", KILLED)

    job = here.job("j")
    assert job.outcome is Outcome.FAILED
    assert job.history[-1].note is not None
    assert job.history[-1].note.startswith(
        "rule 1 (exit code 137): on pool large, but there is no pool large"
    )


# --- the team's default ----------------------------------------------------------------------------------


def team(retries: Any) -> dict[str, Any]:
    return {"teams": [{"name": "research", "topics": ["job-requests"], "retries": retries}]}


def test_a_request_that_says_nothing_has_its_teams_retries(installing: Any) -> None:
    installation = installing(settings=team({"attempts": 2, "backoff": "1s"}))
    installation.ask(request("usual"))
    installation.ask(request("own", retries={"attempts": 1}))
    for job_id in ("usual", "own"):
        fail(installation, job_id, EXITED)

    assert Reason.RETRIED in [entry.reason for entry in installation.job("usual").history]
    assert installation.job("own").outcome is Outcome.FAILED


def test_applied_retries_count_for_the_jobs_that_come_after(installation: Installation) -> None:
    installation.ask(request("before"))
    settings = json.dumps({**installation.fields, **team({"rules": [{"exit_code": 1, "retry": "once"}]})})

    answer = installation.command(kind="apply", settings=settings)
    installation.ask(request("after"))
    for job_id in ("before", "after"):
        fail(installation, job_id, EXITED)

    assert answer["result"] == "done", answer
    assert "team research: retries.rules" in str(answer)
    assert installation.job("before").outcome is Outcome.FAILED
    assert installation.job("after").reason is Reason.RETRIED
    assert "the team's rule 1 (exit code 1)" in str(installation.job("after").history[-1].note)


# --- beside other capabilities ---------------------------------------------------------------------------


def test_a_member_of_an_array_is_tried_again_by_itself(here: Installation) -> None:
    here.ask(request("sweep", array={"size": 2}, retries={"attempts": 2, **SOON}))
    here.sweep()
    here.finish("first")
    fail(here, "sweep.0", EXITED)
    pause_is_over(here)

    assert (here.job("sweep.0").attempt, charged(here.job("sweep.0").failures)) == (2, 1)
    here.finish("sweep.0")
    here.finish("sweep.1")
    assert here.job("sweep").outcome is Outcome.SUCCEEDED
    assert here.job("sweep.1").failures == ()


def test_who_retries_a_job_by_hand_gives_it_all_its_attempts_anew(here: Installation) -> None:
    here.ask(request("j", retries={"rules": [{"exit_code": 1, "retry": "never"}]}))
    fail(here, "j", EXITED)
    assert here.job("j").outcome is Outcome.FAILED

    answer = here.command(kind="retry", job_id="j")

    assert answer["result"] == "done", answer
    assert here.job("j").failures == ()
    here.finish("j")
    assert here.job("j").outcome is Outcome.SUCCEEDED
    check(here, "first", "j")


def test_a_refused_create_is_tried_again_by_a_rule_about_its_class(here: Installation) -> None:
    refusal = {
        "method": "CreateCustomJob",
        "status": 403,
        "count": 1,
        "message": "act as service account denied",
    }
    here.stand_in.behave(errors=[refusal])
    here.ask(request("j", retries={"rules": [{"error": "PERMISSION_DENIED"}], **SOON}))
    waiting = [entry for entry in here.job("j").history if entry.reason is Reason.RETRIED]
    pause_is_over(here)

    assert len(waiting) == 1
    assert str(waiting[0].note).startswith("rule 1 (error PERMISSION_DENIED): retry; 1 of 3 attempts charged")
    here.finish("j")
    assert (here.job("j").outcome, here.job("j").attempt) == (Outcome.SUCCEEDED, 2)
    check(here, "first", "j")


def test_a_dry_run_holds_the_rules_against_what_is_there(here: Installation) -> None:
    reader = Reader.of(here.documents, here.system.settings)
    team = here.system.settings.teams[0]
    run = DryRun(reader=reader, settings=here.system.settings, team=team, now=here.clock())

    def tried(named: str) -> Any:
        rules = [{"exit_code": 137, "retry": "once", "pool": named}]
        body = json.dumps(request("j", retries={"rules": rules})).encode()
        (trial,) = run.trials(Asked(data=body, attributes={}, default_job_id="d"), Variations())
        return trial

    assert "rule 1 (exit code 137): once, on pool large" in dict(
        _swapped(facts_of(tried("large"), here.clock()))
    )
    (problem,) = tried("huge").problems
    assert (problem.path, problem.problem) == ("retries.rules[0].pool", "there is no pool huge")


def _swapped(facts: Any) -> Any:
    return ((told, word) for word, told in facts)
