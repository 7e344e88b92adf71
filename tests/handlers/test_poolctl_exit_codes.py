"""Each command of `poolctl` ends with the code that docs/poolctl.md promises, whatever it is about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from poolqueue.cli.failures import Exit
from poolqueue.ports import Documents, StoreUnavailable
from tests.handlers.test_poolctl import Poolctl, fill
from tests.support.installation import LOCATION, Installation, request
from tests.unit.cli.test_commands import COMMANDS

WHY = ("--reason", "a test")
OF_TEAM = ("--team", "research")
HERE = ("--location", LOCATION)

# Of each command a call that is good as it stands; FILE is a settings file, REQUEST a job request.
GOOD: dict[str, tuple[str, ...]] = {
    "apply": ("apply", "FILE", *WHY, "--yes"),
    "cancel": ("cancel", "second", *OF_TEAM, *WHY),
    "change": ("change", "second", *OF_TEAM, *WHY, "--priority", "9"),
    "check-settings": ("check-settings", "FILE"),
    "dead-letters": ("dead-letters",),
    "diff": ("diff", "FILE", "--settings", "FILE"),
    "doctor": ("doctor", *HERE),
    "drain": ("drain", "shared", *WHY),
    "explain": ("explain", "second", *OF_TEAM),
    "hold": ("hold", "second", *OF_TEAM, *WHY),
    "job": ("job", "second", *OF_TEAM),
    "jobs": ("jobs", *HERE),
    "logs": ("logs", "first", *OF_TEAM),
    "pause": ("pause", "research", *WHY),
    "pools": ("pools", *HERE),
    "priority": ("priority", "second", "9", *OF_TEAM, *WHY),
    "release": ("release", "second", *OF_TEAM, *WHY),
    "requeue": ("requeue", "first", *OF_TEAM, *WHY),
    "result": ("result", "known"),
    "resume": ("resume", "shared", *WHY),
    "retry": ("retry", "over", *OF_TEAM, *WHY),
    "settings": ("settings", "--settings", "FILE"),
    "simulate": ("simulate", "TRACE", "--capacity", "2"),
    "stats": ("stats", *HERE),
    "stop": ("stop", "shared", *WHY, "--yes"),
    "submit": ("submit", "REQUEST", "--settings", "FILE"),
    "teams": ("teams", *HERE),
    "unpause": ("unpause", "research", *WHY),
    "usage": ("usage", *HERE),
    "watch": ("watch", "over", *OF_TEAM),
}
# What these say to a job, a resource, a team or a command that nobody knows.
UNKNOWN: dict[str, tuple[str, ...]] = {
    "cancel": ("cancel", "nobody", *OF_TEAM, *WHY),
    "drain": ("drain", "nowhere", *WHY),
    "explain": ("explain", "nobody", *OF_TEAM),
    "job": ("job", "nobody", *OF_TEAM),
    "jobs": ("jobs", *HERE, "--resource", "nowhere"),
    "logs": ("logs", "nobody", *OF_TEAM),
    "pause": ("pause", "nobody", *WHY),
    "pools": ("pools", *HERE, "--resource", "nowhere"),
    "retry": ("retry", "nobody", *OF_TEAM, *WHY),
    "settings": ("settings", "--version", "7"),
    "stats": ("stats", *HERE, "--resource", "nowhere"),
    "stop": ("stop", "nowhere", *WHY, "--yes"),
    "teams": ("teams", *HERE, "--resource", "nowhere"),
    "watch": ("watch", "nobody", *OF_TEAM),
}
# They need no Firestore, or say themselves what is wrong with it.
WITHOUT_FIRESTORE = {"check-settings": Exit.DONE, "simulate": Exit.DONE, "doctor": Exit.REFUSED}


@pytest.fixture
def installation(tmp_path: Path, demo_project: str) -> Iterator[Installation]:
    with Installation(tmp_path, demo_project) as installation:
        installation.ask(request("over"))
        installation.finish("over")
        fill(installation)
        installation.wait_running("first")
        installation.sweep()
        installation.command(id="known", kind="release", job_id="second")
        yield installation


@pytest.fixture
def poolctl(installation: Installation) -> Poolctl:
    return Poolctl(installation)


@pytest.fixture
def files(tmp_path: Path, installation: Installation) -> dict[str, str]:
    content = {
        "FILE": installation.settings_text,
        "REQUEST": json.dumps(request("third")),
        "TRACE": "job_id,submit_s,run_s,gpus\nj,0,60,1\n",
    }
    for name, text in content.items():
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in content}


def are_json(told: str) -> bool:
    """One object, or one per line."""
    try:
        texts = [told] if told.startswith("{\n") else told.splitlines()
        return [isinstance(json.loads(text), dict) for text in texts] == [True] * len(texts) != []
    except ValueError:
        return False


def test_all_commands_are_here() -> None:
    assert GOOD.keys() == COMMANDS.keys()


def test_what_is_good_ends_with_0_and_tells_programs_nothing_but_json(
    poolctl: Poolctl, files: dict[str, str]
) -> None:
    changing = ("hold", "release", "change", "priority", "pause", "unpause", "retry", "cancel", "requeue")
    of_all = ("drain", "resume", "stop", "apply")
    # A doctor has no topics to look at here: tests/end_to_end/test_poolctl_process.py
    for name in (*(GOOD.keys() - {*changing, *of_all, "doctor"}), *changing, *of_all):
        poolctl(*(files.get(word, word) for word in GOOD[name]), "--json")
        assert are_json(poolctl.out), name


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_nobody_knows_ends_with_1(poolctl: Poolctl, name: str) -> None:
    poolctl(*UNKNOWN[name], exit_code=Exit.REFUSED)


def test_wrong_options_end_with_2(poolctl: Poolctl) -> None:
    for name in GOOD:
        poolctl(name, "--no-such-option", exit_code=Exit.USAGE)


def test_without_firestore_it_ends_with_4(poolctl: Poolctl, files: dict[str, str]) -> None:
    def silent(*_: object) -> Documents:
        raise StoreUnavailable("no answer")

    poolctl.documents = silent
    for name, words in GOOD.items():
        if name == "watch":  # goes on: tests/handlers/test_poolctl_watch.py
            continue
        code = WITHOUT_FIRESTORE.get(name, Exit.UNREACHABLE)
        poolctl(*(files.get(word, word) for word in words), exit_code=code)
