"""Each kind of Pub/Sub, started once for a session, with a project of its own for each test."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest

from infra.local.emulators import Emulator, Kind, start_pubsub
from tests.contract.pubsub.bench import WAIT_SECONDS, Bench, Endpoint, bench_on

KINDS = [Kind.EMBEDDED, pytest.param(Kind.GOOGLE, marks=pytest.mark.requires("google_emulators"))]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    arriving = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arriving.arrivals.put((self.path, dict(self.headers.items()), body))
            waits_for, arriving.first_waits_for = arriving.first_waits_for, None
            if waits_for is not None:
                waits_for.wait(WAIT_SECONDS)
            self.send_response(arriving.statuses.pop(0) if arriving.statuses else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a pusher gives up at its deadline
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    arriving.url = f"http://127.0.0.1:{server.server_port}"
    yield arriving
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session", params=KINDS)
def pubsub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_pubsub(request.param, tmp_path_factory.mktemp("pubsub")) as running:
        yield running


@pytest.fixture
def bench(pubsub: Emulator, demo_project: str) -> Iterator[Bench]:
    with grpc.insecure_channel(pubsub.address) as channel:
        made = bench_on(pubsub, channel, project=demo_project)
        made.create_topic("letters")
        yield made
        for subscription in made.subscriber.list_subscriptions(project=f"projects/{demo_project}"):
            made.subscriber.delete_subscription(subscription=subscription.name)
