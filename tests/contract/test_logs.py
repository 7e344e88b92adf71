"""The client of Cloud Logging: against what stands for it, and against scripted answers, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from infra.local.vertex import StandIn
from poolqueue.adapters import logs
from poolqueue.adapters.faults import fault_of
from poolqueue.adapters.logs import CloudLogging
from poolqueue.ports import SERVICE, LogEntries, LogsUnavailable
from tests.end_to_end.stand_in_support import (
    client,
    custom_job,
    parent,
    python,
    start,
    wait_for_state,
    worker_pool_spec,
)

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def stand_in(tmp_path: Path, demo_project: str) -> Iterator[StandIn]:
    with start(tmp_path, demo_project) as stand_in:
        yield stand_in


def run(stand_in: StandIn, project: str, *specs: dict[str, Any]) -> str:
    asked = custom_job(*specs)
    name = client(stand_in).create_custom_job(parent=parent(project), custom_job=asked, timeout=10).name
    wait_for_state(stand_in, name, "SUCCEEDED")
    return name


def told(found: LogEntries, writer: str) -> list[str]:
    return [each.text for each in found.each if each.writer == writer]


def test_all_that_a_job_and_its_replicas_wrote_is_read_in_its_order(
    stand_in: StandIn, demo_project: str, tmp_path: Path
) -> None:
    mark = str(tmp_path / "told")
    waits = f"import pathlib, time\nwhile not pathlib.Path({mark!r}).exists(): time.sleep(0.01)\n"
    talks = "print('one\\n\\ntwo\\x1b[31m'); print('three', end='')"
    other = f"import pathlib; print('from another', flush=True); pathlib.Path({mark!r}).touch()"
    name = run(
        stand_in, demo_project, worker_pool_spec(python(waits + talks)), worker_pool_spec(python(other))
    )
    found = CloudLogging(endpoint=stand_in.endpoint).latest(name, since=LONG_AGO, limit=1_000)

    assert found.are_all
    assert [each.at for each in found.each] == sorted(each.at for each in found.each)
    ended = "Task completed. Exit code (0). Exit reason (SUCCEEDED)"
    assert told(found, "workerpool0-0") == ["one", "", "two\x1b[31m", "three", ended]
    assert told(found, "workerpool1-0")[0] == "from another"
    assert told(found, SERVICE)[-1] == "Job completed successfully."


def test_the_latest_or_the_first_are_read_page_by_page_if_not_all_are_asked_for(
    stand_in: StandIn, demo_project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "PAGE_SIZE", 3)
    name = run(stand_in, demo_project)
    reader = CloudLogging(endpoint=stand_in.endpoint)
    whole = reader.earliest(name, since=LONG_AGO, limit=1_000)

    assert whole.are_all
    assert len({each.id for each in whole.each}) == len(whole.each) > 7
    assert reader.latest(name, since=LONG_AGO, limit=1_000) == whole
    assert reader.latest(name, since=LONG_AGO, limit=5) == LogEntries(each=whole.each[-5:], are_all=False)
    assert reader.earliest(name, since=LONG_AGO, limit=5) == LogEntries(each=whole.each[:5], are_all=False)
    since = whole.each[4].at
    assert reader.earliest(name, since=since, limit=1_000).each[-1] == whole.each[-1]
    assert {each.at >= since for each in reader.earliest(name, since=since, limit=1_000).each} == {True}


def test_another_jobs_log_is_not_read(stand_in: StandIn, demo_project: str) -> None:
    name = run(stand_in, demo_project)
    other = f"{name.rpartition('/')[0]}/1"
    reader = CloudLogging(endpoint=stand_in.endpoint)

    assert reader.latest(other, since=LONG_AGO, limit=10) == LogEntries()
    assert reader.latest(name, since=datetime.now(UTC) + timedelta(hours=1), limit=10) == LogEntries()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "resource_names"),
        ({"resourceNames": ["demo-x"]}, "projects/PROJECT_ID"),
        ({"resourceNames": ["projects/demo-x"], "orderBy": "severity"}, "order_by"),
        ({"resourceNames": ["projects/demo-x"], "filter": "colour=red"}, "Invalid filter"),
        ({"resourceNames": ["projects/demo-x"], "colour": "red"}, "colour"),
    ],
)
def test_the_stand_in_refuses_what_it_does_not_understand(stand_in: StandIn, asked: dict, words: str) -> None:
    answer = requests.post(f"{stand_in.endpoint}/v2/entries:list", json=asked, timeout=10)

    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert words.replace("_", "") in answer.text.replace("_", "").replace("resourceNames", "resourcenames")


# --- scripted answers ------------------------------------------------------------------------------------

NAME = "projects/123/locations/us-central1/customJobs/17"


class Scripted(ThreadingHTTPServer):
    """Gives `answers` in turn and keeps what was asked."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.answers, self.asked = list(answers), []

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    @property
    def reader(self) -> CloudLogging:
        return CloudLogging(endpoint=f"http://127.0.0.1:{self.server_address[1]}")


class _Answers(BaseHTTPRequestHandler):
    server: Scripted

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        status, content = self.server.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write((content if isinstance(content, str) else json.dumps(content)).encode())

    def log_message(self, *args: object) -> None:
        pass


def test_it_asks_as_the_api_is_documented() -> None:
    since = datetime(2026, 11, 23, 18, 0, 0, 5, tzinfo=UTC)
    with Scripted((200, {"nextPageToken": "on"}), (200, {})) as server:
        server.reader.latest(NAME, since=since, limit=20)
        (path, first), (_, second) = server.asked

    assert path == "/v2/entries:list"
    assert first == {
        "resourceNames": ["projects/123"],
        "filter": 'resource.type="ml_job" AND resource.labels.job_id="17" '
        'AND timestamp>="2026-11-23T18:00:00.000005Z"',
        "orderBy": "timestamp desc",
        "pageSize": 21,
    }
    assert second == {**first, "pageToken": "on"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"textPayload": "a\nb"}, "a\nb"),
        ({"jsonPayload": {"message": "epoch 1", "levelname": "INFO"}}, "epoch 1"),
        ({"jsonPayload": {"loss": 0.5}}, '{"loss": 0.5}'),
        ({"jsonPayload": {"message": {"loss": 1}}}, '{"message": {"loss": 1}}'),
        ({"protoPayload": {"@type": "x"}}, '{"@type": "x"}'),
        ({}, ""),
        ({"jsonPayload": None, "resource": "x", "timestamp": 5}, ""),
    ],
)
def test_whatever_an_entry_holds_has_a_text(fields: dict[str, Any], text: str) -> None:
    with Scripted((200, {"entries": [fields, "no entry"]})) as server:
        (entry,) = server.reader.latest(NAME, since=LONG_AGO, limit=20).each

    assert entry.text == text
    assert entry.severity == "DEFAULT"


def test_times_of_nanoseconds_and_replicas_are_read() -> None:
    fields = {
        "timestamp": "2026-11-23T18:00:00.123456789Z",
        "severity": "ERROR",
        "insertId": "a",
        "resource": {"labels": {"task_name": "workerpool1-2"}},
    }
    with Scripted((200, {"entries": [fields]})) as server:
        (entry,) = server.reader.latest(NAME, since=LONG_AGO, limit=20).each

    assert (entry.id, entry.severity, entry.writer) == ("a", "ERROR", "workerpool1-2")
    assert entry.at == datetime(2026, 11, 23, 18, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ((403, {"error": {"message": "no", "status": "PERMISSION_DENIED"}}), "forbidden"),
        ((401, {"error": {"message": "who"}}), "no_credentials"),
        ((404, {}), "missing"),
        ((429, {}), "silent"),
        ((503, "<html>"), "silent"),
        ((400, {"error": {"message": "bad filter"}}), "refused"),
        ((200, "no JSON"), None),
    ],
)
def test_what_goes_wrong_is_told_by_its_kind(answer: tuple[int, Any], fault: str | None) -> None:
    with Scripted(answer) as server, pytest.raises(LogsUnavailable) as raised:
        server.reader.latest(NAME, since=LONG_AGO, limit=20)

    assert fault_of(raised.value) == fault


def test_nobody_there_is_told_too() -> None:
    with pytest.raises(LogsUnavailable, match="ConnectionError"):
        CloudLogging(endpoint="http://127.0.0.1:9").latest(NAME, since=LONG_AGO, limit=20)


def test_only_a_custom_jobs_name_gets_into_a_filter() -> None:
    with pytest.raises(ValueError, match="full name"):
        CloudLogging(endpoint="http://127.0.0.1:9").latest(
            'projects/p/locations/l/customJobs/1" OR "', since=LONG_AGO, limit=20
        )
