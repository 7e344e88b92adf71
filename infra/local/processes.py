"""Child processes that announce when they are ready, log to a file and never outlive us."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from infra.local.nursery import Nursery

ROOT = Path(__file__).resolve().parents[2]
POLL_SECONDS = 0.02
KILL_SECONDS = 5.0


class NotReady(Exception):
    """A child ended, or did not become ready in time; the message ends with the last lines of its log."""


class Process(Protocol):
    """What we use of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Child:
    """A started process, leader of its own process group. Its stdout and stderr go to `log`."""

    name: str
    process: Process
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def announced(self, *, timeout_seconds: float = 30.0) -> dict[str, Any]:
        """The first line of output that is a JSON object, once there is one. Raises `NotReady`."""
        found: dict[str, Any] = {}

        def look() -> bool:
            found.update(_first_json_object(self.log))
            return bool(found)

        self._wait(look, timeout_seconds)
        return found

    def wait_for_port(self, port: int, *, host: str = "127.0.0.1", timeout_seconds: float = 30.0) -> None:
        """Return when `port` accepts connections. Raises `NotReady`."""
        self._wait(lambda: accepts(host, port), timeout_seconds)

    def stop(self, *, grace_seconds: float = 5.0) -> None:
        """End the whole group: TERM, then KILL after `grace_seconds` at most. Stopping twice is harmless."""
        if not _reaper.watches(self.pid):
            return
        _signal_group(self.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_seconds)
        self.kill()

    def kill(self) -> None:
        """End the whole group at once, as SIGKILL does."""
        if not _reaper.watches(self.pid):
            return  # the process id may be another's by now
        _signal_group(self.pid, signal.SIGKILL)
        self.process.wait(KILL_SECONDS)
        _reaper.forget(self.pid)

    def _wait(self, ready: Callable[[], bool], timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.running and not ready():  # it may have become ready, and ended, meanwhile
                raise NotReady(f"{self.name} ended with {self.process.returncode}:\n{self.last_lines()}")
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} not ready in {timeout_seconds} s:\n{self.last_lines()}")
            time.sleep(POLL_SECONDS)

    def last_lines(self, count: int = 20) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    working_directory: Path = ROOT,
    nursery: Nursery | None = None,
) -> Child:
    """Start `command` in a process group of its own, with output to `directory/name.log`.

    The group ends with `Child.stop`, or soon after this process ends in whatever way. `environment` is added
    to our own. In a `nursery` the command is a Python script with its arguments.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / f"{name}.log"
    whole = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
    words = [str(part) for part in command]
    if nursery is not None:
        process: Process = nursery.bear(words, log=log, cwd=working_directory, env=whole)
    else:
        process = _open(words, log=log, cwd=working_directory, env=whole)
    _reaper.watch(process.pid)
    return Child(name=name, process=process, log=log)


def _open(command: list[str], *, log: Path, cwd: Path, env: Mapping[str, str]) -> Process:
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )


def start_module(
    name: str, arguments: Sequence[str], *, directory: Path, environment: Mapping[str, str] | None = None
) -> Child:
    """Start `python -m <arguments>` of this project, under our own interpreter."""
    return start(name, [sys.executable, "-m", *arguments], directory=directory, environment=environment)


def start_script(
    name: str,
    command: Sequence[str | Path],
    *,
    directory: Path,
    environment: Mapping[str, str] | None = None,
    nursery: Nursery | None = None,
) -> Child:
    """Start a Python script under our own interpreter, in a `nursery` if there is one."""
    words = command if nursery is not None else [sys.executable, *command]
    return start(name, words, directory=directory, environment=environment, nursery=nursery)


def free_port() -> int:
    """A port of 127.0.0.1 that was free a moment ago; another process may take it meanwhile."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _first_json_object(log: Path) -> dict[str, Any]:
    for line in log.read_bytes().splitlines(keepends=True):
        if line.startswith(b"{") and line.endswith(b"\n"):
            with contextlib.suppress(ValueError):
                return dict(json.loads(line))
    return {}


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
        os.killpg(group, number)


class _Reaper:
    """Keeps one small process that ends our children's groups when we end without having stopped them.

    It notices by the end of its input, so that it does not matter how we end, nor which thread started what
    (Linux's parent-death signal is bound to a thread). It lives only while there are children.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    def watches(self, group: int) -> bool:
        return self._owner == os.getpid() and group in self._groups

    def watch(self, group: int) -> None:
        with self._lock:
            self._renounce_after_fork()
            self._groups.add(group)
            if self._process is None:
                self._process = _start_reaper()
            self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        with self._lock:
            self._renounce_after_fork()
            self._groups.discard(group)
            self._tell(f"-{group}\n")
            if not self._groups and self._process is not None:
                assert self._process.stdin is not None
                self._process.stdin.close()
                self._process.wait(KILL_SECONDS)
                self._process = None

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()

    def _renounce_after_fork(self) -> None:
        if self._owner != os.getpid():
            self._owner, self._groups, self._process = os.getpid(), set(), None


def _start_reaper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("reaper.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


_reaper = _Reaper()
