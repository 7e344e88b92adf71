"""The real `poolctl` process against the embedded Firestore and Pub/Sub, over their wires."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from handlers import job_commanded
from infra.local.firestore_wire import EmbeddedFirestore
from infra.local.pubsub_wire import EmbeddedPubSub
from poolqueue.adapters.firestore import FirestoreDocuments, create_client
from tests.contract.pubsub.bench import Bench, bench_on
from tests.support.installation import LOCATION, Installation, request, worker_pool_spec

POOLCTL = Path(sys.executable).parent / "poolctl"
PROCESS_SECONDS = 60.0


@pytest.fixture
def firestore() -> Iterator[EmbeddedFirestore]:
    server = EmbeddedFirestore().start()
    yield server
    server.stop()


@pytest.fixture
def pubsub() -> Iterator[EmbeddedPubSub]:
    with EmbeddedPubSub() as server:
        yield server


@pytest.fixture
def bench(pubsub: EmbeddedPubSub, demo_project: str) -> Iterator[Bench]:
    with grpc.insecure_channel(pubsub.address) as channel:
        yield bench_on(pubsub, channel, project=demo_project)


@pytest.fixture
def installation(tmp_path: Path, demo_project: str, firestore: EmbeddedFirestore) -> Iterator[Installation]:
    client = create_client(demo_project, "(default)", emulator=firestore.address)
    documents = FirestoreDocuments(client)
    with Installation(tmp_path, demo_project, wrap=lambda _memory: documents) as installation:
        yield installation
    client.close()


@pytest.fixture
def environment(demo_project: str, firestore: EmbeddedFirestore, pubsub: EmbeddedPubSub) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "GOOGLE_CLOUD_PROJECT": demo_project,
        "FIRESTORE_EMULATOR_HOST": firestore.address,
        "PUBSUB_EMULATOR_HOST": pubsub.address,
    }


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [POOLCTL, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PROCESS_SECONDS)
    return process.returncode, out, err


def test_it_shows_what_is_there(installation: Installation, environment: dict[str, str]) -> None:
    installation.ask(request("first", worker_pool_spec(), worker_pool_spec()))
    installation.ask(request("second"))
    code, out, err = finish(start(environment, "jobs", "--location", LOCATION))

    assert (code, err) == (0, "")
    assert [row.split()[0] for row in out.splitlines()] == ["job", "first", "second"]


def test_it_publishes_a_command_and_tells_its_result(
    installation: Installation, bench: Bench, environment: dict[str, str]
) -> None:
    installation.ask(request("first"))
    topic = bench.create_topic("job-commands")
    subscription = bench.subscribe(topic=topic)
    process = start(environment, "drain", "shared", "--reason", "maintenance", "--author", "ann")
    (received,) = bench.pull(subscription)
    delivery = installation.delivery("job-commands", received.message.data)
    job_commanded.handle(installation.system, delivery)
    code, out, err = finish(process)

    assert (code, err) == (0, "")
    assert out == "done: nothing more is admitted to shared; what runs there goes on\n"


def test_doctor_names_topics_that_are_missing_and_is_content_once_they_are_there(
    installation: Installation, bench: Bench, environment: dict[str, str]
) -> None:
    installation.ask(request("first"))
    installation.sweep()
    code, out, err = finish(start(environment, "doctor"))

    assert (code, err) == (1, "1 bad, 0 odd\n")
    assert "missing: job-commands, job-requests" in out

    for topic in ("job-commands", "job-requests"):
        bench.create_topic(topic)
    code, out, err = finish(start(environment, "doctor"))

    assert (code, err) == (0, "")
    assert {line.split()[0] for line in out.splitlines()} == {"good"}


def test_a_dry_run_tells_what_happens_once_the_request_is_published(
    installation: Installation, bench: Bench, environment: dict[str, str], tmp_path: Path
) -> None:
    installation.sweep()
    installation.ask(request("first", worker_pool_spec(), worker_pool_spec()))
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request("second")))
    subscription = bench.subscribe(topic=bench.create_topic("job-requests"))
    _, out, _ = finish(start(environment, "pools", "--json"))
    grow = f"{json.loads(out)['resources'][0]['pools'][0]['ids'][0]}=1"
    code, out, err = finish(start(environment, "submit", str(file), "--dry-run", "--json", "--grow", grow))

    assert (code, err) == (0, "")
    asked, grown = json.loads(out)["trials"]
    assert (asked["reason"], asked["starts_now"], grown["starts_now"]) == ("needs_replicas", False, True)

    code, out, err = finish(start(environment, "submit", str(file)))
    (received,) = bench.pull(subscription)
    installation.ask(received.message.data)

    assert (code, out) == (0, "published as job second of team research\n")
    code, out, _ = finish(start(environment, "explain", "second"))
    assert code == 0
    assert f"{asked['reason']}: {asked['note']}" in out
    assert "held by research/first x2" in out


def test_a_topic_that_is_not_there_is_one_line_with_the_remedy(environment: dict[str, str]) -> None:
    code, out, err = finish(start(environment, "cancel", "job", "--reason", "x"))

    assert (code, out) == (4, "")
    assert err.startswith("poolctl: project demo-")
    assert err.endswith("has no such topic: name the command topic with --topic\n")


def test_a_firestore_that_is_not_there_is_one_line_with_the_remedy(environment: dict[str, str]) -> None:
    nowhere = {**environment, "FIRESTORE_EMULATOR_HOST": "127.0.0.1:9"}
    code, out, err = finish(start(nowhere, "pools", "--location", LOCATION))

    assert (code, out) == (4, "")
    assert err == (
        "poolctl: Firestore does not answer at 127.0.0.1:9: start it, or correct FIRESTORE_EMULATOR_HOST\n"
    )


def test_without_credentials_it_says_how_to_get_them(environment: dict[str, str], tmp_path: Path) -> None:
    real = {
        "PATH": environment["PATH"],
        "HOME": str(tmp_path),
        "CLOUDSDK_CONFIG": str(tmp_path),
        "NO_GCE_CHECK": "true",
    }
    code, out, err = finish(start(real, "pools", "--project", "some-project", "--location", LOCATION))

    assert (code, out) == (4, "")
    assert err.startswith("poolctl: no Google Cloud credentials: run `gcloud auth application-default login`")


def test_a_real_project_beside_an_emulator_is_refused(environment: dict[str, str]) -> None:
    code, out, err = finish(start(environment, "pools", "--project", "real", "--location", LOCATION))

    assert (code, out) == (2, "")
    assert "use a project id that begins with demo-" in err


def run_to_its_end(installation: Installation) -> None:
    (custom_job,) = installation.alive()
    installation.wait(lambda: installation.state_of(custom_job.name) == "RUNNING", "its start")
    installation.end(custom_job.name)
    installation.wait(lambda: installation.log_lines, "its log line")
    installation.deliver_log_lines()


def test_a_watch_in_a_pipe_tells_a_change_when_it_happens_and_ends_with_the_job(
    installation: Installation, environment: dict[str, str]
) -> None:
    installation.ask(request("first"))
    process = start(environment, "watch", "first", "--team", "research", "--every", "0.5")
    assert process.stdout is not None
    first = process.stdout.readline()
    run_to_its_end(installation)
    code, out, err = finish(process)

    assert (code, err) == (0, "")
    assert "queued" in first
    assert "succeeded" in out.splitlines()[-1]


def test_usage_is_told_from_what_is_stored(installation: Installation, environment: dict[str, str]) -> None:
    installation.ask(request("first"))
    run_to_its_end(installation)
    installation.sweep()
    code, out, err = finish(start(environment, "usage", "--csv", "--location", LOCATION))

    assert (code, err) == (0, "")
    header, row = out.splitlines()
    assert header.startswith("month,team,persistent_resource,machine,attempts_ended")
    assert row.split(",")[1] == "research"


def test_the_shell_can_complete_its_commands(environment: dict[str, str]) -> None:
    asked = {"_POOLCTL_COMPLETE": "complete_bash", "COMP_WORDS": "poolctl us", "COMP_CWORD": "1"}
    code, out, _ = finish(start({**environment, **asked}))

    assert (code, out.split()) == (0, ["usage"])
