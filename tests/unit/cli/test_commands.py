"""What all commands of `poolctl` have in common."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import typer.main

from poolqueue.cli.app import app
from poolqueue.cli.arguments import EXIT_CODES
from poolqueue.cli.failures import Exit
from tests.unit.test_docs import ROOT

# A command that has none is named here with the reason why.
WITHOUT_JSON: dict[str, str] = {}


def commands(group: Any, *names: str) -> list[tuple[str, Any]]:
    """Each with the words that call it, groups inside groups included."""
    if not hasattr(group, "commands"):
        return [(" ".join(names), group)]
    return [found for name, each in group.commands.items() for found in commands(each, *names, name)]


COMMANDS = dict(commands(typer.main.get_command(app)))


def options(command: Any) -> set[str]:
    return {option for each in command.params for option in each.opts}


def test_there_are_commands_to_look_at() -> None:
    assert {"jobs", "apply", "result", "check-settings"} <= COMMANDS.keys()


@pytest.mark.parametrize("name", [each for each in COMMANDS if each not in WITHOUT_JSON])
def test_each_command_has_json_for_programs(name: str) -> None:
    assert "--json" in options(COMMANDS[name])


def test_none_is_excepted_that_has_it_or_is_gone() -> None:
    assert not [name for name in WITHOUT_JSON if name not in COMMANDS or "--json" in options(COMMANDS[name])]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does_and_how_it_ends(name: str) -> None:
    command = COMMANDS[name]

    assert inspect.cleandoc(command.help or "").splitlines()[0].endswith(".")
    assert command.epilog == EXIT_CODES


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_documented(name: str) -> None:
    documented = (ROOT / "docs" / "poolctl.md").read_text(encoding="utf-8")

    assert f"poolctl {name}" in documented or f"`{name} " in documented


def test_the_exit_codes_are_documented_all_of_them() -> None:
    documented = (ROOT / "docs" / "poolctl.md").read_text(encoding="utf-8")
    rows = documented.partition("## Exit codes")[2].splitlines()
    codes = [
        int(row.split("|")[1]) for row in rows if row.startswith("|") and row.split("|")[1].strip().isdigit()
    ]

    assert codes == [code.value for code in Exit]
    for code in Exit:
        assert code is Exit.INTERRUPTED or f" {code.value} " in EXIT_CODES
