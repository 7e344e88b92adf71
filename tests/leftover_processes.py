"""Finds the processes that a test session started and did not end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import uuid
from pathlib import Path

MARK_NAME = "POOL_QUEUE_TEST_SESSION"
# Python's own: it ends with its parent and is started by any use of multiprocessing's shared objects.
OWN_TO_PYTHON = "multiprocessing.resource_tracker"


def mark_this_session() -> str:
    """Put a random mark into the environment that every process started from here inherits."""
    mark = f"{MARK_NAME}={uuid.uuid4().hex}"
    os.environ[MARK_NAME] = mark.partition("=")[2]
    return mark


def leftovers(mark: str, *, within_seconds: float) -> dict[int, str]:
    """Command lines by process id of what is still alive when `within_seconds` have passed."""
    deadline = time.monotonic() + within_seconds
    while (alive := _descendants() | _marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive


def end(processes: dict[int, str]) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _descendants() -> dict[int, str]:
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [row.split(None, 3) for row in listing.stdout.splitlines()]
    living = [
        (int(pid), int(parent), args[0]) for pid, parent, stat, *args in rows if args and "Z" not in stat
    ]
    found = {os.getpid(): ""}
    while more := {pid: args for pid, parent, args in living if parent in found and pid not in found}:
        found |= more
    return {pid: args for pid, args in found.items() if args and OWN_TO_PYTHON not in args and args != _PS}


_PS = "ps -A -o pid=,ppid=,stat=,args="


def _marked(mark: str) -> dict[int, str]:
    """Those that left our tree, by the mark in their environment; only where /proc exists."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                args = (
                    (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
                if OWN_TO_PYTHON not in args:
                    found[int(process.name)] = args
    found.pop(os.getpid(), None)
    return found
