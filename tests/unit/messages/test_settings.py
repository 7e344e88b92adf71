from __future__ import annotations

import pytest

from tests.unit.messages.building import accepted, custom_job, paths, refused


@pytest.mark.parametrize("job_id", ["a", "0", "resnet-2026_11", "a" * 63])
def test_a_job_id_is_taken_as_it_is(job_id: str) -> None:
    assert accepted(custom_job(), {"job_id": job_id}).job_id == job_id


@pytest.mark.parametrize("job_id", ["", "A", "-a", "_a", "a" * 64, "a b", "a.b", "a/b", "ä", "a\n"])
def test_a_malformed_job_id_is_refused(job_id: str) -> None:
    assert paths(refused(custom_job(), {"job_id": job_id})) == ["attributes.job_id"]
    assert paths(refused({"job_id": job_id, "custom_job": custom_job()})) == ["job_id"]


@pytest.mark.parametrize(("given", "priority"), [("0", 0), ("100", 100), (7, 7), (7.0, 7)])
def test_a_priority_is_a_whole_number_from_0_to_100(given: object, priority: int) -> None:
    assert accepted({"priority": given, "custom_job": custom_job()}).priority == priority


@pytest.mark.parametrize("given", [-1, 101, 1.5, True, "high", "", "050", [], "1" * 30])
def test_another_priority_is_refused(given: object) -> None:
    assert paths(refused({"priority": given, "custom_job": custom_job()})) == ["priority"]


def test_without_a_priority_it_is_50() -> None:
    assert accepted({"priority": None, "custom_job": custom_job()}).priority == 50


def test_a_setting_given_twice_must_be_the_same() -> None:
    message = {"priority": 7, "custom_job": custom_job()}

    assert accepted(message, {"priority": "7"}).priority == 7
    assert paths(refused(message, {"priority": "8"})) == ["attributes.priority"]


@pytest.mark.parametrize("setting", ["group", "schedule"])
def test_settings_of_later_versions_are_refused_not_ignored(setting: str) -> None:
    (problem,) = refused(custom_job(), {setting: "x"})

    assert problem.path == f"attributes.{setting}"
    assert problem.problem == "is a setting that is not honoured by this version"


@pytest.mark.parametrize(
    "attribute",
    [
        "googclient_schemaencoding",
        "traceparent",
        "tracestate",
        "logging.googleapis.com/timestamp",
        "CloudPubSubDeadLetterSourceSubscription",
    ],
)
def test_what_the_transport_adds_is_ignored(attribute: str) -> None:
    assert accepted(custom_job(), {attribute: "x"}) == accepted(custom_job())


def test_an_unknown_attribute_is_refused_by_name() -> None:
    (problem,) = refused(custom_job(), {"jobid": "x"})

    assert (problem.path, problem.remedy) == ("attributes.jobid", "did you mean job_id?")


def test_two_display_names_must_agree() -> None:
    assert accepted(custom_job(), {"display_name": "resnet"}).display_name == "resnet"
    assert paths(refused(custom_job(), {"display_name": "other"})) == ["display_name"]


@pytest.mark.parametrize("name", ["", "a\x00b", "\ud800"])
def test_an_unusable_display_name_is_refused(name: str) -> None:
    assert paths(refused(custom_job()["jobSpec"], {"display_name": name})) == ["attributes.display_name"]
