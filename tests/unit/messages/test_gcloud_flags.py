from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from poolqueue.requests.gcloud_flags import GcloudFlagsError, custom_job_from_gcloud_flags
from tests.support.gcloud import Gcloud
from tests.unit.messages.building import accepted

NAMED = ["--display-name=t", "--region=us-central1", "--persistent-resource-id=pool-a"]
CONTAINER = "--worker-pool-spec=machine-type=n1-standard-4,replica-count=1,container-image-uri=gcr.io/a/b"
PACKAGE = "--worker-pool-spec=machine-type=e2-standard-4,executor-image-uri=gcr.io/e/f,python-module=m.t"
T4 = "accelerator-type=NVIDIA_TESLA_T4"

CONFIG = """
persistentResourceId: from-file
serviceAccount: file@p.iam.gserviceaccount.com
scheduling: {timeout: 3600s, disableRetries: true, strategy: SPOT}
baseOutputDirectory: {outputUriPrefix: gs://b/out}
workerPoolSpecs:
  machineSpec: {machineType: n1-standard-4, acceleratorType: NVIDIA_TESLA_T4, acceleratorCount: 1}
  diskSpec: {bootDiskType: pd-ssd, bootDiskSizeGb: 100}
  replicaCount: 1
  containerSpec: {imageUri: gcr.io/a/b, args: [file], env: [{name: A, value: b}]}
"""

COMMANDS = {
    "one container": [*NAMED, CONTAINER],
    "several specs, one skipped": [
        *NAMED,
        CONTAINER,
        "--worker-pool-spec=",
        f"--worker-pool-spec={T4},accelerator-count=2,machine-type=n1,replica-count=3,container-image-uri=i",
    ],
    "an accelerator without a count": [*NAMED, f"{CONTAINER},{T4}"],
    "a python package": [*NAMED, PACKAGE, "--python-package-uris=gs://b/a.gz,gs://b/c.gz", "--args=x"],
    "arguments and command for every pool": [
        *NAMED, CONTAINER, CONTAINER, "--args=--lr=1,--n=2", "--command=python,-m,x",
    ],
    "another delimiter": [*NAMED, CONTAINER, "--args=^;^--a=1,2;--b=3", "--args=c"],
    "an image with an equals sign": [*NAMED, f"{CONTAINER}?x=y"],
    "everything else": [
        *NAMED, CONTAINER,
        "--labels=a=1,b=2", "--service-account", "sa@p.iam.gserviceaccount.com",
        "--network=projects/1/global/networks/n", "--enable-web-access", "--enable-dashboard-access",
        "--kms-key=projects/p/locations/us-central1/keyRings/r/cryptoKeys/k", "--quiet",
    ],
    "a switch turned off again": [*NAMED, CONTAINER, "--enable-web-access", "--no-enable-web-access"],
    "a file": ["--display-name=t", "--region=us-central1", "--config=FILE"],
    "a file overridden": [
        *NAMED, "--config=FILE", "--service-account=sa@p.iam.gserviceaccount.com", "--args=flag",
    ],
    "a file's worker pool specs overridden": [*NAMED, "--config=FILE", CONTAINER],
}  # fmt: skip


def body_of(argv: list[str]) -> dict[str, Any]:
    return custom_job_from_gcloud_flags(argv)["custom_job"]


def write_config(folder: Path) -> Path:
    file = folder / "config.yaml"
    file.write_text(CONFIG)
    return file


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


class Recorder(BaseHTTPRequestHandler):
    """Answers every create as Vertex AI would, and keeps the body."""

    bodies: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.bodies.append(body)
        answer = json.dumps({**body, "name": "projects/1/locations/us-central1/customJobs/2"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """The test's output is for the test."""


@contextmanager
def vertex() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    bodies: list[dict[str, Any]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Kept", (Recorder,), {"bodies": bodies}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", bodies
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What gcloud itself sends, by the name of the command."""
    folder = tmp_path_factory.mktemp("gcloud")
    file = write_config(folder)
    with (
        vertex() as (address, bodies),
        Gcloud(folder / "configuration", project="demo-flags", vertex=address) as gcloud,
    ):
        for argv in COMMANDS.values():
            ran = gcloud.run("ai", "custom-jobs", "create", *[w.replace("FILE", str(file)) for w in argv])
            assert ran.code == 0, ran.err
    return dict(zip(COMMANDS, bodies, strict=True))


@pytest.mark.requires("gcloud")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_custom_job_is_what_gcloud_itself_sends(
    command: str, config: Path, sent: dict[str, dict[str, Any]]
) -> None:
    assert body_of([word.replace("FILE", str(config)) for word in COMMANDS[command]]) == sent[command]


def test_the_words_of_the_command_may_lead_the_flags() -> None:
    converted = custom_job_from_gcloud_flags(
        ["gcloud", "ai", "custom-jobs", "create", *NAMED, CONTAINER, "--project", "p"]
    )

    assert converted["region"] == "us-central1"
    assert converted["project"] == "p"
    assert converted["custom_job"] == body_of([*NAMED, CONTAINER])


def test_the_result_is_a_job_request() -> None:
    request = accepted({"job_id": "j", "custom_job": body_of(COMMANDS["everything else"])})

    assert request.persistent_resource == "pool-a"


@pytest.mark.parametrize(
    ("argv", "problem", "remedy"),
    [
        ([CONTAINER], "--display-name is missing", "name the custom job"),
        (NAMED, "neither --config nor --worker-pool-spec", "at least one"),
        ([*NAMED, "--worker-pool-spec="], "first --worker-pool-spec is empty", "only later ones"),
        ([*NAMED, f"{CONTAINER},disk-type=pd-ssd"], "has no key disk-type", "with --config"),
        ([*NAMED, f"{CONTAINER},{T4},accelerator-count=x"], "accelerator-count=x is not", "number"),
        ([*NAMED, f"{CONTAINER},accelerator-count=1"], "without accelerator-type", "name the type"),
        ([*NAMED, f"{CONTAINER},accelerator-type=T4"], "is not a known value", "NVIDIA_TESLA_T4"),
        ([*NAMED, f"{CONTAINER},python-module=m"], "executor-image-uri and python-module", "both or none"),
        ([*NAMED, f"{CONTAINER},executor-image-uri=i"], "container-image-uri or executor-image-uri", "one"),
        ([*NAMED, "--worker-pool-spec=machine-type=n1,container-image-uri="], "is empty", "name it"),
        ([*NAMED, "--worker-pool-spec=container-image-uri=i"], "has no machine-type", "name it"),
        ([*NAMED, "--worker-pool-spec=machine-type=n1,executor-image-uri=i"], "python-module", "give both"),
        ([*NAMED, f"{PACKAGE},local-package-path=."], "build an image", "build and push an image first"),
        ([*NAMED, f"{CONTAINER},script=run.sh"], "build an image", "build and push an image first"),
        ([*NAMED, "--worker-pool-spec=machine-type"], "is not KEY=VALUE", "escaping"),
        ([*NAMED, CONTAINER, "--args", "--lr=1"], "--args has no value", "--args=VALUE"),
        ([*NAMED, CONTAINER, "--args=a", "--args=a"], "'a' twice", "--config"),
        ([*NAMED, CONTAINER, "--args=^^a"], "empty delimiter", "^:^"),
        ([*NAMED, CONTAINER, "--labels=a"], "is not KEY=VALUE", "escaping"),
        ([*NAMED, CONTAINER, "--labels=a=1", "--labels=a=2"], "gives a twice", "once"),
        ([*NAMED, CONTAINER, "--timeout=3600s"], "--timeout is not a flag", "--config"),
        ([*NAMED, CONTAINER, "--lables=a=b"], "--lables is not a flag", "did you mean --labels?"),
        ([*NAMED, CONTAINER, "word"], "'word' is not a flag", "flags only"),
        ([*NAMED, CONTAINER, "--service-account=me"], "is no service account", "e-mail"),
        ([*NAMED, CONTAINER, "--kms-key=k"], "not a full name", "keyRings"),
        ([*NAMED, "--config=/nowhere/c.yaml"], "cannot be read", "readable file"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_a_remedy(
    argv: list[str], problem: str, remedy: str
) -> None:
    with pytest.raises(GcloudFlagsError) as caught:
        custom_job_from_gcloud_flags(argv)

    assert problem in str(caught.value)
    assert remedy in str(caught.value)


def test_an_unknown_field_of_the_file_is_refused_where_gcloud_would_send_it(config: Path) -> None:
    config.write_text(CONFIG + "prioritty: 1\n")

    with pytest.raises(GcloudFlagsError, match=r"jobSpec\.prioritty is not a field"):
        body_of(["--display-name=t", f"--config={config}"])
