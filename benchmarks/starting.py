"""What starting a function costs: our imports over the client libraries', and the time to its port."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.figures import Figure, Say
from infra.local.processes import ROOT
from infra.local.stack.function_server import start_function

BUDGET_PERCENT = 15
# Every event may lead to a cycle, so each needs the three clients, and Vertex AI's over REST.
LIBRARIES = "import grpc, requests, google.cloud.firestore_v1, google.pubsub_v1, google.cloud.aiplatform_v1"
UNCOLLECTED = f"import gc; gc.disable(); {LIBRARIES}"
OURS = "import main; main.wiring.system().submitter._new_region('us-central1')"
TIMED = """
import functions_framework, time
began = time.process_time()
{imports}
print(time.process_time() - began)
"""
PROJECT = "demo-bench"


def measure(quick: bool, say: Say) -> list[Figure]:  # noqa: FBT001  as `Benchmark.measure` says
    repeats = 2 if quick else 5
    with tempfile.TemporaryDirectory(prefix="pool-queue-bench-") as name:
        environment = _environment(Path(name))
        imports: dict[str, list[float]] = {program: [] for program in (LIBRARIES, UNCOLLECTED, OURS)}
        for number in range(repeats + 1):
            say(f"import in fresh processes, {number} of {repeats}")
            for program, seconds in imports.items():
                seconds.append(_import_seconds(program, environment))
        say("start functions")
        starts = [_start_seconds(Path(name), environment) for _ in range(repeats)]
    # The first of each may have compiled files.
    alone, uncollected, ours = (statistics.median(seconds[1:]) * 1000 for seconds in imports.values())
    over = (ours / alone - 1) * 100
    return [
        Figure(name="import of the client libraries alone", value=alone, unit="ms", decimals=0),
        Figure(name="the same without garbage collection", value=uncollected, unit="ms", decimals=0),
        Figure(name="import of main, with adapters and libraries", value=ours, unit="ms", decimals=0),
        Figure(name="that over the libraries alone", value=over, unit="%", budget=BUDGET_PERCENT, decimals=0),
        Figure(name="start of a function to its open port", value=statistics.median(starts), unit="s"),
    ]


def _environment(directory: Path) -> dict[str, str]:
    """Of a system whose emulators nobody started: building it makes no call."""
    settings = directory / "settings.yaml"
    team = {"name": "research", "topics": ["job-requests"]}
    content = {"installation": "bench", "project": PROJECT, "location": "us-central1", "teams": [team]}
    settings.write_text(yaml.safe_dump(content), encoding="utf-8")
    return {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "POOL_QUEUE_SETTINGS": str(settings),
        "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
        "PUBSUB_EMULATOR_HOST": "127.0.0.1:1",
        "POOL_QUEUE_VERTEX_ENDPOINT": "http://127.0.0.1:1",
    }


def _import_seconds(imports: str, environment: dict[str, str]) -> float:
    """Processor time of `imports` in a fresh process that has functions-framework already."""
    program = TIMED.format(imports=imports)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def _start_seconds(directory: Path, environment: dict[str, str]) -> float:
    began = time.monotonic()
    function = start_function(
        "job_requested", source=ROOT / "main.py", environment=environment, directory=directory
    )
    elapsed = time.monotonic() - began
    function.child.stop()
    return elapsed
