"""The stand-in's side of the warden: orders out, starts and ends of replicas in."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from infra.local.vertex import warden


@dataclass(frozen=True, kw_only=True)
class ReplicaKey:
    custom_job: str
    replica: str

    def __str__(self) -> str:
        return f"{self.custom_job}/{self.replica}"


@dataclass(frozen=True, kw_only=True)
class ReplicaStarted:
    key: ReplicaKey
    pid: int


@dataclass(frozen=True, kw_only=True)
class ReplicaEnded:
    key: ReplicaKey
    pid: int | None
    exit_code: int


ReplicaEvent = ReplicaStarted | ReplicaEnded


class Replicas:
    """Runs commands without a shell, each in a process group of its own, output in one file per replica."""

    def __init__(self, directory: Path, hear: Callable[[ReplicaEvent], None]) -> None:
        self._directory = directory
        self._hear = hear
        self._warden: subprocess.Popen[str] | None = None
        # Orders are written by a thread of their own: whoever gives one holds the lock that hearing needs.
        self._orders: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="stand-in-orders", daemon=True)
        self._listener = threading.Thread(target=self._listen, name="stand-in-replicas", daemon=True)

    def start_warden(self) -> None:
        self._warden = subprocess.Popen(
            [sys.executable, "-I", "-S", warden.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._writer.start()
        self._listener.start()

    def stop(self) -> None:
        if self._warden is None:
            return
        self._orders.put(None)
        self._writer.join()
        self._listener.join()
        self._warden.wait()

    def output_path(self, key: ReplicaKey) -> Path:
        return self._directory / key.custom_job / f"{key.replica}.log"

    def start(self, key: ReplicaKey, argv: Sequence[str], env: Mapping[str, str], directory: Path) -> None:
        output = self.output_path(key)
        output.parent.mkdir(parents=True, exist_ok=True)
        self._order(
            order="start",
            key=str(key),
            argv=list(argv),
            env=dict(env),
            directory=str(directory),
            output=str(output),
        )

    def terminate(self, key: ReplicaKey) -> None:
        self._order(order="signal", key=str(key), signal=int(signal.SIGTERM))

    def kill(self, key: ReplicaKey) -> None:
        self._order(order="signal", key=str(key), signal=int(signal.SIGKILL))

    def _order(self, **order: Any) -> None:
        self._orders.put(order)

    def _write(self) -> None:
        assert self._warden
        assert self._warden.stdin
        with contextlib.suppress(BrokenPipeError), self._warden.stdin as orders:
            while (order := self._orders.get()) is not None:
                orders.write(json.dumps(order) + "\n")
                orders.flush()

    def _listen(self) -> None:
        assert self._warden
        assert self._warden.stdout
        with self._warden.stdout as events:
            for line in events:
                self._hear(_event(json.loads(line)))


def _event(told: Mapping[str, Any]) -> ReplicaEvent:
    custom_job, replica = told["key"].split("/")
    key = ReplicaKey(custom_job=custom_job, replica=replica)
    if told["event"] == "started":
        return ReplicaStarted(key=key, pid=told["pid"])
    return ReplicaEnded(key=key, pid=told["pid"], exit_code=told["exit_code"])
