"""The Vertex AI adapter against scripted answers over real HTTP: what each answer, or none, becomes."""

import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import requests.adapters

from poolqueue.adapters.vertex import VertexAI
from poolqueue.adapters.vertex_rest import PAGES_AT_MOST, Region
from poolqueue.ports import Created, RefusalKind, Refused, ResourceState, Unanswered, VertexUnavailable

PARENT = "projects/demo-wire/locations/us-central1"
NAME = f"{PARENT}/customJobs/1"
RESOURCE = f"{PARENT}/persistentResources/gpu-a"
BODY = {
    "displayName": "tiny",
    "jobSpec": {
        "persistentResourceId": "gpu-a",
        "workerPoolSpecs": [
            {
                "machineSpec": {"machineType": "n1-standard-4"},
                "replicaCount": "1",
                "containerSpec": {"imageUri": "image", "env": [{"name": "TOKEN", "value": "hunter22"}]},
            }
        ],
    },
}
HANG_UP, SILENCE = "hang up", "silence"
QUICKLY = 0.3


class ScriptedServer(ThreadingHTTPServer):
    """Gives `answers` in turn, the last one for ever; keeps what was asked. Each is (status, content)."""

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), ScriptedAnswers)
        self.answers = list(answers)
        self.asked = []
        self.closing = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_answer(self):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class ScriptedAnswers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment per answer, else each waits for a delayed ACK

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, body))
        answer = self.server.next_answer()
        if answer == SILENCE:
            self.server.closing.wait(30)
        if answer in (HANG_UP, SILENCE):
            self.close_connection = True
            return
        status, content = answer
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815 (http.server looks for these)

    def log_message(self, *args):
        """A test's output is not the place for an access log."""


@pytest.fixture
def serve():
    servers = []

    def start(*answers):
        server = ScriptedServer(answers)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.closing.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_request_without_a_timeout(monkeypatch):
    send = requests.adapters.HTTPAdapter.send

    def send_with_a_timeout(self, request, **settings):
        assert settings["timeout"] is not None, f"{request.method} {request.url} has no timeout"
        return send(self, request, **settings)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send_with_a_timeout)


def error(http_status, message, status="", details=()):
    return http_status, {
        "error": {"code": http_status, "message": message, "status": status, "details": list(details)}
    }


def create(server, *, timeout_seconds=10.0):
    return VertexAI(endpoint=server.url).create(PARENT, BODY, timeout_seconds=timeout_seconds)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            error(400, "List of found errors:\t1.Field: x; Message: y", "INVALID_ARGUMENT"),
            RefusalKind.TERMINAL,
        ),
        (error(400, "The persistent resource is not running.", "FAILED_PRECONDITION"), RefusalKind.NOT_READY),
        (error(403, "Permission denied on the image", "PERMISSION_DENIED"), RefusalKind.TERMINAL),
        (error(403, "x", details=[{"reason": "SERVICE_DISABLED"}]), RefusalKind.NOT_READY),
        (error(404, "Persistent resource not found", "NOT_FOUND"), RefusalKind.NOT_READY),
        (error(429, "not enough free replicas", "RESOURCE_EXHAUSTED"), RefusalKind.CAPACITY),
        (error(429, "quota metrics exceed quota limits: x", "RESOURCE_EXHAUSTED"), RefusalKind.QUOTA),
        (error(429, "x", details=[{"reason": "RATE_LIMIT_EXCEEDED"}]), RefusalKind.RATE),
        ((404, "<!DOCTYPE html>"), RefusalKind.NOT_READY),
        ((400, "[]"), RefusalKind.TERMINAL),
    ],
)
def test_a_refusal_is_told_from_the_wire(serve, answer, kind):
    server = serve(answer)
    refused = create(server)
    assert isinstance(refused, Refused)
    assert refused.kind is kind
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        error(500, "Internal error encountered.", "INTERNAL"),
        error(503, "unavailable", "UNAVAILABLE"),
        error(504, "Deadline expired", "DEADLINE_EXCEEDED"),
        error(409, "aborted", "ABORTED"),
        (502, "<html>Bad Gateway</html>"),
        (200, "<html>a captive portal</html>"),
        (200, {"displayName": "without a name"}),
        HANG_UP,
    ],
)
def test_an_answer_not_to_be_trusted_leaves_a_create_unanswered_and_unrepeated(serve, answer):
    server = serve(answer)
    assert isinstance(create(server), Unanswered)
    assert len(server.asked) == 1


def test_silence_leaves_a_create_unanswered_when_its_time_is_up(serve):
    server = serve(SILENCE)
    assert isinstance(create(server, timeout_seconds=QUICKLY), Unanswered)
    assert len(server.asked) == 1


def test_nobody_listening_leaves_a_create_unanswered_and_a_read_unavailable():
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        vertex = VertexAI(endpoint=f"http://127.0.0.1:{reserved.getsockname()[1]}")
        assert isinstance(vertex.create(PARENT, BODY, timeout_seconds=5), Unanswered)
        with pytest.raises(VertexUnavailable):
            vertex.custom_job(NAME)


def test_a_body_that_is_no_custom_job_is_refused_and_not_sent(serve):
    server = serve((200, {"name": NAME}))
    refused = VertexAI(endpoint=server.url).create(PARENT, {**BODY, "nope": 1}, timeout_seconds=5)
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.TERMINAL
    assert "nope" in refused.message
    assert server.asked == []


def test_a_refusal_that_quotes_a_secret_does_not_spread_it(serve):
    refused = create(serve(error(400, "bad value hunter22", "INVALID_ARGUMENT")))
    assert refused.message == "400 INVALID_ARGUMENT: bad value ***"


def test_known_fields_arrive_as_they_were_given(serve):
    server = serve((200, {"name": NAME, "state": "JOB_STATE_PENDING"}))
    assert isinstance(create(server), Created)
    method, path, sent = server.asked[0]
    assert (method, urlsplit(path).path) == ("POST", f"/v1/{PARENT}/customJobs")
    assert json.loads(sent) == BODY


def test_a_job_waits_while_credentials_are_refused_and_the_remedy_is_named(serve):
    refused = create(serve(error(401, "invalid credentials", "UNAUTHENTICATED")))
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.NOT_READY
    assert "roles/aiplatform.user" in refused.message


def test_missing_credentials_name_the_remedy(monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
    with pytest.raises(VertexUnavailable, match="gcloud auth application-default login"):
        VertexAI().custom_job(NAME)
    refused = VertexAI().create(PARENT, BODY, timeout_seconds=5)
    assert isinstance(refused, Refused)
    assert refused.kind is RefusalKind.NOT_READY


def test_a_region_has_its_own_endpoint():
    settings = Region("europe-west4", endpoint=None)._settings()
    assert settings["client_options"].api_endpoint == "europe-west4-aiplatform.googleapis.com"


def test_a_name_without_a_region_is_a_fault_of_ours():
    with pytest.raises(ValueError, match="locations"):
        VertexAI().custom_job("customJobs/1")


def test_a_listing_asks_for_what_is_unfinished_and_follows_its_pages(serve):
    pages = [
        (200, {"customJobs": [{"name": f"{PARENT}/customJobs/{number}"}], "nextPageToken": f"after-{number}"})
        for number in range(3)
    ]
    server = serve(*pages, (200, {"customJobs": [{"name": NAME, "state": "JOB_STATE_SUCCEEDED"}]}))
    listed = VertexAI(endpoint=server.url).unfinished(PARENT)
    assert [custom_job.number for custom_job in listed] == ["0", "1", "2"]
    asked = [parse_qs(urlsplit(path).query) for _, path, _ in server.asked]
    assert [query.get("pageToken") for query in asked] == [None, ["after-0"], ["after-1"], ["after-2"]]
    assert {query["pageSize"][0] for query in asked} == {"100"}
    assert 'state!="JOB_STATE_SUCCEEDED" AND state!="JOB_STATE_FAILED" AND' in asked[0]["filter"][0]


def test_a_listing_without_end_is_given_up(serve):
    server = serve((200, {"nextPageToken": "again"}))
    with pytest.raises(VertexUnavailable, match="did not end"):
        VertexAI(endpoint=server.url).unfinished(PARENT)
    assert len(server.asked) == PAGES_AT_MOST


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        ((200, {}), True),
        (error(404, "not found", "NOT_FOUND"), False),
        (error(400, "The job has ended", "FAILED_PRECONDITION"), False),
    ],
)
def test_a_cancel_is_taken_unless_there_is_nothing_to_cancel(serve, answer, taken):
    assert VertexAI(endpoint=serve(answer).url).cancel(NAME) is taken


@pytest.mark.parametrize("answer", [error(503, "x"), error(429, "x"), error(403, "x"), HANG_UP, SILENCE])
@pytest.mark.parametrize(
    "call",
    [
        lambda vertex: vertex.cancel(NAME),
        lambda vertex: vertex.custom_job(NAME),
        lambda vertex: vertex.unfinished(PARENT),
        lambda vertex: vertex.resource(RESOURCE),
    ],
    ids=["cancel", "custom_job", "unfinished", "resource"],
)
def test_reads_and_cancels_without_an_answer_are_unavailable(serve, call, answer):
    vertex = VertexAI(endpoint=serve(answer).url, timeout_seconds=QUICKLY)
    with pytest.raises(VertexUnavailable):
        call(vertex)


def test_what_is_not_found_is_missing(serve):
    vertex = VertexAI(endpoint=serve(error(404, "not found", "NOT_FOUND")).url)
    assert vertex.custom_job(NAME) is None
    assert vertex.resource(RESOURCE).state is ResourceState.MISSING


def test_threads_share_one_client_of_a_region(serve):
    server = serve((200, {"name": NAME}))
    vertex = VertexAI(endpoint=server.url)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: vertex.custom_job(NAME), range(24)))
    assert len(found) == len(server.asked) == 24
    assert list(vertex._regions) == ["us-central1"]


def test_importing_the_adapter_does_not_import_the_client():
    program = "import sys, poolqueue.adapters.vertex; print('google.cloud.aiplatform_v1' in sys.modules)"
    seen = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert seen.stdout.strip() == "False"


@pytest.mark.parametrize("location", ["evil.example#", "a.b", "", "US"])
def test_only_the_name_of_a_region_becomes_part_of_the_host(location: str) -> None:
    with pytest.raises(ValueError, match="region"):
        Region(location, endpoint=None)
