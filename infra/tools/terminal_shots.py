"""Which commands of `poolctl` the docs show in a terminal, and about which jobs of a busy stack."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.processes import ROOT
from infra.local.stack import Stack
from infra.tools.busy import A100
from infra.tools.terminal import drawn, picture

ANN = ("--author", "ann@example.com")
ASKED_FOR = {
    "job_id": "pretrain-large",
    "priority": 60,
    "custom_job": {
        "displayName": "pretrain-large",
        "jobSpec": {
            "persistentResourceId": "gpu-a",
            "scheduling": {"timeout": "120s"},
            "workerPoolSpecs": [
                {
                    "machineSpec": A100,
                    "replicaCount": "1",
                    "containerSpec": {"imageUri": "demo/train:2026-11"},
                },
                {
                    "machineSpec": A100,
                    "replicaCount": "3",
                    "containerSpec": {"imageUri": "demo/train:2026-11"},
                },
            ],
        },
    },
}
SOON = 5  # in turn: near enough to be expected, and too far to start before its picture is taken


@dataclass(frozen=True, kw_only=True)
class TerminalShot:
    """A command in words; {waiting} and {failed} are jobs of that kind. One that goes on is interrupted as
    soon as it has said `until`.
    """

    name: str
    words: str
    until: str | None = None


TERMINAL_SHOTS = (
    TerminalShot(name="poolctl-jobs", words="jobs --limit 9"),
    TerminalShot(name="poolctl-pools", words="pools"),
    TerminalShot(name="poolctl-explain", words="explain {waiting}"),
    TerminalShot(name="poolctl-watch", words="watch {waiting}", until="Ctrl-C ends"),
    TerminalShot(
        name="poolctl-dry-run",
        words="submit request.json --team research --dry-run --replicas 2 --priority 80 --grow a100=4",
    ),
    TerminalShot(name="poolctl-logs", words="logs {failed}"),
    TerminalShot(name="poolctl-job", words="job {failed}"),
    TerminalShot(name="poolctl-teams", words="teams"),
    TerminalShot(name="poolctl-simulate", words="simulate --history 1d --resource gpu-a --resize a100=6"),
)


def prepare(stack: Stack) -> None:
    """Something is drained, and there is a request to be tried."""
    (stack.directory / "request.json").write_text(json.dumps(ASKED_FOR), encoding="utf-8")
    _asked(stack, "drain", "gpu-b", "--reason", "driver update", *ANN, "--json")


def draw(stack: Stack, shot: TerminalShot, directory: Path) -> Path:
    words = shot.words.format_map(_Jobs(stack))
    told = drawn(shlex.split(words), stack.environment(), stack.directory, until=shot.until)
    path = directory / f"{shot.name}.svg"
    path.write_text(picture(f"poolctl {words}", told, name=shot.name), encoding="utf-8")
    return path


class _Jobs(dict[str, str]):
    """Ids of jobs, looked for when they are needed."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._stack = stack

    def __missing__(self, kind: str) -> str:
        match kind:
            case "waiting":
                jobs = _jobs(self._stack, "--resource", "gpu-a")
                found = [each for each in jobs if (each["position"] or 0) >= SOON]
            case "failed":
                jobs = _jobs(self._stack, "--ended")
                found = [each for each in jobs if each["outcome"] == "failed"]
            case _:
                raise KeyError(kind)
        return str(found[0]["job_id"])


def _jobs(stack: Stack, *which: str) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = _asked(stack, "jobs", "--json", *which)["jobs"]
    return jobs


def _asked(stack: Stack, *arguments: str) -> Any:
    ran = subprocess.run(
        [sys.executable, "-c", "from poolqueue.cli import main; main()", *arguments],
        env=stack.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)
