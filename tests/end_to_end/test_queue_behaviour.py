"""What the queue does to jobs that compete, repeat themselves or cannot be; hardly anything sweeps here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import DeadlineExceeded
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.local.stack import Stack
from infra.local.topology import subscription_name, topic_name
from poolqueue.ports import Query
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State
from tests.end_to_end.stack_support import (
    GPU,
    PATIENCE_SECONDS,
    UNTIL_FINISHED,
    announced,
    finish,
    lives,
    logged,
    record,
    request,
    until_finished,
    wait_for_end,
    wait_for_requeue,
    wait_until_running,
    worker_pool_spec,
    workers,
)
from tests.end_to_end.stand_in_support import wait_for

pytestmark = pytest.mark.timeout(180)


class Sweeps:
    """Hears every message on the topic `sweeps` from now on."""

    def __init__(self, stack: Stack, channel: grpc.Channel) -> None:
        self._client = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        self._subscription = subscription_name(stack.project, "sweeps-heard")
        topic = topic_name(stack.project, stack.settings.sweeps_topic)
        self._client.create_subscription(name=self._subscription, topic=topic, timeout=20)

    def heard(self) -> int:
        try:
            answer = self._client.pull(
                subscription=self._subscription, max_messages=10, retry=None, timeout=1
            )
        except DeadlineExceeded:
            return 0
        return len(answer.received_messages)

    def close(self) -> None:
        self._client.delete_subscription(subscription=self._subscription, timeout=20)


@pytest.fixture
def sweeps(stack: Stack) -> Iterator[Sweeps]:
    with grpc.insecure_channel(stack.emulators.pubsub_address) as channel:
        hears = Sweeps(stack, channel)
        yield hears
        hears.close()


def key(job_id: str) -> tuple[str, str]:
    return ("research", job_id)


def line_of(stack: Stack, event: str, custom_job: str) -> int:
    """The place in the journal of the first such event."""
    return next(
        number
        for number, line in enumerate(stack.journal())
        if line["event"] == event and line.get("custom_job") == custom_job
    )


def test_a_request_to_a_full_pool_is_requeued_and_starts_on_release_without_a_sweep(
    stack: Stack, sweeps: Sweeps
) -> None:
    stack.publish("job-requests", until_finished("first", "full"))
    wait_until_running(stack, "first")
    stack.publish("job-requests", request("second", "full"))
    told = wait_for_requeue(stack, "second")
    assert not lives(stack, "second")

    finish(stack, "first")
    wait_for_end(stack, "first", "second")

    assert (told["state"], told["reason"]) == ("queued", "needs_replicas")
    assert "needs 1, 0 free" in told["note"]
    history = record(stack, "second").history
    assert [(entry.state.value, entry.reason) for entry in history][:3] == [
        ("queued", None),
        ("queued", Reason.NEEDS_REPLICAS),
        ("reserved", None),
    ]
    (first,), (second,) = lives(stack, "first"), lives(stack, "second")
    released = line_of(stack, "replicas_released", first.custom_job)
    assert released < line_of(stack, "custom_job_created", second.custom_job)
    assert sweeps.heard() == 0


@pytest.mark.usefixtures("on_schedule")  # without sweeps its end was once not heard of for a minute
def test_every_change_is_announced_once_and_in_order(stack: Stack) -> None:
    stack.publish("job-requests", request("told", "published"))
    wait_for_end(stack, "told")

    history = record(stack, "told").history
    wait_for(lambda: len(announced(stack, "told")) >= len(history), "messages of other processes")

    assert [body["sequence"] for body in announced(stack, "told")] == [entry.sequence for entry in history]
    assert [body["state"] for body in announced(stack, "told")] == [entry.state.value for entry in history]


def test_priorities_order_the_starts_and_age_among_equals(stack: Stack) -> None:
    stack.publish("job-requests", until_finished("occupant", "ordered"))
    wait_until_running(stack, "occupant")
    for job_id, priority in (("low", 10), ("older", 50), ("younger", 50), ("high", 90)):
        stack.publish("job-requests", request(job_id, "ordered", priority=priority))
        wait_for_requeue(stack, job_id)

    finish(stack, "occupant")
    wait_for_end(stack, "occupant", "low", "older", "younger", "high")

    order = ("occupant", "high", "older", "younger", "low")
    stack.report().assert_started_in_order(*map(key, order))


def test_a_duplicate_is_one_job(stack: Stack) -> None:
    copies = 5
    for _ in range(copies):
        stack.publish("job-requests", request("twice", "twice"))
    wait_for_end(stack, "twice")
    wait_for(
        lambda: len(logged(stack, "job_requested", "job_duplicate")) == copies - 1,
        "every copy to be taken in",
        seconds=PATIENCE_SECONDS,
    )

    assert len(lives(stack, "twice")) == 1
    assert record(stack, "twice").attempt == 1
    assert record(stack, "twice").outcome is Outcome.SUCCEEDED


def test_other_content_under_the_same_id_is_refused_and_the_first_is_untouched(stack: Stack) -> None:
    stack.publish("job-requests", until_finished("taken", "namesake"))
    before = wait_for(lambda: submitted(stack, "taken"), "its submission", seconds=PATIENCE_SECONDS)

    stack.publish("job-requests", request("taken", "namesake", worker_pool_spec("false")))
    refusal = wait_for(lambda: namesake(stack, "taken"), "the refusal", seconds=PATIENCE_SECONDS)

    assert (refusal["outcome"], refusal["reason"]) == ("rejected", "id_taken")
    assert refusal["problems"][0]["path"] == "job_id"
    assert record(stack, "taken") == before
    finish(stack, "taken")
    assert wait_for_end(stack, "taken")["taken"]["outcome"] == "succeeded"
    assert len(lives(stack, "taken")) == 1


def submitted(stack: Stack, job_id: str) -> Job | None:
    """Its record, once the answer of Vertex AI is in it, so that nothing more changes by itself."""
    is_announced = any(body["state"] == "submitted" for body in announced(stack, job_id))
    return record(stack, job_id) if is_announced else None


def namesake(stack: Stack, job_id: str) -> dict[str, Any] | None:
    found = [each.body for each in stack.outcomes() if each.body["job_id"].startswith(f"{job_id}.")]
    return found[0] if found else None


def test_a_refusal_tells_everything_that_is_wrong_and_what_to_do(stack: Stack) -> None:
    spec = worker_pool_spec(machine={"machineType": "n1-standard-8"}, replicas=2)
    stack.publish("job-requests", request("wrong", "strict", spec, prioritty=60))

    said = wait_for_end(stack, "wrong")["wrong"]

    assert (said["outcome"], said["reason"]) == ("rejected", "bad_request")
    problems = {problem["path"]: problem for problem in said["problems"]}
    assert problems["prioritty"]["remedy"] == "did you mean priority?"
    assert problems["custom_job.jobSpec.workerPoolSpecs[0].replicaCount"]["value"] == "2"
    assert all(problem["remedy"] for problem in said["problems"])
    assert record(stack, "wrong").outcome is Outcome.REJECTED


def test_a_machine_that_no_pool_has_is_refused_with_the_pools_that_exist(stack: Stack) -> None:
    spec = worker_pool_spec(machine={"machineType": "n1-standard-8"})
    stack.publish("job-requests", request("unmatched", "strict", spec))

    said = wait_for_end(stack, "unmatched")["unmatched"]

    assert (said["outcome"], said["reason"]) == ("rejected", "no_matching_pool")
    (problem,) = said["problems"]
    assert problem["path"] == "custom_job.jobSpec.workerPoolSpecs[0].machineSpec"
    assert "n1-standard-4" in json.dumps(problem)
    assert not lives(stack, "unmatched")


def test_what_belongs_to_no_job_goes_to_the_dead_letters_with_its_bytes(stack: Stack) -> None:
    unreadable = b"\xff\xfe not UTF-8"
    message_id = stack.publish("job-requests", unreadable, colour="blue")

    def letters() -> list[Any]:
        found = stack.documents.find(Query(collection="dead_letters", newest_first="at"))
        every = [document.fields or {} for document in found]
        return [fields for fields in every if fields.get("message_id") == message_id]

    (letter,) = wait_for(letters, "the dead letter", seconds=PATIENCE_SECONDS)
    assert letter["data"] == unreadable
    assert letter["attributes"] == [{"name": "colour", "value": "blue"}]
    assert letter["problems"][0]["problem"]
    assert letter["at"].tzinfo is not None


def test_a_job_over_several_pools_gets_all_of_them_or_none(stack: Stack) -> None:
    gpu = worker_pool_spec(*UNTIL_FINISHED, machine=GPU)
    both = [worker_pool_spec(), worker_pool_spec(machine=GPU)]
    stack.publish("job-requests", request("on-gpu", "distributed", gpu))
    wait_until_running(stack, "on-gpu")
    stack.publish("job-requests", request("on-both", "distributed", *both))
    wait_for_requeue(stack, "on-both")

    stack.publish("job-requests", request("on-cpus", "distributed", *workers(2), timeout="60s"))
    wait_for_end(stack, "on-cpus")

    assert not lives(stack, "on-both"), "it holds nothing of the pool that is free"
    assert record(stack, "on-both").state is State.QUEUED
    finish(stack, "on-gpu")
    wait_for_end(stack, "on-gpu", "on-both")
    (life,) = lives(stack, "on-both")
    assert life.demands == {"cpu": 1, "gpu": 1}
    stack.report().assert_started_in_order(*map(key, ("on-gpu", "on-cpus", "on-both")))


def test_the_topic_says_whose_job_it_is(stack: Stack) -> None:
    """So the same id of two teams is two jobs, and a team can only cancel its own."""
    stack.publish("job-requests", request("shared-name", "published"))
    stack.publish("job-requests.vision", until_finished("shared-name", "published"))
    running = wait_until_running(stack, "shared-name", team="vision")
    wait_for_end(stack, "shared-name")
    cancel = {"kind": "cancel", "job_id": "shared-name", "reason": "no longer needed", "author": "ann"}

    stack.publish("job-commands.vision", cancel)
    said = wait_for_end(stack, "shared-name", team="vision")["shared-name"]

    assert running.labels["pool_queue_team"] == "vision"
    assert (said["outcome"], said["team"]) == ("cancelled", "vision")
    assert record(stack, "shared-name").outcome is Outcome.SUCCEEDED
