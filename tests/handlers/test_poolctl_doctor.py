"""`poolctl doctor` on a whole installation: what it finds, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from poolqueue.cli.app import app
from poolqueue.cli.failures import Exit
from poolqueue.cli.session import Outside
from poolqueue.config import Environment
from poolqueue.ports import StoreUnavailable
from tests.support.installation import LOCATION, Installation, request


class Doctor:
    """Runs `poolctl doctor` on an installation whose topics are as a test says."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.states: dict[str, str] = {}
        self.is_down = False

    def __call__(self, *arguments: str, exit_code: int = Exit.DONE) -> dict[str, dict[str, Any]]:
        outside = Outside(
            environment=lambda: Environment(project=self.installation.project),
            documents=self._documents,
            topics=lambda _, topics: {name: self.states.get(name.rsplit("/")[-1], "open") for name in topics},
            now=self.installation.clock,
        )
        options = ["doctor", "--json", "--location", LOCATION, *arguments]
        ran = CliRunner().invoke(app, options, obj=outside)
        assert ran.exit_code == exit_code, ran.output
        told = json.loads(ran.output[ran.output.index("{") : ran.output.rindex("}") + 1])
        return {check["check"]: check for check in told["checks"]}

    def _documents(self, *_: object) -> Any:
        if self.is_down:
            raise StoreUnavailable("silent")
        return self.installation.documents


@pytest.fixture
def doctor(installation: Installation) -> Doctor:
    installation.ask(request("first"))
    installation.wait_running("first")
    installation.sweep()
    return Doctor(installation)


def test_a_healthy_installation_has_nothing_bad(doctor: Doctor) -> None:
    checks = doctor()

    assert {check["verdict"] for check in checks.values()} == {"good"}
    assert {"Firestore", "topics", "sweeps", "indexes", "settings", "submissions"} <= checks.keys()


def test_without_firestore_it_says_so_and_stops_there(doctor: Doctor) -> None:
    doctor.is_down = True

    checks = doctor(exit_code=Exit.REFUSED)

    assert [*checks] == ["installation", "Firestore"]
    assert checks["Firestore"]["verdict"] == "bad"


def test_sweeps_that_stopped_are_bad(doctor: Doctor) -> None:
    doctor.installation.clock.advance(minutes=30)

    assert doctor(exit_code=Exit.REFUSED)["sweeps"]["verdict"] == "bad"


def test_a_topic_that_is_missing_is_bad_and_one_that_is_closed_is_odd(doctor: Doctor) -> None:
    doctor.states = {"job-commands": "forbidden"}
    assert "roles/pubsub.publisher" in doctor()["topics"]["remedy"]

    doctor.states = {"job-commands": "missing"}
    assert "job-commands" in doctor(exit_code=Exit.REFUSED)["topics"]["found"]


def test_a_file_that_differs_from_the_settings_in_force_is_told(doctor: Doctor, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps({**doctor.installation.fields, "retention": "77d"}))

    check = doctor("--settings", str(file))["settings"]

    assert check["verdict"] == "odd"
    assert "poolctl diff" in check["remedy"]


def test_dead_letters_of_today_are_told(doctor: Doctor) -> None:
    doctor.installation.ask(b"no request")

    assert doctor()["dead letters"]["verdict"] == "odd"
