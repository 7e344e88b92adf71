"""curl and gcloud publish as users are told to; the embedded REST answers as Google's reference has it."""

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

from infra.local.emulators import Emulator
from infra.local.pubsub_wire import EmbeddedPubSub
from tests.contract.pubsub.bench import Bench

TOPIC = "projects/demo-rest/topics/letters"
READER = "projects/demo-rest/subscriptions/reader"


@pytest.fixture
def embedded() -> Iterator[EmbeddedPubSub]:
    with EmbeddedPubSub() as running:
        call(running, "PUT", TOPIC)
        call(running, "PUT", READER, {"topic": TOPIC})
        yield running


def call(embedded: EmbeddedPubSub, method: str, target: str, body: object = None) -> Any:
    url = f"http://{embedded.http_address}/v1/{target}"
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
def test_curl_publishes_a_message(bench: Bench, pubsub: Emulator) -> None:
    reader = bench.subscribe()
    body = '{"messages": [{"data": "aGVsbG8=", "attributes": {"job_id": "j"}}]}'
    # Without the type Google's emulator answers 404.
    command = ["curl", "-sf", "-H", "Content-Type: application/json", "-d", body]

    answer = run(*command, f"http://{pubsub.http_address}/v1/{bench.topic}:publish")

    [message_id] = json.loads(answer)["messageIds"]
    [received] = bench.pull(reader)
    assert received.message.message_id == message_id
    assert (received.message.data, dict(received.message.attributes)) == (b"hello", {"job_id": "j"})


@pytest.mark.requires("gcloud")
def test_gcloud_publishes_and_pulls(bench: Bench, pubsub: Emulator, tmp_path: Path) -> None:
    bench.subscribe("reader")
    environment = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": f"http://{pubsub.http_address}/",
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CONFIG": str(tmp_path),
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_CORE_PROJECT": bench.project,
    }
    publish = ["gcloud", "pubsub", "topics", "publish", "letters", "--message=hello", "--attribute=job_id=j"]
    pull = ["gcloud", "pubsub", "subscriptions", "pull", "reader", "--auto-ack", "--format=json"]

    run(*publish, environment=environment)
    [received] = json.loads(run(*pull, environment=environment))

    assert received["message"]["data"] == "aGVsbG8="
    assert received["message"]["attributes"] == {"job_id": "j"}


def test_rest_knows_topics_and_subscriptions(embedded: EmbeddedPubSub) -> None:
    assert call(embedded, "GET", "projects/demo-rest/topics") == {"topics": [{"name": TOPIC}]}
    assert call(embedded, "GET", f"{TOPIC}/subscriptions") == {"subscriptions": [READER]}
    assert call(embedded, "GET", READER)["ackDeadlineSeconds"] == 10
    assert call(embedded, "DELETE", READER) == {}
    assert call(embedded, "GET", "projects/demo-rest/subscriptions") == {}


def test_rest_settles_deliveries(embedded: EmbeddedPubSub) -> None:
    call(embedded, "POST", f"{TOPIC}:publish", {"messages": [{"data": "eA=="}]})
    [first] = call(embedded, "POST", f"{READER}:pull", {"maxMessages": 1})["receivedMessages"]

    call(
        embedded, "POST", f"{READER}:modifyAckDeadline", {"ackIds": [first["ackId"]], "ackDeadlineSeconds": 0}
    )

    [again] = call(embedded, "POST", f"{READER}:pull", {"maxMessages": 1})["receivedMessages"]
    assert call(embedded, "POST", f"{READER}:acknowledge", {"ackIds": [again["ackId"]]}) == {}


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
    embedded: EmbeddedPubSub, request_line: str, body: object, status: int, name: str
) -> None:
    with pytest.raises(HTTPError) as failure:
        call(embedded, *request_line.split(" "), body)

    with failure.value as error:
        told = json.load(error)["error"]
    assert (error.code, told["code"], told["status"]) == (status, status, name)
