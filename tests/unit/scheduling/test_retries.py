"""What follows an attempt that ended badly, rule by rule."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from poolqueue.scheduling.changes import CustomJobEnded, SubmissionFailed
from poolqueue.scheduling.events import RunEnded
from poolqueue.scheduling.failures import BadEnd, Failure, exit_codes_of, failure_of
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State, move
from poolqueue.scheduling.pools import Resource
from poolqueue.scheduling.retries import NO_RETRIES, Pause, Retries, RetryRule, charged
from poolqueue.scheduling.retrying import Again, NoPlace, Over, after, placed, traits_on
from poolqueue.scheduling.similarity import traits_of
from tests.unit.scheduling.building import CPU, GPU, NOW, at, demand, job, job_in, pool, reservation, resource

KILLED = "The replica workerpool0-0 ran out of memory and exited with a non-zero status of 137."
EXITED = "The replica workerpool0-0 exited with a non-zero status of 1. Termination reason: Error."
INTERNAL = "Internal error occurred for the current attempt"
BIGGER = RetryRule(exit_codes=(137,), retry=1, pool="gpu")
NEVER = RetryRule(error_classes=("INVALID_ARGUMENT",), retry=0)


def failure(error: str = EXITED, code: int | None = 3, *, attempt: int = 1, **more: Any) -> Failure:
    end = more.pop("end", BadEnd.FAILED)
    return failure_of(attempt, end, error_code=code, error=error, **more)


def next_(
    found: Failure,
    *rules: RetryRule,
    before: tuple[Failure, ...] = (),
    on: Resource | None = None,
    **how: Any,
) -> Again | Over:
    asked = {
        name: how.pop(name) for name in ("attempts", "infrastructure", "pause", "of_team") if name in how
    }
    retries = Retries(rules=rules, **{"attempts": 3, **asked})
    job_ = replace(job(**how), retries=retries, failures=before, attempt=found.attempt)
    return after(job_, found, on or resource(), NOW)


# --- what a failure shows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "codes"),
    [
        (EXITED, (1,)),
        (KILLED, (137,)),
        ("The replica master 0 ran out-of-memory and exited with a non-zero status of 9(SIGKILL)", (137,)),
        (f"{EXITED} {EXITED} {KILLED}", (1, 137)),
        ("Replica exited with a non-zero status code 1", (1,)),
        (INTERNAL, ()),
        (None, ()),
    ],
)  # fmt: skip
def test_exit_codes_are_read_from_the_errors_text(error: str | None, codes: tuple[int, ...]) -> None:
    assert exit_codes_of(error) == codes


@pytest.mark.parametrize(
    ("error", "code", "error_class"),
    [
        ("The image x could not be pulled.", 3, "INVALID_ARGUMENT"),
        (EXITED, 3, None),
        ("", 7, "PERMISSION_DENIED"),
        ("", None, None),
        ("", 0, None),
        ("", 99, None),
    ],
)
def test_the_class_that_comes_with_every_programs_exit_says_nothing(error, code, error_class) -> None:
    assert failure(error, code).error_class == error_class


# --- which rule applies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "found", "applies"),
    [
        (RetryRule(), failure(), True),
        (RetryRule(), failure(end=BadEnd.EXPIRED), False),
        (RetryRule(ends=(BadEnd.EXPIRED,)), failure(end=BadEnd.EXPIRED), True),
        (RetryRule(ends=(BadEnd.EXPIRED,)), failure(), False),
        (RetryRule(exit_codes=(137, 139)), failure(KILLED), True),
        (RetryRule(exit_codes=(139,)), failure(KILLED), False),
        (NEVER, failure(EXITED), False),
        (NEVER, failure("bad image"), True),
        (NEVER, failure("bad field", end=BadEnd.REJECTED), True),
        (RetryRule(text="cuda ERROR"), failure("a CUDA error: device-side assert"), True),
        (RetryRule(text="CUDA"), failure(EXITED), False),
        (RetryRule(text="x" * 3), failure("y" * 400 + "xxx"), True),
        (RetryRule(exit_codes=(1,), text="replica"), failure(), True),
        (RetryRule(exit_codes=(1,), text="other"), failure(), False),
    ],
)
def test_a_rule_applies_if_all_its_conditions_hold(rule: RetryRule, found: Failure, applies: bool) -> None:
    assert rule.applies(found) is applies


def test_the_first_rule_that_applies_decides() -> None:
    never, retry = RetryRule(exit_codes=(1,), retry=0), RetryRule()

    assert isinstance(next_(failure(), never, retry), Over)
    again = next_(failure(), retry, never)
    assert isinstance(again, Again)
    assert again.failure.rule == 1


def test_without_rules_each_failed_attempt_is_tried_again_but_no_other_end() -> None:
    assert isinstance(next_(failure()), Again)
    assert isinstance(next_(failure(end=BadEnd.EXPIRED)), Over)
    assert isinstance(next_(failure("bad", end=BadEnd.REJECTED)), Over)


def test_with_rules_only_one_of_them_says_so() -> None:
    over = next_(failure(), BIGGER)

    assert isinstance(over, Over)
    assert (over.note, over.failure.rule) == ("no rule of its retries applies", None)


def test_nobody_who_asked_for_no_retries_is_told_of_them() -> None:
    assert after(job(), failure(), resource(), NOW) == Over(failure=failure())


# --- how often -------------------------------------------------------------------------------------------


def test_never_is_never() -> None:
    over = next_(failure("no such image"), NEVER)

    assert isinstance(over, Over)
    assert over.note == "rule 1 (error INVALID_ARGUMENT): never"


def test_a_rule_sends_a_job_again_as_often_as_it_says() -> None:
    again = next_(failure(KILLED), BIGGER)
    assert isinstance(again, Again)

    over = next_(failure(KILLED, attempt=2), BIGGER, before=(again.failure,))
    assert isinstance(over, Over)
    assert over.note == "rule 1 (exit code 137): tried again 1 time already, as often as it says"


def test_the_last_attempt_is_not_followed_by_another_whatever_rules_say() -> None:
    before = (failure(), failure(attempt=2))

    over = next_(failure(attempt=3), before=before)
    assert isinstance(over, Over)
    assert over.note == "all 3 attempts are charged"
    assert isinstance(next_(failure(attempt=2), before=before[:1]), Again)
    assert isinstance(next_(failure(KILLED), RetryRule(retry=5), attempts=1), Over)


def test_a_teams_rule_is_called_so() -> None:
    over = next_(failure("no such image"), NEVER, of_team=True)

    assert over.note == "the team's rule 1 (error INVALID_ARGUMENT): never"


# --- by Vertex AI's fault --------------------------------------------------------------------------------


def spoiled(attempt: int = 1) -> Failure:
    return failure(INTERNAL, 13, attempt=attempt, is_charged=False)


def test_what_vertex_ai_spoils_is_tried_again_a_few_times_without_being_asked_for_and_without_charge() -> (
    None
):
    before: tuple[Failure, ...] = ()
    for attempt in range(1, 4):
        again = after(replace(job(), failures=before), spoiled(attempt), resource(), NOW)
        assert isinstance(again, Again), attempt
        before = (*before, again.failure)

    over = after(replace(job(), failures=before), spoiled(4), resource(), NOW)
    assert isinstance(over, Over)
    assert "tried again 3 times already" in over.note
    assert charged(before) == 0


def test_what_vertex_ai_spoils_is_not_counted_among_the_attempts() -> None:
    before = (failure(), spoiled(2), spoiled(3))

    assert isinstance(next_(failure(attempt=4), before=before), Again)
    assert isinstance(next_(failure(attempt=5), before=(*before, failure(attempt=4))), Over)


def test_a_rule_about_the_error_does_not_decide_on_what_vertex_ai_spoiled() -> None:
    assert isinstance(next_(spoiled(), RetryRule(error_classes=("INTERNAL",), retry=0)), Again)
    assert isinstance(next_(spoiled(), infrastructure=0), Over)


# --- when ------------------------------------------------------------------------------------------------


def test_each_further_pause_is_twice_as_long_up_to_the_longest() -> None:
    pause = Pause(first=60, longest=300)

    seconds = [pause.seconds(before, of="j") / pause.seconds(0, of="j") * 60 for before in range(5)]

    assert [round(each) for each in seconds] == [60, 120, 240, 300, 300]
    assert Pause(first=10**9, longest=100).seconds(10**6, of="j") <= 110


def test_pauses_of_jobs_that_failed_together_differ_by_up_to_a_tenth_and_never_by_chance() -> None:
    pause = Pause(first=100, longest=100)
    found = [pause.seconds(0, of=f"j{number}") for number in range(100)]

    assert found == [pause.seconds(0, of=f"j{number}") for number in range(100)]
    assert 100 <= min(found) < 102
    assert 108 < max(found) < 110


def test_a_rule_may_make_it_wait_longer() -> None:
    again = next_(failure(), RetryRule(pause=Pause(first=600, longest=600)))

    assert isinstance(again, Again)
    assert timedelta(minutes=10) <= again.not_before - NOW <= timedelta(minutes=11)


def test_a_rules_own_pause_grows_with_its_own_retries() -> None:
    rules = RetryRule(exit_codes=(1,), pause=Pause(first=60, longest=600)), RetryRule()
    others = (replace(failure(KILLED), rule=2),) * 3

    first = next_(failure(), *rules, before=others, attempts=9)
    second = next_(failure(), *rules, before=(*others, replace(failure(), rule=1)), attempts=9)

    assert isinstance(first, Again)
    assert isinstance(second, Again)
    assert (second.not_before - NOW) / (first.not_before - NOW) == pytest.approx(2)


def test_no_attempt_is_begun_that_could_not_begin_before_the_deadline() -> None:
    over = next_(failure(), pause=Pause(first=60, longest=60), deadline=at(50))

    assert isinstance(over, Over)
    assert over.note.endswith("but its deadline comes before it could begin")


# --- where -----------------------------------------------------------------------------------------------


def test_a_rule_sends_all_worker_pool_specs_to_its_pool() -> None:
    wanted = demand(), demand(1, index=2)
    again = after(
        replace(job("j", *wanted), retries=Retries(attempts=2, rules=(BIGGER,))),
        failure(KILLED),
        resource(),
        NOW,
    )

    assert isinstance(again, Again)
    assert again.demands == (demand(1, GPU), demand(1, GPU, 2))
    assert again.note.startswith(
        "rule 1 (exit code 137): retry on pool gpu; 1 of 2 attempts charged; after 3"
    )


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (resource(pools=(pool(),)), "there is no pool gpu"),
        (resource(pools=(pool(), pool(GPU, 0))), "pool gpu can have 0 replicas, and the job asks for 1"),
    ],
)
def test_a_pool_that_is_gone_or_too_small_ends_the_job(known: Resource, told: str) -> None:
    over = next_(failure(KILLED), BIGGER, on=known)

    assert isinstance(over, Over)
    assert over.note == f"rule 1 (exit code 137): on pool gpu, but {told}"


def test_a_capacity_that_is_not_confirmed_rules_nothing_out() -> None:
    small = resource(pools=(pool(), pool(GPU, 0)), observed_at=at(-91))

    assert isinstance(placed([demand()], "gpu", small, NOW), tuple)
    assert isinstance(placed([demand()], "other", small, NOW), NoPlace)


# --- the change to the job -------------------------------------------------------------------------------


def ended(
    error: str | None = EXITED, state: str = "FAILED", code: int | None = 3, **more: Any
) -> CustomJobEnded:
    return CustomJobEnded(
        key="research.j", token=more.pop("token", "t1"), custom_job="projects/1/customJobs/7", state=state,
        error_code=code, error=error, started=at(1), ended=at(9), **more,
    )  # fmt: skip


def running(**more: Any) -> Job:
    return job_in(State.RUNNING, **{"retries": Retries(attempts=2), **more})


def changed(change: CustomJobEnded | SubmissionFailed, to: Job) -> Job:
    effect = change.on(to, resource(reservation()), at(10))
    assert effect.job is not None
    return effect.job


def test_a_failed_attempt_goes_back_to_the_queue_and_its_history_says_why() -> None:
    found = changed(ended(), running())

    assert (found.state, found.reason, found.token) == (State.QUEUED, Reason.RETRIED, None)
    assert found.not_before is not None
    assert found.not_before > at(30)
    assert charged(found.failures) == 1
    assert found.history[-1].note is not None
    assert "1 of 2 attempts charged" in found.history[-1].note
    assert found.history[-1].note.endswith(EXITED)


def test_it_gives_its_replicas_back_and_teaches_its_run_once() -> None:
    first = ended().on(running(), resource(reservation()), at(10))
    assert [type(each).__name__ for each in first.events] == ["RunEnded", "Released"]

    assert first.job is not None
    again = ended().on(first.job, resource(), at(20))
    assert (again.job, again.events) == (None, ())
    assert not any(isinstance(each, RunEnded) for each in again.events)


def test_the_last_failure_ends_the_job_and_its_history_says_that_all_are_charged() -> None:
    once = changed(ended(), running())
    second = move(once, State.RESERVED, at=at(60), attempt=2, token="t2")

    found = changed(ended(token="t2"), second)

    assert (found.state, found.outcome, found.error) == (State.ENDED, Outcome.FAILED, EXITED)
    assert found.history[-1].note == f"all 2 attempts are charged. {EXITED}"
    assert [each.attempt for each in found.failures] == [1, 2]


def test_a_job_that_somebody_cancels_is_not_tried_again() -> None:
    cancelled = move(running(), State.CANCELLING, at=NOW, cancel_reason=Reason.ASKED)

    assert changed(ended(), cancelled).outcome is Outcome.FAILED


@pytest.mark.parametrize("error", [EXITED, KILLED])
def test_a_program_that_fails_of_its_preemption_is_not_charged(error: str) -> None:
    told = move(running(), State.CANCELLING, at=NOW, cancel_reason=Reason.PREEMPTED, note="for b")

    effect = ended(error).on(told, resource(reservation()), at(10))

    assert effect.job is not None
    assert (effect.job.reason, effect.job.preemptions, effect.job.failures) == (Reason.PREEMPTED, 1, ())
    (taught,) = [each for each in effect.events if isinstance(each, RunEnded)]
    assert not taught.ran.by_itself


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (ended("resources are insufficient", code=8), Reason.CAPACITY_REFUSED),
        (ended(None, "CANCELLED", 1, resource_gone=True), Reason.RESOURCE_DELETED),
    ],
)
def test_capacity_and_a_vanished_resource_charge_nothing(change: CustomJobEnded, reason: Reason) -> None:
    if reason is Reason.CAPACITY_REFUSED:
        change = replace(change, started=None)
    found = changed(change, running())

    assert (found.state, found.reason, found.failures) == (State.QUEUED, reason, ())


def test_a_refused_create_is_tried_again_only_where_a_rule_says_so() -> None:
    refused = SubmissionFailed(
        key="research.j", token="t1", reason=Reason.REFUSED_BY_VERTEX_AI, message="403: denied",
        error_class="PERMISSION_DENIED", is_final=True,
    )  # fmt: skip
    rule = RetryRule(error_classes=("PERMISSION_DENIED",))

    assert changed(refused, running()).outcome is Outcome.REJECTED
    found = changed(refused, running(retries=Retries(attempts=2, rules=(rule,))))
    assert (found.state, found.reason) == (State.QUEUED, Reason.RETRIED)
    assert found.failures[0].end is BadEnd.REJECTED


def test_who_was_tried_again_had_started_in_time() -> None:
    waiting = changed(ended(), running(max_wait=60))

    assert running(max_wait=60).expires == at(60)
    assert waiting.expires is None
    assert changed(ended(), running(max_wait=60, deadline=at(3_600))).expires == at(3_600)


def test_no_retries_are_what_is_usual() -> None:
    assert Retries() == NO_RETRIES
    assert not NO_RETRIES.are_wanted


def test_on_other_machines_it_is_expected_to_take_another_time() -> None:
    body = {"jobSpec": {"workerPoolSpecs": [{"containerSpec": {"imageUri": "i:1", "args": ["--a"]}}]}}
    traits = traits_of(
        team="research", name="j", images=["i:1"], machines=[(CPU.machine, 1)], arguments=["--a"], timeout=60
    )
    before = running(
        custom_job_body=json.dumps(body), traits=traits, retries=Retries(attempts=2, rules=(BIGGER,))
    )

    found = changed(ended(KILLED), before)

    assert traits_on(before, before.demands) == traits
    assert found.traits.timeout == 60
    same = {i for i, (a, b) in enumerate(zip(traits.keys, found.traits.keys, strict=True)) if a == b}
    assert same == {2, 4}
