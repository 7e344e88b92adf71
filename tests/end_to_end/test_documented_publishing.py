"""Every block of docs/publishing.md and docs/outcomes.md is run as it stands, against a whole system.

What a reader's machine has and a test's has not is put in its place: see `AS_HERE`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from infra.local.emulators import Kind
from infra.local.processes import ROOT
from infra.local.run.next_steps import write_environment
from infra.local.stack import Plan, Stack, pool, resource, start_stack
from poolqueue.client import PoolQueue
from poolqueue.client.place import Outside
from poolqueue.config import read_environment
from poolqueue.requests.reading import read_mapping
from poolqueue.scheduling.jobs import Outcome
from tests.end_to_end.documented import Block, blocks
from tests.end_to_end.stack_support import PATIENCE_SECONDS, announced, record, request, wait_for_end
from tests.end_to_end.stand_in_support import wait_for

pytestmark = pytest.mark.timeout(400)

L4 = {"machineType": "g2-standard-12", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1}
KINDS = [Kind.EMBEDDED, pytest.param(Kind.GOOGLE, marks=pytest.mark.requires("google_emulators"))]
RUN_SECONDS = 120.0

# The SDK wants credentials where it builds its client, though nothing is called.
NO_CREDENTIALS = """
import sys
if "aiplatform" in open(sys.argv[1]).read():
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform
    aiplatform.init(credentials=AnonymousCredentials())
import runpy
runpy.run_path(sys.argv[1], run_name="__main__")
"""


PUBLISHING = blocks("publishing.md")
OUTCOMES = blocks("outcomes.md")


def only(page: list[Block], label: str) -> Block:
    (found,) = [block for block in page if block.label == label]
    return found


@pytest.fixture(scope="module", params=KINDS, ids=str)
def documented(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system in which the page's names are true: its persistent resource, its machines and its image."""
    plan = Plan(
        kind=request.param,
        persistent_resources=[resource("gpu-a", pool("g2-standard-12", L4, 4))],
        settings={"pacing": {"creates_per_minute": 1000}},
        stand_in={"images": {"europe-docker.pkg.dev/my-project/": ["true"]}},
        sweep_seconds=None,
    )
    with start_stack(tmp_path_factory.mktemp("documented"), plan) as started:
        started.sweep()
        yield started
        started.report().assert_nothing_found()


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Somebody who follows the page in a folder of their own."""

    stack: Stack
    folder: Path

    def as_here(self, text: str) -> str:
        """`my-project` as an image's registry stays: the image is the stand-in's."""
        http = f"http://{self.stack.emulators.pubsub_http_address}"
        text = text.replace("https://pubsub.googleapis.com", http)
        text = text.replace("$(gcloud auth print-access-token)", "none")
        text = text.replace('database="pool-queue"', 'database="(default)"')
        return re.sub(r"(?<!docker\.pkg\.dev/)\bmy-project\b", self.stack.project, text)

    def save_files(self, page: list[Block]) -> None:
        for block in page:
            if block.is_file:
                (self.folder / block.label.removeprefix("file=")).write_text(self.as_here(block.text))

    def shell(self, block: Block, **more: str) -> str:
        sourced = f". {write_environment(self.stack)}; {self.as_here(block.text)}"
        return self._run(["bash", "-euo", "pipefail", "-c", sourced], more)

    def python(self, text: str) -> str:
        return self._run([sys.executable, "-c", NO_CREDENTIALS, str(self.script(text))], {})

    def script(self, text: str) -> Path:
        path = self.folder / "block.py"
        path.write_text(self.as_here(text))
        return path

    def environment(self) -> dict[str, str]:
        own = self.stack.environment()
        del own["POOL_QUEUE_SETTINGS"]
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT), **own}

    def _run(self, command: list[str], more: dict[str, str]) -> str:
        ran = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment(), **more},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


@pytest.fixture
def reader(documented: Stack, tmp_path: Path) -> Reader:
    made = Reader(stack=documented, folder=tmp_path)
    made.save_files(PUBLISHING)
    return made


def python_blocks() -> list[Block]:
    return [block for block in PUBLISHING if (block.language, block.label) == ("python", "run")]


def gcloud_blocks() -> list[Block]:
    return [block for block in PUBLISHING if block.label == "run gcloud"]


def subscriptions() -> list[Block]:
    return [block for block in OUTCOMES if block.label == "run gcloud"]


def test_every_block_of_the_page_is_run_or_read_here() -> None:
    kinds = {
        "run", "run gcloud", "run curl", "run scheduler", "run pipeline-step", "run pipeline", "run schemas",
        "editor", "editor-settings",
    }  # fmt: skip

    assert {block.label for block in PUBLISHING if not block.is_file} == kinds
    assert {block.label for block in OUTCOMES if not block.is_file} == {
        "run gcloud",
        "run subscriber",
        "terraform",
        "chat",
    }
    assert len(python_blocks()) == 4
    assert len(gcloud_blocks()) == 2


# --- Python ----------------------------------------------------------------------------------------------


def test_a_custom_job_of_the_sdk(reader: Reader) -> None:
    told = reader.python(python_blocks()[0].text)

    assert "ended" in told or "succeeded" in told
    assert re.search(r"projects/\d+/locations/us-central1/customJobs/\d+ https://console", told)


def test_a_queue_with_its_errors(reader: Reader) -> None:
    told = reader.python(python_blocks()[1].text)

    assert "is not a priority" in told
    assert wait_for_end(reader.stack, "eval-2026-11-23")["eval-2026-11-23"]["outcome"] == "succeeded"
    assert record(reader.stack, "eval-2026-11-23").max_wait == 8 * 3600


def test_enqueue_status_cancel_and_wait_without_blocking(reader: Reader) -> None:
    lines = reader.python(python_blocks()[2].text).splitlines()

    assert "cancel" in lines[1]
    assert lines[2].startswith("cancelled ")
    assert lines[2].endswith(": wrong dataset")


@pytest.mark.requires("gcloud")
def test_an_end_is_heard_without_firestore(reader: Reader) -> None:
    """By the subscription that the other page makes."""
    reader.shell(subscriptions()[0])

    assert reader.python(python_blocks()[3].text) == "succeeded\n"


# --- shell and REST --------------------------------------------------------------------------------------


@pytest.mark.requires("gcloud")
def test_gcloud_publishes_a_request_and_a_config_with_attributes(reader: Reader) -> None:
    for block in gcloud_blocks():
        assert "messageIds" in reader.shell(block)

    ends = wait_for_end(reader.stack, "resnet-2026-11-23", "resnet-by-config")
    assert {each["outcome"] for each in ends.values()} == {"succeeded"}
    by_config = record(reader.stack, "resnet-by-config")
    assert (by_config.priority, by_config.display_name) == (60, "resnet")


@pytest.mark.requires("curl")
def test_curl_publishes_over_rest_and_twice_is_one_job(reader: Reader) -> None:
    for _ in range(2):
        assert "messageIds" in reader.shell(only(PUBLISHING, "run curl"))

    ended = wait_for_end(reader.stack, "resnet-2026-11-23")["resnet-2026-11-23"]
    assert ended["outcome"] == "succeeded"
    assert record(reader.stack, "resnet-2026-11-23").attempt == 1


# --- a schedule ------------------------------------------------------------------------------------------


@pytest.fixture
def scheduler() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The REST API of Cloud Scheduler, as far as creating jobs goes: its address, and what it was given."""
    jobs: list[dict[str, Any]] = []

    class Api(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            jobs.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = json.dumps(jobs[-1]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", jobs
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.requires("gcloud")
def test_what_cloud_scheduler_is_told_makes_a_job_each_night(
    reader: Reader, scheduler: tuple[str, list[dict[str, Any]]]
) -> None:
    """The command makes the schedule; two nights are two messages of what it was told to publish."""
    address, jobs = scheduler
    where = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDSCHEDULER": address}
    reader.shell(only(PUBLISHING, "run scheduler"), **where)
    (schedule,) = jobs
    target = schedule["pubsubTarget"]

    for _night in range(2):
        data = base64.b64decode(target["data"])
        reader.stack.publish(target["topicName"].rsplit("/", 1)[-1], data, **target["attributes"])

    assert (schedule["schedule"], schedule["timeZone"]) == ("0 2 * * *", "Europe/Berlin")
    ended = wait_for(lambda: _ended_nights(reader.stack), "both nights", seconds=PATIENCE_SECONDS)
    assert ended == [Outcome.SUCCEEDED] * 2


def _ended_nights(stack: Stack) -> list[Outcome] | None:
    ids = {each.body["job_id"] for each in stack.outcomes()}
    nights = [record(stack, id_) for id_ in ids if record(stack, id_).display_name == "resnet nightly"]
    ends = [job.outcome for job in nights if job.outcome is not None]
    return ends if len(ends) == 2 else None


# --- a pipeline ------------------------------------------------------------------------------------------


def test_a_step_of_a_pipeline_queues_its_job_once_though_it_is_retried(reader: Reader) -> None:
    """As a component runs it: the function's source alone, in a process of its own."""
    step = only(PUBLISHING, "run pipeline-step").text
    asked = read_mapping((reader.folder / "config.yaml").read_bytes())
    calls = f'print(queue_training("my-project", "nightly-20261123020000", {asked!r}))\n' * 2

    lines = reader.python(step + "\n\n" + calls).splitlines()

    names = [
        line for line in lines if re.fullmatch(r"projects/\d+/locations/us-central1/customJobs/\d+", line)
    ]
    assert len(names) == 2
    assert len({*names}) == 1


@pytest.mark.requires("kfp")
def test_the_pipeline_compiles(tmp_path: Path) -> None:
    """The component's source is read from a file, as kfp does."""
    text = only(PUBLISHING, "run pipeline-step").text + "\n\n" + only(PUBLISHING, "run pipeline").text
    (tmp_path / "nightly.py").write_text(text)

    subprocess.run([sys.executable, "nightly.py"], cwd=tmp_path, check=True, timeout=RUN_SECONDS)

    compiled = json.loads((tmp_path / "nightly.json").read_text())
    (executor,) = compiled["deploymentSpec"]["executors"].values()
    assert "def queue_training" in " ".join(executor["container"]["command"])


# --- editors ---------------------------------------------------------------------------------------------


def test_the_schema_that_an_editor_is_pointed_to_is_there_and_describes_the_example() -> None:
    text = only(PUBLISHING, "editor").text
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named is not None
    schema = json.loads((ROOT / "docs" / named[1]).read_text())

    jsonschema.Draft202012Validator(schema).validate(read_mapping(text.encode()))


def test_the_schemas_that_an_editors_settings_name_are_there() -> None:
    settings = json.loads(only(PUBLISHING, "editor-settings").text)
    named = [*settings["yaml.schemas"], *(each["url"] for each in settings["json.schemas"])]

    assert [path for path in named if not (ROOT / path).exists()] == []


def test_where_the_schemas_are_when_installed(reader: Reader) -> None:
    folder = reader.shell(only(PUBLISHING, "run schemas")).strip()

    assert {path.name for path in Path(folder).iterdir()} >= {"job-request.json", "job-outcome.json"}


# --- outcomes --------------------------------------------------------------------------------------------


@pytest.mark.requires("gcloud")
def test_a_subscriber_in_python_hears_each_end_once(reader: Reader) -> None:
    if reader.stack.plan.kind is Kind.GOOGLE:
        pytest.skip("Google's emulator does not filter")
    for block in subscriptions()[1:]:
        reader.shell(block)
    script = reader.script(only(OUTCOMES, "run subscriber").text)
    listening = subprocess.Popen(
        [sys.executable, "-u", str(script)],
        cwd=reader.folder,
        env=reader.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert listening.stdout is not None
    try:
        reader.stack.publish("job-requests", request("subscribed", "gpu-a", _l4("true")))
        reader.stack.publish("job-requests", request("fails", "gpu-a", _l4("false")))
        # Threads print them: what one says may come between another's words and the end of its line.
        heard = listening.stdout.readline() + listening.stdout.readline()
    finally:
        listening.send_signal(signal.SIGTERM)
        listening.wait(RUN_SECONDS)
        listening.stdout.close()

    assert re.search(r"subscribed: succeeded \(projects/.*\)", heard), heard
    assert "fails: failed" in heard
    assert announced(reader.stack, "fails")[-1]["outcome"] == "failed"


def _l4(*command: str) -> dict[str, Any]:
    container = {"imageUri": "demo/image", "command": list(command)}
    return {"machineSpec": L4, "replicaCount": "1", "containerSpec": container}


def test_a_handle_made_elsewhere_finds_the_job(documented: Stack) -> None:
    """`queue.handle(...)`, which the page's comment promises."""
    documented.publish("job-requests", request("elsewhere", "gpu-a", _l4("true")))
    environment = read_environment(documented.environment())

    queue = PoolQueue(outside=Outside(environment=lambda: environment))

    assert queue.handle("elsewhere").wait(PATIENCE_SECONDS).outcome is Outcome.SUCCEEDED
