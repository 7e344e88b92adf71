"""Where the embedded Pub/Sub follows production and Google's emulator 0.8.20 does not, as each test says."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest
from google.api_core import exceptions
from google.pubsub_v1 import types

from infra.local.emulators import Kind
from poolqueue.ports import PublishFailed
from tests.contract.pubsub.bench import WAIT_SECONDS, Bench, Endpoint

pytestmark = pytest.mark.parametrize("pubsub", [Kind.EMBEDDED], indirect=True)


# Google's accepts every filter and ignores it.
def test_a_filter_keeps_other_messages_away(bench: Bench) -> None:
    reader = bench.subscribe(filter='attributes.state = "ended" AND NOT attributes:quiet')

    bench.publish(b"no", state="queued")
    bench.publish(b"no", state="ended", quiet="")
    bench.publish(b"yes", state="ended")

    assert bench.pull_until_last(reader) == [b"yes", b"last"]


# Google's accepts it.
def test_a_filter_that_cannot_be_parsed_is_refused(bench: Bench) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        bench.subscribe(filter="state = ended")


# Google's delivers again after a 202.
def test_accepted_acknowledges_too(bench: Bench, endpoint: Endpoint) -> None:
    endpoint.statuses = [202]
    bench.push_to(endpoint)

    bench.publish()

    endpoint.next()
    assert endpoint.stays_quiet(1.5)


# Google's leaves the attempt out of pushes.
def test_a_push_counts_attempts_when_there_is_a_dead_letter_policy(bench: Bench, endpoint: Endpoint) -> None:
    endpoint.statuses = [500, 500]
    policy = types.DeadLetterPolicy(dead_letter_topic=bench.create_topic("dead"), max_delivery_attempts=5)
    bench.push_to(endpoint, dead_letter_policy=policy)

    bench.publish()

    assert [endpoint.next().delivery_attempt for _ in range(3)] == [1, 2, 3]


# Google's has two in flight.
def test_eight_pushes_are_in_flight_at_once(bench: Bench, endpoint: Endpoint) -> None:
    all_here = threading.Barrier(8, timeout=WAIT_SECONDS)
    bench.push_to(endpoint)
    endpoint.statuses = BarrierStatuses(all_here)

    for n in range(8):
        bench.publish(str(n).encode())

    assert len({endpoint.next().message_id for _ in range(8)}) == 8
    assert endpoint.stays_quiet(0.5)


class BarrierStatuses(list[int]):
    """Answers 204 once all expected requests are there, 500 to those left waiting."""

    def __init__(self, barrier: threading.Barrier) -> None:
        super().__init__([204])
        self._barrier = barrier

    def pop(self, _index: Any = -1) -> int:
        try:
            self._barrier.wait()
        except threading.BrokenBarrierError:
            return 500
        return 204


# Google's takes larger ones.
@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        (b"x" * 10_000_001, {}),
        (b"x", {str(n): "v" for n in range(101)}),
        (b"x", {"k" * 257: "v"}),
        (b"x", {"k": "v" * 1025}),
        (b"x", {"googly": "v"}),
    ],
)
def test_a_message_over_the_limits_is_refused(bench: Bench, body: bytes, attributes: dict[str, str]) -> None:
    with pytest.raises(PublishFailed):
        bench.ours.publish(bench.topic, body, attributes)


# Google's serves any project.
def test_only_demo_projects_exist(bench: Bench) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="demo-"):
        bench.publisher.create_topic(name="projects/real/topics/letters")


# Google's drops the key from pushes.
def test_messages_of_one_ordering_key_come_in_order(bench: Bench, endpoint: Endpoint) -> None:
    endpoint.statuses = [500, 500]
    bench.push_to(endpoint, enable_message_ordering=True)

    messages = [types.PubsubMessage(data=str(n).encode(), ordering_key="k") for n in range(5)]
    bench.publisher.publish(topic=bench.topic, messages=messages)

    requests = [json.loads(endpoint.next_request()[2])["message"] for _ in range(7)]
    assert [base64.b64decode(each["data"]) for each in requests] == [b"0", b"0", b"0", b"1", b"2", b"3", b"4"]
    assert {each["orderingKey"] for each in requests} == {"k"}
