"""A team gets replicas back that it lent, whatever happens to the attempt that is ended for it."""

from __future__ import annotations

from typing import Any

import pytest

from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.support.installation import Installation, pool, request
from tests.support.soundness import check

TEAMS = [
    {"name": "research", "topics": ["job-requests"], "command_topics": ["job-commands.research"]},
    {"name": "vision", "topics": ["job-requests.vision"]},
]
LENT = {"preemption": "lent", "quotas": {"vision": {"*": {"guaranteed": 1}}}}
OWNERS = {"owner": "vision"}


@pytest.fixture
def lending(installing: Any) -> Installation:
    """One replica, which is guaranteed to vision and on which a job of research is known to run."""
    installation = installing(pools=[pool(replicas=1)], settings={"teams": TEAMS, "resource_defaults": LENT})
    installation.ask(request("borrower", max_wait="1h"))
    installation.wait_running("borrower")
    installation.sweep()
    return installation


def ask_owner(installation: Installation) -> None:
    installation.ask(request("owner"), topic="job-requests.vision")


def owner_runs(installation: Installation) -> bool:
    return installation.job("owner", team="vision").state in {State.SUBMITTED, State.RUNNING}


def deliver_the_end(installation: Installation) -> None:
    installation.wait(installation.deliver_log_lines, "a log line")


def test_the_borrower_is_requeued_and_the_owner_starts_in_one_commit(lending: Installation) -> None:
    ask_owner(lending)
    assert lending.job("borrower").state is State.CANCELLING
    while not owner_runs(lending):
        deliver_the_end(lending)

    borrower = lending.job("borrower")
    assert (borrower.state, borrower.reason, borrower.preemptions) == (State.QUEUED, Reason.PREEMPTED, 1)
    assert borrower.history[-1].note is not None
    assert "vision.owner gets back replicas" in borrower.history[-1].note
    check(lending, "borrower", teams=OWNERS)


def test_a_cancel_that_is_not_answered_is_repeated_by_a_sweep(lending: Installation) -> None:
    lending.stand_in.behave(errors=[{"method": "CancelCustomJob", "status": 503, "count": 10}])
    ask_owner(lending)
    lending.stand_in.behave(errors=[])
    lending.clock.advance(seconds=61)
    lending.sweep()
    while not owner_runs(lending):
        deliver_the_end(lending)

    assert lending.job("borrower").preemptions == 1
    check(lending, "borrower", teams=OWNERS)


def test_one_that_ends_well_before_it_is_cancelled_has_succeeded(lending: Installation) -> None:
    lending.stand_in.behave(ignore_cancel="*")
    ask_owner(lending)
    lending.end(str(lending.job("borrower").custom_job))
    while not owner_runs(lending):
        deliver_the_end(lending)

    assert lending.job("borrower").outcome is Outcome.SUCCEEDED
    check(lending, "borrower", teams=OWNERS)


def test_one_that_somebody_cancels_meanwhile_does_not_come_again(lending: Installation) -> None:
    lending.stand_in.behave(errors=[{"method": "CancelCustomJob", "status": 503, "count": 1}])
    ask_owner(lending)
    lending.command(kind="cancel", job_id="borrower", team="research")
    while not owner_runs(lending):
        deliver_the_end(lending)

    borrower = lending.job("borrower")
    assert (borrower.outcome, borrower.reason) == (Outcome.CANCELLED, Reason.ASKED)
    check(lending, "borrower", teams=OWNERS)


def test_the_end_of_the_owner_lets_the_borrower_run_again_though_it_waits_for_long(
    lending: Installation,
) -> None:
    ask_owner(lending)
    while not owner_runs(lending):
        deliver_the_end(lending)
    custom_job = str(lending.job("owner", team="vision").custom_job)
    lending.wait(lambda: lending.state_of(custom_job) == "RUNNING", "the owner to run")
    lending.clock.advance(hours=2)
    lending.sweep()
    lending.end(custom_job)
    deliver_the_end(lending)

    borrower = lending.job("borrower")
    assert (borrower.state, borrower.attempt) == (State.SUBMITTED, 2)
    check(lending, "borrower", teams=OWNERS)


def test_nobody_is_preempted_more_often_than_it_allows(lending: Installation) -> None:
    lending.command(kind="cancel", job_id="borrower", team="research")
    deliver_the_end(lending)
    lending.ask(request("never", max_preemptions=0))
    lending.wait_running("never")
    lending.sweep()

    ask_owner(lending)

    assert lending.job("never").state is State.RUNNING
    assert lending.job("owner", team="vision").state is State.QUEUED
