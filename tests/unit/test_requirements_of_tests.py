"""The rules of the test suite itself, each seen in a small suite of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

NEEDY = """
import pytest

@pytest.mark.requires("terraform")
def test_needs_terraform():
    pass

def test_needs_nothing(demo_project):
    assert demo_project.startswith("demo-")
"""

LITTERING = """
import subprocess, sys

forgotten = []

def test_forgets_a_child():
    child = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    forgotten.append(subprocess.Popen(child, stdin=subprocess.PIPE))
"""


def run_suite(folder: Path, source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_inner.py").write_text(source)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            "-q",
            "-n1",
            str(folder),
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH with nothing on it, not even terraform."""
    tools = tmp_path / "tools"
    tools.mkdir()
    return str(tools)


def test_what_a_machine_cannot_run_is_named_with_its_reason(tmp_path: Path, bare_path: str) -> None:
    run = run_suite(tmp_path, NEEDY, PATH=bare_path)

    assert run.returncode == 0
    assert "what this machine could not run" in run.stdout
    assert "terraform is not installed" in run.stdout
    assert "1 of test_inner.py" in run.stdout
    assert "1 passed, 1 skipped" in run.stdout


def test_with_require_all_what_is_missing_fails(tmp_path: Path, bare_path: str) -> None:
    run = run_suite(tmp_path, NEEDY, PATH=bare_path, REQUIRE_ALL="1")

    assert run.returncode == 1
    assert "REQUIRE_ALL=1, and terraform is not installed" in run.stdout


def test_an_unknown_requirement_is_an_error(tmp_path: Path) -> None:
    run = run_suite(tmp_path, NEEDY.replace("terraform", "teraform"))

    assert run.returncode == 1
    assert "unknown requirement 'teraform'" in run.stdout


def test_a_process_left_behind_fails_the_session_and_is_ended(tmp_path: Path) -> None:
    run = run_suite(tmp_path, LITTERING)

    assert run.returncode == 1
    assert "tests left these processes behind" in run.stdout
    assert "sys.stdin.read()" in run.stdout
