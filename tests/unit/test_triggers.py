from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolqueue.messages import JobRequest, parse_request
from poolqueue.triggers import (
    BadEvent,
    CloudEventView,
    Trigger,
    TriggeredRequest,
    TriggersError,
    load_triggers,
    request_from_event,
)

FINALIZED = "google.cloud.storage.object.v1.finalized"
FILE = """
triggers:
- name: train-on-arrival
  when:
    type: google.cloud.storage.object.v1.finalized
    attributes: {bucket: incoming, name: "data/*.csv"}
  team: research
  job:
    template:
      priority: 60
      custom_job:
        displayName: "train on ${data.name}"
        jobSpec:
          persistentResourceId: gpu-a
          workerPoolSpecs:
          - machineSpec: {machineType: n1-standard-4}
            replicaCount: 1
            containerSpec:
              imageUri: europe-docker.pkg.dev/p/r/train:1
              command: [python, -m, trainer]
              args: ["--input=gs://${data.bucket}/${data.name}", "--generation=${data.generation}"]
              env:
              - {name: EVENT, value: "${event.id} ${event.time} $${HOME}"}
"""


def event(**changes: Any) -> CloudEventView:
    given: dict[str, Any] = {
        "id": "8675309",
        "source": "//storage.googleapis.com/projects/_/buckets/incoming",
        "type": FINALIZED,
        "subject": "objects/data/a.csv",
        "time": "2026-11-23T17:30:00Z",
        "attributes": {"bucket": "incoming"},
        "data": {"bucket": "incoming", "name": "data/a.csv", "generation": 7, "metadata": {"kind": "full"}},
    }
    return CloudEventView(**{**given, **changes})


def named(name: str) -> CloudEventView:
    return event(data={**event().data, "name": name})


def the_trigger(text: str = FILE) -> Trigger:
    (trigger,) = load_triggers(text).triggers
    return trigger


def with_pattern(pattern: str) -> Trigger:
    return the_trigger(FILE.replace('"data/*.csv"', json.dumps(pattern)))


def request(event: CloudEventView) -> TriggeredRequest:
    made = request_from_event(the_trigger(), event)
    assert isinstance(made, TriggeredRequest), made
    return made


def wrong(text: str) -> dict[str, str]:
    with pytest.raises(TriggersError) as caught:
        load_triggers(text)
    assert all(each.path in str(caught.value) for each in caught.value.problems)
    return {each.path: each.problem for each in caught.value.problems}


# --- matching --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "matches"),
    [
        ({}, True),
        ({"type": "google.cloud.storage.object.v1.deleted"}, False),
        ({"attributes": {"bucket": "other"}}, False),
        ({"attributes": {}}, True),
        ({"data": {"name": "data/a.csv"}}, True),
        ({"data": {}}, False),
        ({"data": None}, False),
        ({"data": "text"}, False),
        ({"data": {"name": ["data/a.csv"]}}, False),
        ({"data": {"name": "data/a.csv.tmp"}}, False),
    ],
)
def test_a_trigger_takes_events_of_its_type_whose_attributes_all_match(
    changes: dict[str, Any], *, matches: bool
) -> None:
    assert the_trigger().matches(event(**changes)) is matches


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "", True),
        ("*", "any/thing", True),
        ("a*b", "ab", True),
        ("a*b", "a", False),
        ("aa*aa", "aaa", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "acb", False),
        ("*.csv", "x.csv", True),
        ("**x**", "yxz", True),
        ("[a]?", "[a]?", True),
        ("[a]?", "ab", False),
        ("x", "X", False),
    ],
)
def test_a_star_stands_for_anything_and_nothing_else_is_special(
    pattern: str, name: str, *, matches: bool
) -> None:
    assert with_pattern(pattern).matches(named(name)) is matches


@given(st.lists(st.text("ab", max_size=3), min_size=1, max_size=6), st.data())
def test_a_name_built_from_a_pattern_matches_it(pieces: list[str], data: st.DataObject) -> None:
    pattern = "*".join(pieces)
    fillings = [data.draw(st.text("abc/", max_size=3)) for _ in pieces[1:]]
    name = pieces[0] + "".join(filling + piece for filling, piece in zip(fillings, pieces[1:], strict=True))

    trigger = Trigger(name="t", type=FINALIZED, attributes={"name": pattern}, team=None, template={})

    assert trigger.matches(named(name))


def test_matching_takes_no_longer_than_the_name_is_long() -> None:
    trigger = with_pattern("*a" * 2_000 + "b")
    began = time.process_time()

    assert not trigger.matches(named("a" * 200_000))
    assert time.process_time() - began < 2


def test_several_triggers_may_take_one_event() -> None:
    _, _, one = FILE.partition("triggers:\n")
    triggers = load_triggers(FILE + one.replace("train-on-arrival", "second"))

    assert [each.name for each in triggers.matching(event())] == ["train-on-arrival", "second"]
    assert triggers.matching(event(type="other")) == ()


def test_nested_fields_and_the_events_own_attributes_can_be_matched() -> None:
    text = FILE.replace("bucket: incoming,", 'metadata.kind: full, subject: "objects/*",')

    assert the_trigger(text).matches(event())
    assert not the_trigger(text).matches(event(subject="other"))


# --- the job request -------------------------------------------------------------------------------------


def test_an_events_values_are_put_into_the_template() -> None:
    made = request(event())

    container = made.body["custom_job"]["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]
    assert made.body["custom_job"]["displayName"] == "train on data/a.csv"
    assert container["args"] == ["--input=gs://incoming/data/a.csv", "--generation=7"]
    assert container["env"] == [{"name": "EVENT", "value": "8675309 2026-11-23T17:30:00Z ${HOME}"}]
    assert made.body["priority"] == 60
    assert made.body["job_id"] == made.job_id


def test_the_body_is_a_job_request() -> None:
    made = request(event())

    parsed = parse_request(
        json.dumps(made.body).encode(), {}, default_job_id="x", project="p", location="europe-west4"
    )

    assert isinstance(parsed, JobRequest)
    assert parsed.job_id == made.job_id


def test_a_redelivered_event_is_the_same_job_and_another_event_another() -> None:
    first = request(event()).job_id

    assert first.startswith("train-on-arrival-")
    assert request(event(time="2026-11-23T18:00:00Z")).job_id == first
    assert request(event(id="8675310")).job_id != first
    assert request(event(source="//elsewhere")).job_id != first


def test_a_bare_template_is_put_into_an_envelope() -> None:
    head, _, custom_job = FILE.partition("      priority: 60\n      custom_job:\n")
    bare = head + custom_job.replace("\n  ", "\n")[2:]

    made = request_from_event(the_trigger(bare), event())

    assert made.body == {key: each for key, each in request(event()).body.items() if key != "priority"}


@pytest.mark.parametrize(
    "name",
    [
        'a", "priority": 100, "x": "',
        "a\\",
        "${event.id}",
        "$${event.id}",
        "$(HOME)",
        "a: b # c",
        "{}[]",
        "ü/名",
        "'; rm -rf / #",
    ],
)
def test_a_hostile_value_stays_one_string(name: str) -> None:
    made = request(named(name))

    container = made.body["custom_job"]["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]
    assert container["args"] == [f"--input=gs://incoming/{name}", "--generation=7"]
    assert set(made.body) == {"job_id", "priority", "custom_job"}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (None, "has no value in this event"),
        ("", "has no value in this event"),
        ({"a": 1}, "has no value in this event"),
        (["a"], "has no value in this event"),
        (10**3_000, "has no value in this event"),
        ("a\nb", "holds a control character"),
        ("a\x00b", "holds a control character"),
        ("a\ud800b", "holds a control character"),
        ("x" * 2_049, "is longer than 2048 characters"),
    ],
)
def test_a_value_that_cannot_be_used_is_a_problem_of_that_job(name: object, problem: str) -> None:
    made = request_from_event(the_trigger(), event(data={**event().data, "name": name}))

    assert isinstance(made, BadEvent)
    assert made.job_id == request(event()).job_id
    assert [each.problem for each in made.problems] == [problem] * 2
    assert made.problems[0].path == "template.custom_job.displayName"


# --- the file --------------------------------------------------------------------------------------------


def test_no_triggers_are_none() -> None:
    assert load_triggers("triggers: []").triggers == ()


@pytest.mark.parametrize(
    ("old", "new", "path", "problem"),
    [
        ("triggers:", "trigers:", "trigers", "is not a known key"),
        ("team:", "tema:", "triggers[0].tema", "is not a known key"),
        ("train-on-arrival", "Train", "triggers[0].name", "is not a trigger's name"),
        ("train-on-arrival", "a" * 41, "triggers[0].name", "is not a trigger's name"),
        ("team: research", "team: 7", "triggers[0].team", "is not a string"),
        (f"type: {FINALIZED}", "type: ''", "triggers[0].when.type", "is not a string"),
        (f"type: {FINALIZED}", "kind: x", "triggers[0].when.kind", "is not a known key"),
        ('"data/*.csv"', "7", "triggers[0].when.attributes.name", "is not a string"),
        ("bucket: incoming,", "bucket: [a],", "triggers[0].when.attributes.bucket", "is not a string"),
        ("priority: 60", "job_id: x", "triggers[0].job.template.job_id", "is derived from the event"),
        ("priority: 60", "priority: 600", "triggers[0].job.template.priority", "is not a priority"),
        ("priority: 60", '"${data.name}": 1', "triggers[0].job.template.${data.name}", "is not a setting"),
        (
            "${data.name}",
            "${data}",
            "triggers[0].job.template.custom_job.displayName",
            "is not a placeholder",
        ),
        (
            "${data.name}",
            "${env.HOME}",
            "triggers[0].job.template.custom_job.displayName",
            "is not a placeholder",
        ),
        (
            "${data.name}",
            "${data.name",
            "triggers[0].job.template.custom_job.displayName",
            "is not a placeholder",
        ),
        (
            "replicaCount: 1",
            'replicaCount: "${data.name}"',
            "triggers[0].job.template.custom_job.jobSpec.workerPoolSpecs[0].replicaCount",
            "is not a whole number",
        ),
        (
            "train:1",
            "${data.name}",
            "triggers[0].job.template.custom_job.jobSpec.workerPoolSpecs[0].containerSpec.imageUri",
            "may not come from an event",
        ),
        (
            "[python, -m, trainer]",
            '[python, "${data.name}"]',
            "triggers[0].job.template.custom_job.jobSpec.workerPoolSpecs[0].containerSpec.command[1]",
            "may not come from an event",
        ),
        (
            "[python, -m, trainer]",
            "[bash, -euc]",
            "triggers[0].job.template.custom_job.jobSpec.workerPoolSpecs[0].containerSpec.args[0]",
            "may not come from an event",
        ),
        (
            "gpu-a",
            '"${data.name}"',
            "triggers[0].job.template.custom_job.jobSpec.persistentResourceId",
            "may not come from an event",
        ),
    ],
)
def test_a_mistake_in_the_file_is_told_at_start_with_its_place(
    old: str, new: str, path: str, problem: str
) -> None:
    told = wrong(FILE.replace(old, new, 1))

    assert told[path] == problem


def test_all_mistakes_are_told_at_once() -> None:
    assert set(wrong("triggers:\n- {name: A, when: {}, job: {}}\n- 7\n- {}")) == {
        "triggers[0].name",
        "triggers[0].when.type",
        "triggers[0].job.template",
        "triggers[1]",
        "triggers[2].name",
        "triggers[2].when",
        "triggers[2].job",
    }


def test_two_triggers_of_one_name_are_a_mistake() -> None:
    _, _, one = FILE.partition("triggers:\n")

    assert wrong(FILE + one) == {"triggers[1].name": "is the name of two triggers"}


@pytest.mark.parametrize("text", ["", "- a", "triggers: 7", "a: &x 1", "{", "\ud800"])
def test_a_file_that_cannot_be_read_is_a_mistake(text: str) -> None:
    assert wrong(text).keys() <= {"triggers"}
