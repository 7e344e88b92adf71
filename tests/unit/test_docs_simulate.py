"""The commands that docs/simulate.md shows print what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from poolqueue.cli.app import app

PAGE = (Path(__file__).parents[2] / "docs" / "simulate.md").read_text()
COMMANDS = re.findall(r"```\n\$ poolctl ([^\n]+)\n(.*?)```", PAGE, re.DOTALL)


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(("command", "shown"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, shown: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trace.csv").write_text(block("csv"))
    Path("pools.yaml").write_text(block("yaml"))
    terminal = {"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": "80"}
    ran = CliRunner(env=terminal).invoke(app, command.split())

    assert ran.exit_code == 0, ran.output
    assert [line.rstrip() for line in ran.stdout.rstrip().splitlines()] == shown.splitlines()


def test_the_page_shows_commands() -> None:
    assert len(COMMANDS) >= 4
