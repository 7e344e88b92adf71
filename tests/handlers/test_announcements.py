"""Every change of a job is announced at least once, whatever Pub/Sub does."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress

import pytest

from handlers import job_requested
from poolqueue.ports import PublishFailed
from poolqueue.scheduling.jobs import Outcome
from tests.support.installation import Installation, request, worker_pool_spec
from tests.support.soundness import check

AFTER_GRACE = 3 * 60


@contextmanager
def topics_down(installation: Installation):
    publisher = installation.publisher
    accept = publisher.publish_all

    def refuse(messages):
        raise PublishFailed("no topic answers")

    publisher.publish_all = refuse
    yield
    publisher.publish_all = accept


def test_an_outcome_says_who_what_and_in_which_order(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish("j")

    said = installation.outcomes("j")
    assert [body["sequence"] for body in said] == [1, 2, 3, 4]
    assert {(body["team"], body["job_id"]) for body in said} == {("research", "j")}
    assert said[-1]["custom_job"].endswith(installation.job("j").custom_job or "?")


def test_attributes_let_a_subscriber_filter(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish("j")

    attributes = installation.publisher.messages[-1].attributes
    assert attributes == {
        "job_id": "j",
        "team": "research",
        "state": "ended",
        "outcome": "succeeded",
        "sequence": "4",
    }


def test_an_end_that_could_not_be_announced_is_announced_by_a_later_sweep(installation: Installation) -> None:
    installation.ask(request("j"))
    with topics_down(installation):
        installation.finish("j")
    assert installation.job("j").outcome is Outcome.SUCCEEDED

    installation.clock.advance(seconds=AFTER_GRACE)
    installation.sweep()

    check(installation, "j")
    said = len(installation.outcome_messages())
    installation.clock.advance(seconds=AFTER_GRACE)
    installation.sweep()
    assert len(installation.outcome_messages()) == said


@pytest.mark.parametrize("priority", [50, 101], ids=["a request", "a refusal"])
def test_a_message_whose_first_announcement_failed_comes_again_and_is_announced(
    installation: Installation, priority: int
) -> None:
    installation.ask(request("before"))
    body = json.dumps(request("j", priority=priority)).encode()
    delivery = installation.delivery("job-requests", body)
    with topics_down(installation), pytest.raises(PublishFailed):
        job_requested.handle(installation.system, delivery)

    job_requested.handle(installation.system, delivery)

    check(installation, "before", "j")


def test_while_outcomes_cannot_be_announced_jobs_run_all_the_same(installation: Installation) -> None:
    installation.ask(request("before", worker_pool_spec(), worker_pool_spec()))
    with topics_down(installation):
        with suppress(PublishFailed):
            installation.ask(request("j"))
        installation.finish("before")
        installation.sweep()
        installation.wait_running("j")

    installation.clock.advance(seconds=AFTER_GRACE)
    installation.sweep()
    assert installation.outcomes("j")[-1]["state"] in {"submitted", "running"}
