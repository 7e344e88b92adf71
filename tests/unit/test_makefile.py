"""The commands a newcomer types first, on machines that lack something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_INHERITED = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHON", "PROJECT")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What `make` reads before there is a virtual environment."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in ("Makefile", "requirements-dev.txt"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def python_without(folder: Path, module: str) -> Path:
    """A Python that cannot import `module`, as Debian's bare python3 cannot import ensurepip."""
    python = folder / "bare-python"
    blocker = folder / "blocked" / f"{module}.py"
    blocker.parent.mkdir()
    blocker.write_text("raise ImportError\n")
    python.write_text(f'#!/bin/sh\nPYTHONPATH={blocker.parent} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def test_plain_make_lists_the_commands(clone: Path) -> None:
    listing = make(clone).stdout

    for command in ("run", "test", "check", "bench", "probe-vertex", "lock"):
        assert f"\n  {command} " in listing


def test_without_a_python_new_enough_make_says_where_to_get_one(clone: Path) -> None:
    run = make(clone, "test", "PYTHON=/nowhere/python3")

    assert run.returncode != 0
    assert "No Python 3.11 or later" in run.stderr
    assert "make PYTHON=" in run.stderr


def test_where_venv_is_missing_make_names_the_package_and_leaves_nothing(clone: Path, tmp_path: Path) -> None:
    run = make(clone, "test", f"PYTHON={python_without(tmp_path, 'ensurepip')}")

    assert run.returncode != 0
    assert "sudo apt install python" in run.stderr
    assert not (clone / ".venv").exists()


def test_a_python_that_is_only_a_shim_is_passed_over(clone: Path, tmp_path: Path) -> None:
    shim = tmp_path / "shim"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    real = python_without(tmp_path, "ensurepip")

    assert f"({real}) is here" in make(clone, "test", f"PYTHON={shim} {real}").stderr


def test_probe_vertex_refuses_without_a_project(clone: Path) -> None:
    run = make(clone, "probe-vertex")

    assert run.returncode == 2
    assert "make probe-vertex PROJECT=" in run.stderr
    assert not (clone / ".venv").exists()
