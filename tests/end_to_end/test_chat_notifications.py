"""The example that posts outcomes to a chat: served as deployed, pushed to by Pub/Sub, posting over HTTP."""

from __future__ import annotations

import json
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.pubsub_v1 import PublisherClient, SubscriberClient, types
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.local.emulators import Emulators, Kind, start_emulators
from infra.local.processes import ROOT
from infra.local.stack.function_server import FunctionServer, start_function
from poolqueue.adapters.pubsub import PubSubPublisher
from poolqueue.requests.outcomes import outcome_message
from tests.end_to_end.stand_in_support import wait_for
from tests.unit.client.building import NOW

pytestmark = pytest.mark.timeout(180)

EXAMPLE = ROOT / "examples" / "chat_notifications"
FILTER = re.search(r'default     = "(attributes\.state.*)"\n', (EXAMPLE / "main.tf").read_text())
SECRET = "hooks/s3cret"
ARRIVES_SECONDS = 60.0
HOSTILE = "<!channel> <https://evil.example|click> *bold* </b><users/all>\r\n\x1b[2J\u202egnp &amp;"


@dataclass
class Chat:
    """A webhook that keeps what it takes; the next answers are of `statuses`, then 200."""

    statuses: list[int] = field(default_factory=list)
    posts: queue.Queue[dict[str, Any]] = field(default_factory=queue.Queue)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def next(self) -> dict[str, Any]:
        return self.posts.get(timeout=ARRIVES_SECONDS)


@pytest.fixture
def chat() -> Iterator[Chat]:
    taking = Chat()

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = taking.statuses.pop(0) if taking.statuses else 200
            taking.asked.append(self.path)
            if status == 200:
                taking.posts.put(json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            if status == 302:
                self.send_header("Location", f"{taking.url}/elsewhere")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    taking.url = f"http://127.0.0.1:{server.server_port}"
    yield taking
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulators]:
    with start_emulators(Kind.EMBEDDED, tmp_path_factory.mktemp("emulators")) as running:
        yield running


@dataclass
class Notifying:
    """The function as it is deployed, and its subscription."""

    emulators: Emulators
    project: str
    chat: Chat
    directory: Path
    chat_format: str
    function: FunctionServer | None = None

    def start(self) -> None:
        source = self.directory / "source"  # as it is deployed: with nothing of ours beside it
        shutil.copytree(EXAMPLE, source, dirs_exist_ok=True)
        environment = {
            **self.emulators.environment,
            "GOOGLE_CLOUD_PROJECT": self.project,
            "CHAT_WEBHOOK": f"{self.chat.url}/{SECRET}",
            "CHAT_FORMAT": self.chat_format,
        }
        self.function = start_function(
            "notify",
            source=source / "main.py",
            environment=environment,
            directory=self.directory,
            port=0 if self.function is None else self.function.port,
        )

    def stop(self) -> None:
        assert self.function is not None
        self.function.child.stop(grace_seconds=1)

    def subscribe(self) -> None:
        assert self.function is not None
        assert FILTER is not None
        with grpc.insecure_channel(self.emulators.pubsub_address) as channel:
            PublisherClient(transport=PublisherGrpcTransport(channel=channel)).create_topic(name=self.topic)
            SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)).create_subscription(
                request=types.Subscription(
                    name=f"projects/{self.project}/subscriptions/notify",
                    topic=self.topic,
                    filter=FILTER[1].replace('\\"', '"'),
                    push_config=types.PushConfig(push_endpoint=self.function.url),
                    retry_policy=types.RetryPolicy(minimum_backoff="0.1s", maximum_backoff="1s"),
                )
            )

    @property
    def topic(self) -> str:
        return f"projects/{self.project}/topics/job-outcomes"

    @property
    def log(self) -> str:
        assert self.function is not None
        return self.function.child.log.read_text()

    def announce(self, job_id: str, *, copies: int = 1, **changes: Any) -> None:
        said = {"state": "ended", "outcome": "failed", "sequence": 5, "at": NOW, **changes}
        body, attributes = outcome_message(job_id=job_id, team="research", **said)
        publisher = PubSubPublisher(emulator_host=self.emulators.pubsub_address)
        for _ in range(copies):
            publisher.publish(self.topic, body, attributes)

    def assert_nothing_more(self) -> None:
        """What is announced last has arrived, and nothing else since."""
        self.announce("the-last", sequence=1)
        assert "the-last" in json.dumps(self.chat.next())


@pytest.fixture
def notifying(
    request: pytest.FixtureRequest, emulators: Emulators, demo_project: str, chat: Chat, tmp_path: Path
) -> Iterator[Notifying]:
    how = getattr(request, "param", "slack")
    made = Notifying(
        emulators=emulators, project=demo_project, chat=chat, directory=tmp_path, chat_format=how
    )
    made.start()
    made.subscribe()
    yield made
    made.stop()


def test_the_end_of_a_job_is_posted_once_with_its_log(notifying: Notifying) -> None:
    notifying.announce("resnet", copies=2, error="exit 1", custom_job="projects/1/locations/l-1/customJobs/2")

    posted = notifying.chat.next()

    assert posted["text"] == "research: resnet failed"
    shown, link = (block["text"]["text"] for block in posted["blocks"])
    assert shown == "research: resnet failed\nexit 1"
    assert link.startswith("<https://console.cloud.google.com/logs/query;query=resource.type%3D")
    notifying.assert_nothing_more()


def test_only_what_the_filter_lets_through_is_posted(notifying: Notifying) -> None:
    notifying.announce("went-well", outcome="succeeded")
    notifying.announce("still-runs", state="running", outcome=None)

    notifying.assert_nothing_more()


def test_what_was_posted_is_not_posted_again_by_another_instance(notifying: Notifying) -> None:
    notifying.announce("resnet")
    notifying.chat.next()
    notifying.stop()
    notifying.start()

    notifying.announce("resnet", copies=2)
    notifying.announce("resnet", sequence=4)  # late, of the same job

    notifying.assert_nothing_more()


def test_while_the_chat_does_not_take_it_the_message_comes_again(notifying: Notifying) -> None:
    notifying.chat.statuses += [500, 429, 302, 404]

    notifying.announce("resnet")

    assert notifying.chat.next()["text"] == "research: resnet failed"
    assert {*notifying.chat.asked} == {f"/{SECRET}"}, "a redirect is not followed"
    assert SECRET not in notifying.log


def test_a_message_that_the_chat_will_never_take_is_logged_and_left(notifying: Notifying) -> None:
    notifying.chat.statuses.append(400)
    notifying.announce("refused")
    wait_for(lambda: '"notification_refused"' in notifying.log, "the refusal")

    notifying.assert_nothing_more()


@pytest.mark.parametrize("notifying", ["slack"], indirect=True)
def test_hostile_text_stays_text_in_slack(notifying: Notifying) -> None:
    notifying.announce("resnet", error=HOSTILE, custom_job="javascript:alert(1)")

    posted = notifying.chat.next()

    (block,) = posted["blocks"]
    assert block["text"]["type"] == "plain_text"
    assert "<!channel> <https://evil.example|click> *bold*" in block["text"]["text"]
    assert all(character.isprintable() or character == "\n" for character in block["text"]["text"])
    assert not set("<>") & set(posted["text"])


@pytest.mark.parametrize("notifying", ["google_chat"], indirect=True)
def test_hostile_text_stays_text_in_google_chat(notifying: Notifying) -> None:
    notifying.announce("resnet", error=HOSTILE)

    (card,) = notifying.chat.next()["cardsV2"]

    (widget,) = card["card"]["sections"][0]["widgets"]
    text = widget["textParagraph"]["text"]
    assert text.startswith("research: resnet failed<br>&lt;!channel&gt; &lt;https://evil.example|click&gt;")
    assert text.count("<") == 1
    assert "&lt;users/all&gt;" in text
    assert "&amp;amp;" in text


def test_what_is_no_outcome_is_left(notifying: Notifying) -> None:
    publisher = PubSubPublisher(emulator_host=notifying.emulators.pubsub_address)
    attributes = {"state": "ended", "outcome": "failed"}
    for body in (b"", b"\xff", b"[]", b'{"state": "ended"}', b'{"team": "../x", "job_id": "y"}'):
        publisher.publish(notifying.topic, body, attributes)

    notifying.assert_nothing_more()


@pytest.mark.requires("terraform")
def test_its_terraform_is_formatted() -> None:
    subprocess.run(["terraform", "fmt", "-check", "-recursive", str(EXAMPLE)], check=True)
