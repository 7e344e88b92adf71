"""Sessions: what options, settings file and environment together say of where an installation is."""

from __future__ import annotations

from pathlib import Path

import pytest

from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.session import Options, Outside, Session, named_resource
from poolqueue.config import Environment, SettingsError
from poolqueue.records import ResourceName
from tests.unit.cli.building import NAME, store

SETTINGS = """
installation: prod
project: of-settings
location: us-central1
admin_command_topics: [admins]
teams:
  - {name: research, topics: [job-requests]}
  - {name: far, topics: [far], location: europe-west4}
"""


@pytest.fixture
def settings_file(tmp_path: Path) -> str:
    path = tmp_path / "settings.yaml"
    path.write_text(SETTINGS)
    return str(path)


def session(environment: Environment | None = None, **options: str) -> Session:
    outside = Outside(environment=lambda: environment or Environment(), documents=lambda *_: store())
    return Session.of(outside, Options(**options))


def test_the_settings_file_says_everything(settings_file: str) -> None:
    found = session(settings_file=settings_file)

    assert found.project == "of-settings"
    assert found.regions == (("of-settings", "us-central1"), ("of-settings", "europe-west4"))
    assert found.topic(None) == "projects/of-settings/topics/admins"


def test_options_go_before_the_environment_and_that_before_the_settings(settings_file: str) -> None:
    environment = Environment(project="of-environment", settings_file=settings_file)

    assert session(environment).project == "of-environment"
    assert session(environment, project="of-option").project == "of-option"


def test_a_location_narrows_the_regions_to_one(settings_file: str) -> None:
    found = session(settings_file=settings_file, location="europe-west4")

    assert found.regions == (("of-settings", "europe-west4"),)


def test_another_project_keeps_the_settings_location(settings_file: str) -> None:
    assert session(settings_file=settings_file, project="other").regions == (("other", "us-central1"),)


def test_project_and_location_alone_are_enough() -> None:
    found = session(project="p", location="l")

    assert found.reader().regions == (("p", "l"),)
    assert found.topic(None) == "projects/p/topics/job-commands"


def test_a_topic_may_be_named_briefly_or_in_full() -> None:
    found = session(project="p")

    assert found.topic("job-commands.vision") == "projects/p/topics/job-commands.vision"
    assert found.topic("projects/q/topics/t") == "projects/q/topics/t"


def test_what_is_not_said_is_asked_for() -> None:
    with pytest.raises(Failure, match="which project") as nowhere:
        session()
    with pytest.raises(Failure, match="which region") as anywhere:
        session(project="p").reader()

    assert nowhere.value.code == anywhere.value.code == Exit.USAGE


def test_a_real_project_beside_an_emulator_is_refused() -> None:
    with pytest.raises(SettingsError, match="demo-"):
        session(Environment(project="demo-x", firestore_emulator_host="127.0.0.1:1"), project="real")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (None, None),
        ("gpu-a", "gpu-a"),
        (NAME.full, NAME),
        ("projects/p/locations/l/persistentResources/r", ResourceName(project="p", location="l", id="r")),
    ],
)
def test_a_resource_is_named_briefly_or_in_full(given: str | None, name: ResourceName | str | None) -> None:
    assert named_resource(given) == name


@pytest.mark.parametrize("given", ["", "a/b", "UPPER", "projects/p/locations/l/persistentResources/"])
def test_what_names_no_resource_is_wrong_usage(given: str) -> None:
    with pytest.raises(Failure) as failure:
        named_resource(given)

    assert failure.value.code is Exit.USAGE
