"""Finds the processes that a test session started and did not end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARK_NAME = "POOL_QUEUE_TEST_SESSION"
# Python's own: it ends with its parent and is started by any use of multiprocessing's shared objects.
OWN_TO_PYTHON = "multiprocessing.resource_tracker"
PROC = Path("/proc")
PS = ["ps", "-A", "-o", "pid=,ppid=,stat=,args="]


@dataclass(frozen=True, kw_only=True)
class Process:
    pid: int
    parent: int
    args: str
    has_mark: bool = False


def mark_this_session() -> str:
    """Put a random mark into the environment that every process started from here inherits."""
    os.environ[MARK_NAME] = uuid.uuid4().hex
    return f"{MARK_NAME}={os.environ[MARK_NAME]}"


def leftovers(mark: str, *, within_seconds: float) -> list[Process]:
    """What is alive after `within_seconds`: our descendants, and marked processes that left our tree."""
    deadline = time.monotonic() + within_seconds
    while (alive := _ours(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return alive


def end(processes: list[Process]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _ours(mark: str) -> list[Process]:
    living = list(_read_proc(mark.encode()) if (PROC / "self/stat").exists() else _read_ps())
    ours = {os.getpid()} | {process.pid for process in living if process.has_mark}
    while children := {p.pid for p in living if p.parent in ours} - ours:
        ours |= children
    return [p for p in living if p.pid in ours - {os.getpid()} and OWN_TO_PYTHON not in p.args]


def _read_proc(mark: bytes) -> Iterator[Process]:
    for entry in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in {"Z", "X"}:
                yield Process(
                    pid=int(entry.name),
                    parent=int(parent),
                    args=(entry / "cmdline")
                    .read_bytes()
                    .replace(b"\0", b" ")
                    .decode(errors="replace")
                    .strip(),
                    has_mark=mark in (entry / "environ").read_bytes().split(b"\0"),
                )


def _read_ps() -> Iterator[Process]:
    listing = subprocess.run(PS, capture_output=True, text=True, check=True).stdout
    for pid, parent, state, args in (row.split(None, 3) for row in listing.splitlines()):
        if "Z" not in state and args != " ".join(PS):
            yield Process(pid=int(pid), parent=int(parent), args=args)
