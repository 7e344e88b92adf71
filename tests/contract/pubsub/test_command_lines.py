"""curl and gcloud publish to the embedded Pub/Sub as its users are told to."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from infra.local.pubsub_wire import EmbeddedPubSub

TOPIC = "projects/demo-rest/topics/letters"
READER = "projects/demo-rest/subscriptions/reader"


@pytest.fixture
def pubsub() -> Iterator[EmbeddedPubSub]:
    with EmbeddedPubSub() as running:
        call(running, "PUT", TOPIC)
        call(running, "PUT", READER, {"topic": TOPIC})
        yield running


def call(pubsub: EmbeddedPubSub, method: str, target: str, body: object = None) -> Any:
    url = f"http://{pubsub.http_address}/v1/{target}"
    request = Request(url, method=method, data=None if body is None else json.dumps(body).encode())
    with urlopen(request, timeout=20) as response:
        return json.load(response)


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=os.environ | (environment or {}),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.requires("curl")
def test_curl_publishes_a_message(pubsub: EmbeddedPubSub) -> None:
    body = '{"messages": [{"data": "aGVsbG8=", "attributes": {"job_id": "j"}}]}'

    answer = run("curl", "-sf", f"http://{pubsub.http_address}/v1/{TOPIC}:publish", "-d", body)

    [message_id] = json.loads(answer)["messageIds"]
    [received] = call(pubsub, "POST", f"{READER}:pull", {"maxMessages": 10})["receivedMessages"]
    assert received["message"] | {"publishTime": ""} == {
        "data": "aGVsbG8=",
        "attributes": {"job_id": "j"},
        "messageId": message_id,
        "publishTime": "",
    }


@pytest.mark.requires("gcloud")
def test_gcloud_publishes_and_pulls(pubsub: EmbeddedPubSub, tmp_path: Path) -> None:
    # A configuration of its own, with an access token that nobody checks: no account is touched.
    environment = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": f"http://{pubsub.http_address}/",
        "CLOUDSDK_CONFIG": str(tmp_path),
        "CLOUDSDK_CORE_PROJECT": "demo-rest",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
    }
    publish = ["gcloud", "pubsub", "topics", "publish", "letters", "--message=hello", "--attribute=job_id=j"]
    pull = ["gcloud", "pubsub", "subscriptions", "pull", "reader", "--auto-ack", "--format=json"]

    run(*publish, environment=environment)
    [received] = json.loads(run(*pull, environment=environment))

    assert received["message"]["data"] == "aGVsbG8="
    assert received["message"]["attributes"] == {"job_id": "j"}


def test_rest_knows_topics_and_subscriptions(pubsub: EmbeddedPubSub) -> None:
    assert call(pubsub, "GET", "projects/demo-rest/topics") == {"topics": [{"name": TOPIC}]}
    assert call(pubsub, "GET", f"{TOPIC}/subscriptions") == {"subscriptions": [READER]}
    assert call(pubsub, "GET", READER)["ackDeadlineSeconds"] == 10
    assert call(pubsub, "DELETE", READER) == {}
    assert call(pubsub, "GET", "projects/demo-rest/subscriptions") == {}


def test_rest_settles_deliveries(pubsub: EmbeddedPubSub) -> None:
    call(pubsub, "POST", f"{TOPIC}:publish", {"messages": [{"data": "eA=="}]})
    [first] = call(pubsub, "POST", f"{READER}:pull", {"maxMessages": 1})["receivedMessages"]

    call(pubsub, "POST", f"{READER}:modifyAckDeadline", {"ackIds": [first["ackId"]], "ackDeadlineSeconds": 0})

    [again] = call(pubsub, "POST", f"{READER}:pull", {"maxMessages": 1})["receivedMessages"]
    assert call(pubsub, "POST", f"{READER}:acknowledge", {"ackIds": [again["ackId"]]}) == {}


@pytest.mark.parametrize(
    ("request_line", "body", "status", "name"),
    [
        ("GET projects/demo-rest/topics/none", None, 404, "NOT_FOUND"),
        (f"PUT {TOPIC}", None, 409, "ALREADY_EXISTS"),
        (f"POST {TOPIC}:publish", {"messages": []}, 400, "INVALID_ARGUMENT"),
        (f"POST {TOPIC}:publish", {"mesages": []}, 400, "INVALID_ARGUMENT"),
        (f"POST {TOPIC}:seek", {}, 404, "NOT_FOUND"),
        ("GET nothing", None, 404, "NOT_FOUND"),
    ],
)
def test_rest_tells_errors_as_google_does(
    pubsub: EmbeddedPubSub, request_line: str, body: object, status: int, name: str
) -> None:
    with pytest.raises(HTTPError) as failure:
        call(pubsub, *request_line.split(" "), body)

    with failure.value as error:
        told = json.load(error)["error"]
    assert (error.code, told["code"], told["status"]) == (status, status, name)
