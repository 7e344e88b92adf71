"""Which emulators are used follows from the environment, and is never a surprise."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.emulators import Kind, kind_from, start_emulators
from infra.local.processes import NotReady

HOSTS = {"FIRESTORE_EMULATOR_HOST": "127.0.0.1:1", "PUBSUB_EMULATOR_HOST": "127.0.0.1:2"}


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, Kind.EMBEDDED),
        ({"EMULATORS": ""}, Kind.EMBEDDED),
        ({"EMULATORS": "google"}, Kind.GOOGLE),
        (HOSTS, Kind.HOSTS),
        (HOSTS | {"EMULATORS": "embedded"}, Kind.EMBEDDED),
    ],
)
def test_the_environment_names_the_kind(environment: dict[str, str], kind: Kind) -> None:
    assert kind_from(environment) is kind


@pytest.mark.parametrize("name", list(HOSTS))
def test_one_host_without_the_other_is_a_mistake(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        kind_from({name: "127.0.0.1:1"})


def test_another_name_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="floci"):
        kind_from({"EMULATORS": "floci"})


def test_hosts_that_run_already_are_taken_as_they_are(tmp_path: Path) -> None:
    with start_emulators(Kind.HOSTS, tmp_path, environment=HOSTS) as emulators:
        assert emulators.environment == HOSTS


def test_hosts_that_are_not_named_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="EMULATOR_HOST"):
        start_emulators(Kind.HOSTS, tmp_path, environment={})


@pytest.mark.parametrize(
    "kind", [Kind.EMBEDDED, pytest.param(Kind.GOOGLE, marks=pytest.mark.requires("google_emulators"))]
)
def test_both_start_and_stop(kind: Kind, tmp_path: Path) -> None:
    with start_emulators(kind, tmp_path) as emulators:
        children = [emulators.firestore.child, emulators.pubsub.child]
        assert all(child is not None and child.running for child in children)

    assert not any(child is not None and child.running for child in children)
