"""What the client promises at first sight: cheap to import, typed, and complete in what it takes."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
from pathlib import Path

from google.cloud import aiplatform

from poolqueue import client
from poolqueue.client import sdk
from poolqueue.client.settings import QueueSettings, RunOptions
from poolqueue.requests.settings import SETTINGS

ROOT = Path(__file__).parents[3]


def test_every_setting_of_a_request_may_be_given_to_enqueue() -> None:
    assert set(QueueSettings.__annotations__) == set(SETTINGS)


def test_every_argument_of_run_is_taken_or_answered() -> None:
    known = {*RunOptions.__annotations__, *sdk._NOT_TAKEN}
    for method in (aiplatform.CustomJob.run, aiplatform.CustomJob.submit):
        assert {*inspect.signature(method).parameters} - {"self"} <= known


def test_importing_the_client_loads_no_cloud_library() -> None:
    heavy = (
        "google.api_core",
        "google.cloud.firestore_v1",
        "google.pubsub_v1",
        "grpc",
        "requests",
        "typer",
        "rich",
        "numpy",
    )
    probe = f"import sys, poolqueue.client; print([name for name in {heavy!r} if name in sys.modules])"

    ran = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


def test_what_the_client_needs_is_installed_without_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {requirement.split(">")[0] for requirement in project["dependencies"]}

    assert names == {"google-cloud-firestore", "google-cloud-pubsub", "pydantic", "PyYAML"}
    assert (ROOT / "poolqueue" / "py.typed").exists()


def test_everything_public_says_what_it_promises() -> None:
    public = [getattr(client, name) for name in client.__all__]
    methods = [
        method
        for kind in (client.PoolQueue, client.Handle, client.JobReport)
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    ]

    assert [each for each in [*public, *methods] if not inspect.getdoc(each)] == []
