"""The publishing client on the local stack: each kind of job, waiting and cancelling, also with restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform
from google.pubsub_v1 import SubscriberClient, types
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.local.stack import Stack
from infra.local.stack.plan import LOCATION
from infra.local.topology import subscription_name, topic_name
from poolqueue.client import (
    Handle,
    JobCancelled,
    JobFailed,
    JobRejected,
    JobReport,
    Outcome,
    PoolQueue,
    State,
    WaitedTooLong,
    enqueue,
    enqueue_async,
)
from poolqueue.client.queue import _queue
from tests.end_to_end.stack_support import (
    PATIENCE_SECONDS,
    at_vertex,
    finish,
    lives,
    request,
    until_finished,
    wait_until_running,
    worker_pool_spec,
)
from tests.end_to_end.stand_in_support import wait_for

pytestmark = pytest.mark.timeout(180)

MACHINE = {"machine_type": "n1-standard-4"}


@pytest.fixture
def environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process belongs to the system, as a publisher's does: nothing else is told to the client."""
    for name, value in stack.environment().items():
        if name != "POOL_QUEUE_SETTINGS":
            monkeypatch.setenv(name, value)
    yield
    _queue.cache_clear()


@pytest.fixture
def sdk(stack: Stack) -> None:
    aiplatform.init(
        project=stack.project,
        location=LOCATION,
        staging_bucket="gs://staging",
        credentials=AnonymousCredentials(),
    )


@pytest.fixture
def swept(stack: Stack, environment: None) -> None:
    """The client reads in Firestore whose topic it publishes to, as the first sweep has noted it."""
    stack.sweep()


def ended_of(stack: Stack, handle: Handle) -> JobReport:
    """As the schedule would, it sweeps meanwhile: what was sent to a function that was gone comes late."""

    def ask() -> JobReport | None:
        stack.sweep()
        try:
            return handle.wait(5, check=False)
        except WaitedTooLong:
            return None

    found: JobReport = wait_for(ask, f"the end of {handle.job_id}", seconds=PATIENCE_SECONDS)
    return found


def sdk_job(name: str, *command: str) -> aiplatform.CustomJob:
    container = {"image_uri": "demo/train:1", "command": list(command), "args": []}
    specs = [{"machine_spec": MACHINE, "replica_count": 1, "container_spec": container}]
    return aiplatform.CustomJob(
        display_name=name, worker_pool_specs=specs, persistent_resource_id="published"
    )


@pytest.mark.usefixtures("swept", "sdk")
def test_a_custom_job_of_the_sdk_is_enqueued_instead_of_run(stack: Stack) -> None:
    job = sdk_job("by the client", "test", "a", "!=", "b")

    ended = enqueue(job, job_id="client-sdk", timeout=3600, priority=70).wait(PATIENCE_SECONDS)

    (life,) = lives(stack, "client-sdk")
    assert (ended.outcome, ended.team, life.state) == (Outcome.SUCCEEDED, "research", "SUCCEEDED")
    assert ended.custom_job is not None
    assert ended.log_url is not None
    spec = at_vertex(stack, ended.custom_job)["jobSpec"]
    assert spec["scheduling"] == {"timeout": "3600s"}
    assert spec["baseOutputDirectory"] == {"outputUriPrefix": "gs://staging/aiplatform-custom-job-client-sdk"}


@pytest.mark.usefixtures("swept", "sdk")
def test_a_custom_job_that_is_enqueued_twice_is_one_job(stack: Stack) -> None:
    first = enqueue(sdk_job("twice"), job_id="client-twice")
    second = enqueue(sdk_job("twice"), job_id="client-twice")

    assert first.wait(PATIENCE_SECONDS) == second.wait(PATIENCE_SECONDS)
    assert len(lives(stack, "client-twice")) == 1


@pytest.mark.usefixtures("swept")
def test_a_dictionary_in_snake_case_is_enqueued(stack: Stack) -> None:
    container = {"image_uri": "demo/train:1", "command": [], "args": []}
    specs = [{"machine_spec": MACHINE, "replica_count": 1, "container_spec": container}]
    job = {
        "display_name": "in snake_case",
        "job_spec": {"persistent_resource_id": "published", "worker_pool_specs": specs},
    }

    handle = enqueue(job)

    assert handle.job_id.startswith("in-snake-case-")
    assert handle.wait(PATIENCE_SECONDS).outcome is Outcome.SUCCEEDED
    assert len(lives(stack, handle.job_id)) == 1


@pytest.mark.usefixtures("swept")
def test_a_request_is_enqueued_and_its_changes_are_told() -> None:
    told: list[JobReport] = []

    enqueue(request("client-request", "published")).wait(PATIENCE_SECONDS, on_change=told.append)

    assert told[-1].state is State.ENDED
    assert len({(each.state, each.reason, each.note) for each in told}) == len(told)


@pytest.mark.usefixtures("swept")
def test_a_job_is_waited_for_while_the_functions_are_killed_and_come_back(stack: Stack) -> None:
    handle = enqueue(until_finished("client-restarted", "published"))
    wait_until_running(stack, "client-restarted")
    with pytest.raises(WaitedTooLong) as too_long:
        handle.wait(1)

    for function in ("job_requested", "job_ended", "job_commanded"):
        stack.kill(function)
        stack.restart(function)
    finish(stack, "client-restarted")
    ended = ended_of(stack, PoolQueue().handle("client-restarted"))

    assert too_long.value.report.state in {State.SUBMITTED, State.RUNNING}
    assert ended.outcome is Outcome.SUCCEEDED


@pytest.mark.usefixtures("swept")
def test_a_job_is_cancelled_while_the_function_that_cancels_comes_back(stack: Stack) -> None:
    stack.kill("job_commanded")
    handle = enqueue(until_finished("client-cancelled", "published"))
    wait_until_running(stack, "client-cancelled")
    with pytest.raises(WaitedTooLong, match="carried out all the same"):
        handle.cancel("wrong dataset", author="ann@example.com", timeout=2)

    stack.restart("job_commanded")
    ended_of(stack, handle)
    with pytest.raises(JobCancelled, match="wrong dataset") as cancelled:
        handle.wait(PATIENCE_SECONDS)

    assert "already ended: cancelled" in handle.cancel("once more", timeout=PATIENCE_SECONDS)
    assert "ann@example.com" in str(cancelled.value)


@pytest.mark.usefixtures("swept")
def test_a_job_that_fails_tells_its_custom_job_and_error() -> None:
    failing = request("client-fails", "published", worker_pool_spec("sh", "-c", "exit 3"))

    with pytest.raises(JobFailed) as failed:
        enqueue(failing).wait(PATIENCE_SECONDS)

    told = str(failed.value)
    report = failed.value.report
    assert report.error is not None
    assert "status of 3" in report.error
    assert str(report.custom_job) in told
    assert str(report.log_url) in told


@pytest.mark.usefixtures("swept")
def test_another_request_with_the_same_id_is_rejected_and_the_first_untouched(stack: Stack) -> None:
    first = enqueue(request("client-namesake", "published"))
    first.wait(PATIENCE_SECONDS)

    with pytest.raises(JobRejected, match="another request has this id"):
        enqueue(request("client-namesake", "published"), priority=9).wait(PATIENCE_SECONDS)

    assert first.status().outcome is Outcome.SUCCEEDED


@pytest.mark.usefixtures("swept")
def test_jobs_are_enqueued_waited_for_and_cancelled_without_blocking(stack: Stack) -> None:
    told: list[str] = []

    async def note(report: JobReport) -> None:
        told.append(report.job_id)

    async def run() -> list[Any]:
        short = await enqueue_async(request("client-async-1", "published"))
        long = await enqueue_async(until_finished("client-async-2", "published"))
        ended = await short.wait_async(PATIENCE_SECONDS, on_change=note)
        state = (await long.status_async()).state
        answer = await long.cancel_async("enough", timeout=PATIENCE_SECONDS)
        cancelled = await long.wait_async(PATIENCE_SECONDS, check=False)
        return [ended.outcome, state, answer, cancelled.outcome]

    ended, state, answer, cancelled = asyncio.run(run())

    assert (ended, cancelled) == (Outcome.SUCCEEDED, Outcome.CANCELLED)
    assert state not in {None, State.ENDED}
    assert "cancel" in answer
    assert set(told) == {"client-async-1"}


def test_an_end_is_heard_by_a_subscription_where_firestore_may_not_be_read(
    stack: Stack, environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:1")
    name = subscription_name(stack.project, "waiting-for-research")
    settings = types.Subscription(
        name=name,
        topic=topic_name(stack.project, "job-outcomes"),
        filter='attributes.team = "research"',
    )
    SubscriberClient(transport=_transport(stack)).create_subscription(request=settings)
    queue = PoolQueue(outcomes="waiting-for-research", command_topic="job-commands", team="research")

    short = queue.enqueue(request("client-heard-1", "published"))
    long = queue.enqueue(until_finished("client-heard-2", "published"))
    wait_until_running(stack, "client-heard-2")
    for function in ("job_requested", "job_ended"):
        stack.kill(function)
        stack.restart(function)
    assert "published as command" in long.cancel("enough")
    ended_of(stack, long)
    with pytest.raises(JobCancelled, match="enough"):
        long.wait(PATIENCE_SECONDS)

    ended = ended_of(stack, short)
    assert (ended.outcome, ended.is_ended) == (Outcome.SUCCEEDED, True)
    assert ended.custom_job is not None


def _transport(stack: Stack) -> SubscriberGrpcTransport:
    return SubscriberGrpcTransport(channel=grpc.insecure_channel(stack.emulators.pubsub_address))
