"""The publishing client on a whole installation in memory: its message makes a job, and it finds that job."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from handlers import job_commanded, job_requested
from poolqueue.client import (
    CommandRefused,
    JobExpired,
    JobRejected,
    NotConfigured,
    NotReadable,
    Outcome,
    PoolQueue,
    State,
)
from poolqueue.config import Environment
from poolqueue.ports import Message
from tests.handlers.conftest import Installing
from tests.support.installation import Installation, custom_job, request
from tests.unit.client import building
from tests.unit.client.building import Clock, Publications

TEAMS = [
    {"name": "research", "topics": ["job-requests"]},
    {"name": "vision", "topics": ["job-requests.vision"], "command_topics": ["job-commands.vision"]},
]


@pytest.fixture
def installation(installing: Installing) -> Installation:
    made = installing(settings={"teams": TEAMS})
    made.sweep()
    return made


class Delivering(Publications):
    """Delivers each message at once, as a push subscription would; `held` keeps them until `deliver`."""

    def __init__(self, installation: Installation, *, held: bool = False) -> None:
        super().__init__(self._keep if held else self._deliver)
        self._installation = installation
        self._kept: list[tuple[Message, str]] = []

    def deliver(self) -> None:
        while self._kept:
            self._deliver(*self._kept.pop(0))

    def _keep(self, message: Message, message_id: str) -> None:
        self._kept.append((message, message_id))

    def _deliver(self, message: Message, message_id: str) -> None:
        topic = message.topic.rsplit("/", 1)[-1]
        delivery = self._installation.delivery(topic, message.body, message.attributes)
        handler = job_commanded if topic.startswith("job-commands") else job_requested
        handler.handle(self._installation.system, replace(delivery, message_id=message_id))


def client(installation: Installation, publisher: Any = None, **where: Any) -> PoolQueue:
    publisher = publisher or Delivering(installation)
    environment = Environment(project=installation.project)
    documents = where.pop("documents", installation.documents)
    clock = where.pop("clock", None)
    return building.queue(
        publisher=publisher, documents=documents, environment=environment, clock=clock, **where
    )


def test_a_job_is_followed_from_publication_to_its_end(installation: Installation) -> None:
    handle = client(installation).enqueue(custom_job(name="resnet"), job_id="followed", priority=60)
    running = handle.status()
    installation.finish("followed")
    ended = handle.wait(1)

    assert (running.state, running.team) == (State.SUBMITTED, "research")
    assert (ended.outcome, ended.state) == (Outcome.SUCCEEDED, State.ENDED)
    assert ended.custom_job == installation.job("followed").custom_job
    assert installation.job("followed").priority == 60


def test_nothing_is_known_before_the_message_arrives(installation: Installation) -> None:
    publisher = Delivering(installation, held=True)
    handle = client(installation, publisher).enqueue(request("late"))

    before = handle.status()
    publisher.deliver()

    assert (before.state, str(before)) == (None, "late: not recorded yet")
    assert handle.status().state is State.SUBMITTED


def test_a_job_of_another_team_is_found_by_its_topic(installation: Installation) -> None:
    handle = client(installation, topic="job-requests.vision").enqueue(request("seen"))

    assert handle.status().team == "vision"


def test_a_topic_that_belongs_to_nobody_says_which_do(installation: Installation) -> None:
    handle = client(installation, topic="job-ended").handle("j")

    with pytest.raises(NotConfigured, match=r"one of job-requests, job-requests\.vision"):
        handle.status()


def test_without_settings_a_team_must_be_given(installing: Installing) -> None:
    bare = installing()

    with pytest.raises(NotReadable, match=r"give team=\.\.\., or wait for the first sweep"):
        client(bare).handle("j").status()
    assert client(bare, team="research").handle("j").status().state is None


def test_a_refused_request_tells_its_problems_and_the_id_may_be_used_again(
    installation: Installation,
) -> None:
    too_large = request("again", job_spec={"persistentResourceId": "shared", "serviceAccount": "x"})
    too_large["custom_job"]["jobSpec"]["workerPoolSpecs"][0]["machineSpec"]["machineType"] = "n1-highmem-96"
    refused = client(installation).enqueue(too_large)

    with pytest.raises(JobRejected, match="n1-highmem-96") as rejection:
        refused.wait(1)
    again = client(installation).enqueue(request("again"))

    assert again.status().state is State.SUBMITTED
    assert "the job_id may be used again" in str(rejection.value)


def test_while_a_corrected_request_is_on_its_way_the_refused_one_is_not_taken_for_it(
    installation: Installation,
) -> None:
    bad = request("corrected")
    bad["custom_job"]["jobSpec"]["workerPoolSpecs"][0]["machineSpec"]["machineType"] = "n1-highmem-96"
    client(installation).enqueue(bad).wait(1, check=False)
    publisher = Delivering(installation, held=True)

    handle = client(installation, publisher).enqueue(request("corrected"))
    before = handle.status()
    publisher.deliver()

    assert before.state is None
    assert handle.status().state is State.SUBMITTED


def test_a_request_that_was_refused_is_not_taken_for_the_same_once_more(
    installation: Installation,
) -> None:
    publisher = Delivering(installation, held=True)
    early = request("early")
    early["custom_job"]["jobSpec"]["workerPoolSpecs"][0]["machineSpec"]["machineType"] = "n1-highmem-96"
    client(installation).enqueue(early)

    handle = client(installation, publisher).enqueue(early)

    assert handle.status().state is None


def test_the_same_request_from_another_process_is_the_same_job(installation: Installation) -> None:
    client(installation).enqueue(request("same"))
    installation.finish("same")

    assert client(installation, Delivering(installation)).enqueue(request("same")).wait(1).job_id == "same"


def test_another_request_of_that_id_is_told_apart_from_the_job(installation: Installation) -> None:
    first = client(installation).enqueue(request("named"))
    other = client(installation).enqueue(request("named"), priority=1)

    with pytest.raises(JobRejected, match="another request has this id") as rejection:
        other.wait(1)

    assert rejection.value.report.job_id.startswith("named.refused-")
    assert first.status().state is State.SUBMITTED


def test_a_job_that_expired_says_so(installation: Installation) -> None:
    handle = client(installation).enqueue(request("over"), deadline="2020-01-01T00:00:00Z")

    with pytest.raises(JobExpired, match="later deadline"):
        handle.wait(1)


def test_a_waiting_job_says_why_and_can_be_cancelled(installation: Installation) -> None:
    queue = client(installation)
    for number in range(2):
        queue.enqueue(request(f"runs-{number}"))
    handle = queue.enqueue(request("waits"))

    waiting = handle.status()
    answer = handle.cancel("not needed", author="ann@example.com")

    assert (waiting.state, waiting.reason) == (State.QUEUED, "needs_replicas")
    assert answer == "cancelled; it will not run"
    ended = handle.wait(1, check=False)
    assert (ended.outcome, ended.note) == (Outcome.CANCELLED, "ann@example.com: not needed")


def test_a_cancel_goes_to_the_teams_own_command_topic_if_it_has_one(installation: Installation) -> None:
    publisher = Delivering(installation)
    handle = client(installation, publisher, topic="job-requests.vision").enqueue(request("theirs"))
    handle.cancel("enough")

    assert publisher.messages[-1].topic.endswith("/job-commands.vision")


def test_a_cancel_waits_until_the_request_is_recorded(installation: Installation) -> None:
    publisher = Delivering(installation, held=True)
    clock = Clock(publisher.deliver)
    handle = client(installation, publisher, clock=clock).enqueue(request("overtaken"))

    assert "cancel" in handle.cancel("at once")
    assert [json.loads(each.body).get("kind") for each in publisher.messages] == [None, "cancel"]


def test_a_command_that_is_refused_says_why(installation: Installation) -> None:
    handle = client(installation, command_topic="job-commands.vision").enqueue(request("mine"))

    with pytest.raises(CommandRefused, match="this topic commands jobs of team vision"):
        handle.cancel("by the wrong door")


def test_an_array_has_one_handle_for_all_its_jobs(installation: Installation) -> None:
    queue = client(installation)
    handle = queue.enqueue(request("sweep"), array={"size": 3, "max_parallel": 2})
    started = handle.status()
    for number in range(3):
        installation.finish(f"sweep.{number}")
    ended = handle.wait(1)

    assert started.state is State.RUNNING
    assert (ended.outcome, ended.note) == (Outcome.SUCCEEDED, "3 succeeded")
    assert queue.handle("sweep.2").wait(1).custom_job is not None


def test_a_whole_array_is_cancelled_by_its_handle(installation: Installation) -> None:
    handle = client(installation).enqueue(request("stopped"), array={"size": 5})

    assert "cancel" in handle.cancel("wrong grid")


def test_a_job_that_is_held_waits_for_its_release(installation: Installation) -> None:
    handle = client(installation).enqueue(request("held"), hold=True)

    assert (handle.status().state, handle.status().reason) == (State.HELD, "on_hold")
    installation.command(kind="release", job_id="held", team="research")
    assert handle.status().state is State.SUBMITTED
