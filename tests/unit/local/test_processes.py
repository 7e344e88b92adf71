"""Children are ready when they say so, and end with us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.local.processes import ROOT, Child, NotReady, accepts, free_port, start, start_module

ANNOUNCE = "print('warming up'); print('{\"port\": 7}')"
STAY = "import time; time.sleep(60)"


def python(script: str, directory: Path, name: str = "child") -> Child:
    return start(name, [sys.executable, "-c", script], directory=directory)


def eventually(condition: Callable[[], bool], *, within_seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + within_seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_child_announces_itself_by_a_line_of_json(tmp_path: Path) -> None:
    child = python(f"{ANNOUNCE}; {STAY}", tmp_path)
    try:
        assert child.announced() == {"port": 7}
    finally:
        child.stop()
    assert not child.running


def test_a_child_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = python("raise SystemExit('no such file')", tmp_path)
    try:
        with pytest.raises(NotReady, match="no such file"):
            child.announced()
    finally:
        child.stop()


def test_a_child_that_stays_silent_is_not_ready(tmp_path: Path) -> None:
    child = python(STAY, tmp_path)
    try:
        with pytest.raises(NotReady, match="not ready in"):
            child.announced(timeout_seconds=0.1)
    finally:
        child.stop()


def test_a_port_that_accepts_makes_a_child_ready(tmp_path: Path) -> None:
    port = free_port()
    command = ["http.server", "--bind", "127.0.0.1", str(port)]
    child = start_module("server", command, directory=tmp_path)
    try:
        child.wait_for_port(port)
    finally:
        child.stop()
    assert not accepts("127.0.0.1", port)


def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    child = python(
        f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {ANNOUNCE}; {STAY}", tmp_path
    )
    child.announced()

    child.stop(grace_seconds=0.1)

    assert child.process.returncode == -signal.SIGKILL


def test_stopping_twice_is_harmless(tmp_path: Path) -> None:
    child = python(STAY, tmp_path)

    child.stop()
    child.stop()

    assert not child.running


@pytest.mark.requires("linux")
def test_grandchildren_end_with_their_group(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, json, time;"
        f"p = subprocess.Popen([sys.executable, '-c', '{STAY}']);"
        "print(json.dumps({'pid': p.pid})); time.sleep(60)"
    )
    child = python(script, tmp_path)
    grandchild = child.announced()["pid"]
    assert alive(grandchild)

    child.stop()

    assert eventually(lambda: not alive(grandchild))


@pytest.mark.requires("linux")
def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import json, sys, time; from pathlib import Path; from infra.local.processes import start;"
        f"c = start('c', [sys.executable, '-c', '{STAY}'], directory=Path(sys.argv[1]));"
        "print(json.dumps({'pid': c.pid}), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline().split(b":")[1].rstrip(b"}\n"))
    assert alive(child)

    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()

    assert eventually(lambda: not alive(child))
