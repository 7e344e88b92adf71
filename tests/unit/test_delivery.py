"""What a push subscription or Eventarc sends becomes a delivery; everything else becomes a bad delivery."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.delivery import MAX_BODY_BYTES, BadDelivery, Delivery, parse_delivery

TOPIC = "projects/demo-a/topics/job-requests"
PATH = f"/{TOPIC}"


def a_push(*, drop: str = "", **changes: object) -> bytes:
    message = {
        "data": base64.b64encode(b'{"a": 1}').decode(),
        "attributes": {"job_id": "j"},
        "messageId": "17",
        "publishTime": "2026-11-23T17:00:00.123456789Z",
    } | changes
    message.pop(drop, None)
    return json.dumps({"message": message, "subscription": "projects/demo-a/subscriptions/s"}).encode()


def parsed(body: bytes, *, path: str = PATH, headers: dict[str, str] | None = None) -> Delivery:
    delivery = parse_delivery(path, headers or {}, body)
    assert isinstance(delivery, Delivery), delivery
    return delivery


def reason_of(body: bytes, *, path: str = PATH, headers: dict[str, str] | None = None) -> str:
    bad = parse_delivery(path, headers or {}, body)
    assert isinstance(bad, BadDelivery), bad
    return bad.reason


def test_a_wrapped_push_takes_its_topic_from_the_path() -> None:
    assert parsed(a_push()) == Delivery(
        topic=TOPIC,
        message_id="17",
        publish_time=datetime(2026, 11, 23, 17, 0, 0, 123456, tzinfo=UTC),
        data=b'{"a": 1}',
        attributes={"job_id": "j"},
        subscription="projects/demo-a/subscriptions/s",
    )


def test_a_path_may_have_a_prefix_and_a_query() -> None:
    assert parsed(a_push(), path=f"/job_requested{PATH}?x=1").topic == TOPIC


def test_an_eventarc_event_takes_its_topic_from_ce_source() -> None:
    headers = {"Ce-Source": f"//pubsub.googleapis.com/{TOPIC}", "Ce-Type": "messagePublished"}

    assert parsed(a_push(), path="/", headers=headers).topic == TOPIC


def test_a_path_and_a_source_that_disagree_are_bad() -> None:
    headers = {"ce-source": "//pubsub.googleapis.com/projects/demo-a/topics/other"}

    assert "different topics" in reason_of(a_push(), headers=headers)


def test_another_service_as_source_names_no_topic() -> None:
    assert "names a topic" in reason_of(a_push(), path="/", headers={"ce-source": f"//elsewhere/{TOPIC}"})


def test_a_message_without_data_has_empty_data() -> None:
    assert parsed(a_push(drop="data")).data == b""


def test_a_message_without_attributes_has_none() -> None:
    assert parsed(a_push(drop="attributes")).attributes == {}


def test_the_other_spelling_of_names_is_understood() -> None:
    message = {"message_id": "3", "publish_time": "2026-11-23T17:00:00Z"}

    delivery = parsed(json.dumps({"message": message, "deliveryAttempt": 4}).encode())

    assert (delivery.message_id, delivery.delivery_attempt) == ("3", 4)


def test_a_publish_time_of_another_zone_is_given_in_utc() -> None:
    delivery = parsed(a_push(publishTime="2026-11-23T18:00:00+01:00"))

    assert delivery.publish_time == datetime(2026, 11, 23, 17, tzinfo=UTC)
    assert delivery.publish_time.tzinfo is UTC


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "JSON"),
        (b"\xff", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"[]", "message"),
        (b'{"message": []}', "message"),
        (a_push(data="%%%"), "base64"),
        (a_push(data=[1]), "base64"),
        (a_push(data="é"), "base64"),
        (a_push(attributes={"a": 1}), "attributes"),
        (a_push(attributes=["a"]), "attributes"),
        (a_push(attributes={"a": "\ud800"}), "attributes"),
        (a_push(messageId="\ud800"), "messageId"),
        (a_push(attributes={str(n): "v" for n in range(101)}), "attributes"),
        (a_push(drop="messageId"), "messageId"),
        (a_push(messageId=""), "messageId"),
        (a_push(drop="publishTime"), "publishTime"),
        (a_push(publishTime="yesterday"), "publishTime"),
        (a_push(publishTime="2026-11-23T17:00:00"), "publishTime"),
        (a_push(publishTime="0001-01-01T00:00:00+12:00"), "publishTime"),
        (b"1" * (MAX_BODY_BYTES + 1), "bytes"),
    ],
)
def test_what_is_no_push_is_bad_and_keeps_its_bytes(body: bytes, word: str) -> None:
    bad = parse_delivery(PATH, {}, body)

    assert isinstance(bad, BadDelivery)
    assert word in bad.reason
    assert bad.body == body[:MAX_BODY_BYTES]
    assert bad.topic == TOPIC


@pytest.mark.parametrize("path", ["/", "/projects/p/subscriptions/s", "/projects//topics/t", "/x" * 2000])
def test_a_path_without_a_topic_is_bad(path: str) -> None:
    assert "names a topic" in reason_of(a_push(), path=path)


@given(path=st.text(), body=st.binary())
def test_nothing_that_arrives_raises(path: str, body: bytes) -> None:
    assert isinstance(parse_delivery(path, {}, body), BadDelivery)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    message=st.dictionaries(
        st.sampled_from(["data", "attributes", "messageId", "publishTime"]) | st.text(), json_values
    )
)
def test_no_message_object_raises(message: dict[str, object]) -> None:
    body = json.dumps({"message": message}).encode()

    assert isinstance(parse_delivery(PATH, {}, body), Delivery | BadDelivery)
