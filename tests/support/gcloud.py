"""gcloud, started once for many commands."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

COMMANDS = Path(__file__).with_name("gcloud_commands.py")


@dataclass(frozen=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str


class Gcloud:
    """Use it as a context. Without credentials, and with a configuration of its own in `directory`; all its
    commands go to one endpoint of Vertex AI, which gcloud keeps in mind.
    """

    def __init__(self, directory: Path, *, project: str, vertex: str) -> None:
        self._environment = {
            "CLOUDSDK_CONFIG": str(directory),
            "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{vertex}/",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING": f"{vertex}/",
            "CLOUDSDK_CORE_PROJECT": project,
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
            "CLOUDSDK_PYTHON_ARGS": f"-S {COMMANDS}",
        }

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            ["gcloud"],
            env={**os.environ, **self._environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=20)

    def run(self, *words: str) -> Ran:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        code, out, err = json.loads(self._process.stdout.readline())
        return Ran(code=code or 0, out=out, err=err)
