"""`poolctl dead-letters` and `poolctl check-settings`, on a whole installation."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from handlers import job_requested
from poolqueue.cli.failures import Exit
from tests.handlers.test_poolctl import Poolctl
from tests.support.installation import Installation, request

SECRET = "hunter2"
# Stands in for gcloud: tells its arguments one a line, the message to a file.
GCLOUD = """#!/bin/sh
for word in "$@"; do
  case "$word" in
    --message=*) printf %s "${word#--message=}" >"$MESSAGE" ;;
    *) echo "$word" ;;
  esac
done
"""


@pytest.fixture
def poolctl(installation: Installation) -> Poolctl:
    return Poolctl(installation)


def refused(installation: Installation, **attributes: str) -> bytes:
    body = request(env=[{"name": "PW", "value": SECRET}])
    return installation.ask(body, job_id="j", **attributes).data


def scripts(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.sh"))


def test_refusals_are_listed_latest_first_without_what_they_hold(
    installation: Installation, poolctl: Poolctl
) -> None:
    installation.ask(b"\xff")
    refused(installation)

    header, *lines = poolctl("dead-letters").splitlines()

    assert header.split()[:3] == ["time", "topic", "bytes"]
    assert "research.j" in lines[0]
    assert "env" in lines[0]
    assert "UTF-8" in lines[1]
    assert SECRET not in str(lines)


def test_a_listing_is_as_short_as_asked_for_and_says_when_there_is_nothing(
    installation: Installation, poolctl: Poolctl
) -> None:
    assert "every message could be used" in poolctl("dead-letters")
    for _ in range(3):
        installation.ask(b"[]")

    assert len(poolctl("dead-letters", "--limit", "2").splitlines()) == 1 + 2


def test_programs_get_all_problems_and_no_message(installation: Installation, poolctl: Poolctl) -> None:
    refused(installation)

    told = poolctl("dead-letters", "--json")

    (letter,) = json.loads(told)["dead_letters"]
    assert letter["job"] == "research.j"
    assert letter["problems"]
    assert SECRET not in told


@pytest.mark.parametrize(
    "attributes", [{}, {"colour": "red"}, {"colour": "red, 'blue' $HOME", "size": "^,^7"}]
)
def test_a_saved_message_is_published_again_as_it_came(
    installation: Installation, poolctl: Poolctl, tmp_path: Path, attributes: Mapping[str, str]
) -> None:
    data = refused(installation, **attributes, googclient_schemaencoding="JSON")
    poolctl("dead-letters", "--save", str(tmp_path / "saved"))

    (script,) = scripts(tmp_path / "saved")
    words, message = published(script, tmp_path)

    assert message == data
    assert words[:4] == [
        "pubsub",
        "topics",
        "publish",
        f"projects/{installation.project}/topics/job-requests",
    ]
    assert read_attributes(words[4]) == {"job_id": "j", **attributes}


def published(script: Path, directory: Path) -> tuple[list[str], bytes]:
    (directory / "gcloud").write_text(GCLOUD)
    (directory / "gcloud").chmod(0o700)
    environment = {"PATH": f"{directory}:/usr/bin:/bin", "MESSAGE": str(directory / "message")}
    run = subprocess.run(["sh", str(script)], env=environment, capture_output=True, text=True, check=True)
    return run.stdout.splitlines(), (directory / "message").read_bytes()


def read_attributes(flag: str) -> dict[str, str]:
    """As gcloud reads it: `^;^` in front names another delimiter than the comma."""
    text, delimiter = flag.removeprefix("--attribute="), ","
    if text.startswith("^"):
        _, delimiter, text = text.split("^", 2)
    return dict(each.split("=", 1) for each in text.split(delimiter))


def test_saved_messages_are_for_their_owner_only(
    installation: Installation, poolctl: Poolctl, tmp_path: Path
) -> None:
    refused(installation)

    told = poolctl("dead-letters", "--save", str(tmp_path / "saved"))

    assert SECRET not in told
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "saved").iterdir()} == {0o600}


def test_what_was_cut_or_came_from_no_topic_is_saved_without_a_script(
    installation: Installation, poolctl: Poolctl, tmp_path: Path
) -> None:
    delivery = installation.delivery("job-requests", b"\xff" * 900_000)
    job_requested.handle(installation.system, delivery)

    told = poolctl("dead-letters", "--save", str(tmp_path))

    assert "beginning of a message of 900,000 bytes" in told
    assert not scripts(tmp_path)


def test_a_place_that_cannot_be_written_to_is_told(
    installation: Installation, poolctl: Poolctl, tmp_path: Path
) -> None:
    installation.ask(b"[]")
    (tmp_path / "file").touch()

    assert "--save" in poolctl("dead-letters", "--save", str(tmp_path / "file"), exit_code=Exit.USAGE)


# --- check-settings --------------------------------------------------------------------------------------

SETTINGS = """
installation: testing
location: us-central1
teams: [{name: research, topics: [job-requests]}]
"""


def test_good_settings_are_told_to_be_good(poolctl: Poolctl, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(SETTINGS)

    asked = ("check-settings", str(tmp_path / "settings.yaml"), "--project", "my-project")
    told = poolctl(*asked)

    assert "good: installation testing" in told
    assert "my-project/us-central1" in told
    assert json.loads(poolctl(*asked, "--json")) == {
        "installation": "testing",
        "teams": ["research"],
        "triggers": [],
        "regions": ["my-project/us-central1"],
    }


@pytest.mark.parametrize(
    ("settings", "triggers", "told"),
    [
        (SETTINGS + "colour: red", "", "colour"),
        (SETTINGS + "triggers: triggers.yaml", "triggers: [{nam: x}]", "did you mean name?"),
        (SETTINGS + "triggers: none.yaml", "", "none.yaml"),
        (SETTINGS + "timing: {linger: .inf}", "", "linger"),
    ],
)
def test_wrong_settings_and_triggers_are_told(
    poolctl: Poolctl, tmp_path: Path, settings: str, triggers: str, told: str
) -> None:
    (tmp_path / "settings.yaml").write_text(settings)
    (tmp_path / "triggers.yaml").write_text(triggers)

    arguments = ("check-settings", str(tmp_path / "settings.yaml"), "--project", "p")
    assert told in poolctl(*arguments, exit_code=Exit.USAGE)
