"""One deployed function on this machine: real functions-framework, on one port, with several processes."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.nursery import Nursery
from infra.local.processes import POLL_SECONDS, Child, NotReady, start_script
from infra.local.stack.plan import FUNCTIONS, PAGE

THREADS = 8
# What a function imports, sooner or later.
IMPORTED = (
    "functions_framework._cli",
    "functions_framework._http.gunicorn",
    "gunicorn.workers.gthread",
    "poolqueue.wiring",
    "poolqueue.adapters.firestore",
    "poolqueue.adapters.pubsub",
    "poolqueue.adapters.vertex_rest",
    "poolqueue.page.page",
    *(f"handlers.{name}" for name in (*FUNCTIONS, PAGE)),
)
_LISTENING = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")
_WORKER = re.compile(r"Booting worker with pid: (\d+)")
_FRAMEWORK = Path(sys.executable).with_name("functions-framework")


@dataclass(frozen=True, kw_only=True)
class FunctionServer:
    """A started function. A worker process that dies is replaced, as an instance is in production."""

    target: str
    child: Child
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """Process ids of the workers that are alive; one that has just died is not yet replaced."""
        if not self.child.running:
            return []
        booted = _WORKER.findall(self.child.log.read_text(errors="replace"))
        return [int(pid) for pid in booted if _is_alive(int(pid))]


def start_function(
    target: str,
    *,
    source: Path,
    environment: Mapping[str, str],
    directory: Path,
    workers: int = 1,
    port: int = 0,
    timeout_seconds: float = 60.0,
    nursery: Nursery | None = None,
) -> FunctionServer:
    """Start `target` and return when it listens and every worker was started. Raises `NotReady`."""
    served = ["--target", target, "--source", str(source), "--host", "127.0.0.1", "--port", str(port)]
    control = directory / target
    control.mkdir(parents=True, exist_ok=True)
    gunicorn = {
        "WORKERS": str(workers),
        "THREADS": str(THREADS),
        "GUNICORN_LOG_LEVEL": "info",  # it tells the port and the workers
        "XDG_RUNTIME_DIR": str(control),  # where it puts its control socket, else in the home directory
    }
    child = start_script(
        target,
        [_FRAMEWORK, *served],
        directory=directory,
        environment={**environment, **gunicorn},
        nursery=nursery,
    )
    try:
        return FunctionServer(target=target, child=child, port=_port(child, workers, timeout_seconds))
    except BaseException:
        child.stop()
        raise


def _port(child: Child, workers: int, timeout_seconds: float) -> int:
    deadline = time.monotonic() + timeout_seconds
    while True:
        text = child.log.read_text(errors="replace")
        listening = _LISTENING.search(text)
        if listening and len(_WORKER.findall(text)) >= workers:
            return int(listening[1])
        if not child.running:
            raise NotReady(f"{child.name} ended with {child.process.returncode}:\n{child.last_lines()}")
        if time.monotonic() > deadline:
            raise NotReady(f"{child.name} not ready in {timeout_seconds} s:\n{child.last_lines()}")
        time.sleep(POLL_SECONDS)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
