"""What is shown of a job's attempts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from poolqueue.scheduling.failures import BadEnd, Failure
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State, move
from poolqueue.scheduling.retries import Pause, Retries, RetryRule
from poolqueue.viewing.attempts import attempts_fields, attempts_of, attempts_told, retries_told
from tests.unit.scheduling.building import at, job

TWO = Retries(attempts=2, rules=(RetryRule(exit_codes=(137,), retry=1, pool="large"),))


def begun(waiting: Job, number: int, seconds: float) -> Job:
    reserved = move(waiting, State.RESERVED, at=at(seconds), attempt=number, token=f"t{number}")
    submitted = move(reserved, State.SUBMITTED, at=at(seconds + 1))
    return move(submitted, State.RUNNING, at=at(seconds + 10))


def failed_once(**changes) -> Job:
    failure = Failure(attempt=1, end=BadEnd.FAILED, exit_codes=(137,), rule=1, **changes)
    again = move(
        begun(job(retries=TWO), 1, 0), State.QUEUED, at=at(70), reason=Reason.RETRIED, note="rule 1: retry"
    )
    return replace(again, failures=(failure,))


def test_each_attempt_has_its_times_and_how_it_ended() -> None:
    ended = move(begun(failed_once(), 2, 100), State.ENDED, at=at(200), outcome=Outcome.SUCCEEDED)

    found = attempts_of(ended)

    assert (found.charged, found.most, found.are_news) == (1, 2, True)
    first, second = found.each
    assert (first.number, first.reserved, first.started, first.ended) == (1, at(0), at(10), at(70))
    assert (first.how, first.note) == ("retried", "rule 1: retry")
    assert (second.number, second.how, second.failure) == (2, "succeeded", None)


def test_one_that_goes_on_is_told_so() -> None:
    told = [*attempts_told(attempts_of(begun(failed_once(), 2, 100)), at(130))]

    assert told[0] == "1 of 2 charged"
    assert told[1].endswith(", ran 1m00s, retried: rule 1: retry")
    assert told[2].startswith("2: from ")
    assert told[2].endswith(", ran 20s, goes on")


@pytest.mark.parametrize("moved", [job(), begun(job(), 1, 0)])
def test_of_a_single_attempt_without_retries_there_is_nothing_to_tell(moved: Job) -> None:
    assert not attempts_of(moved).are_news


def test_a_requeue_that_charges_nothing_is_an_attempt_too() -> None:
    moved = move(begun(job(), 1, 0), State.QUEUED, at=at(30), reason=Reason.PREEMPTED, note="for b")
    again = begun(move(moved, State.QUEUED, at=at(31), reason=Reason.NEEDS_REPLICAS), 2, 40)

    found = attempts_of(again)

    assert [(each.number, each.how) for each in found.each] == [(1, "preempted"), (2, None)]
    assert (found.charged, found.are_news) == (0, True)
    assert next(attempts_told(found, at(60))).startswith("1: ")


def test_what_somebody_else_wrote_is_shown_harmlessly() -> None:
    hostile = move(
        begun(job(), 1, 0), State.ENDED, at=at(9), outcome=Outcome.FAILED, note="\x1b[31mred\u202e\n" * 90
    )
    (told,) = attempts_told(attempts_of(hostile), at(20))

    assert told.isprintable()
    assert len(told) < 300


def test_as_json_an_attempt_says_which_rule_decided() -> None:
    fields = attempts_fields(attempts_of(failed_once()))

    assert (fields["charged_attempts"], fields["most_attempts"]) == (1, 2)
    (attempt,) = fields["attempts"]
    assert (attempt["ended_as"], attempt["rule"], attempt["exit_codes"]) == ("retried", 1, [137])
    assert attempt["charged"] is True


def test_a_dry_run_tells_each_rule() -> None:
    rules = (
        *TWO.rules,
        RetryRule(error_classes=("INVALID_ARGUMENT",), retry=0),
        RetryRule(pause=Pause(first=600)),
    )

    assert [*retries_told(Retries(attempts=4, rules=rules, of_team=True))] == [
        "the team's: up to 4 attempts charged",
        "the team's rule 1 (exit code 137): once, on pool large",
        "the team's rule 2 (error INVALID_ARGUMENT): never",
        "the team's rule 3 (failed): again, after 10m00s",
    ]
    assert [*retries_told(Retries(attempts=3))][1] == "each that failed is followed by another"
