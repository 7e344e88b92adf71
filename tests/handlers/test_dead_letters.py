from __future__ import annotations

import json

import pytest

from handlers import job_requested
from poolqueue.ports import Delete, Query
from poolqueue.triggers import CloudEventView, load_triggers
from tests.support.installation import Installation, request

TEAM = {"name": "research", "topics": ["job-requests"]}


def test_what_names_no_job_is_kept_with_its_bytes_reasons_and_time(installation: Installation) -> None:
    installation.ask(b"\xff\xfe", colour="red")

    (letter,) = installation.dead_letters()
    assert letter["data"] == b"\xff\xfe"
    assert letter["attributes"] == [{"name": "colour", "value": "red"}]
    assert letter["problems"][0]["remedy"]
    assert abs((letter["at"] - installation.clock()).total_seconds()) < 60
    assert letter["topic"].endswith("/job-requests")
    assert not installation.outcome_messages()


def test_a_dead_letter_delivered_again_is_kept_once(installation: Installation) -> None:
    delivery = installation.ask(b"no: [yaml")

    job_requested.handle(installation.system, delivery)

    assert len(installation.dead_letters()) == 1


def test_the_same_bytes_in_another_message_are_another_dead_letter(installation: Installation) -> None:
    installation.ask(b"[]")
    installation.ask(b"[]")

    assert len(installation.dead_letters()) == 2


def test_a_topic_of_no_team_is_a_dead_letter(installation: Installation) -> None:
    installation.ask(request("j"), topic="elsewhere")

    (letter,) = installation.dead_letters()
    assert json.loads(letter["data"])["job_id"] == "j"
    assert letter["problems"][0]["path"] == "topic"


def test_an_unreadable_message_with_an_id_is_a_refusal_of_that_job(installation: Installation) -> None:
    installation.ask(b"\xff", job_id="j")

    (letter,) = installation.dead_letters()
    assert (letter["job"], letter["data"]) == ("research.j", b"\xff")
    assert installation.outcomes("j")[0]["outcome"] == "rejected"


def test_a_refused_request_is_kept_as_it_came_once_however_often_it_is_delivered(
    installation: Installation,
) -> None:
    delivery = installation.ask(b"job_id: j\ncustom_job: {jobSpec: {nope: 1}}", priority="7")
    job_requested.handle(installation.system, delivery)

    (letter,) = installation.dead_letters()
    assert letter["data"] == delivery.data
    assert letter["attributes"] == [{"name": "priority", "value": "7"}]
    assert letter["job"] == "research.j"
    assert [each["path"] for each in letter["problems"]] == [
        each["path"] for each in installation.outcomes("j")[0]["problems"]
    ]


def test_a_request_that_the_team_may_not_make_is_kept_as_it_came(installing) -> None:
    installation = installing(settings={"teams": [{**TEAM, "priority": {"maximum": 50}}]})

    delivery = installation.ask(request("j", priority=90))

    (letter,) = installation.dead_letters()
    assert letter["data"] == delivery.data


def test_a_namesake_is_kept_under_the_id_of_its_own_refusal(installation: Installation) -> None:
    installation.ask(request("j"))
    delivery = installation.ask(request("j", priority=7))

    (letter,) = installation.dead_letters()
    assert letter["data"] == delivery.data
    assert letter["job"].startswith("research.j.refused-")


def test_a_refusal_whose_recording_was_interrupted_is_kept_when_it_comes_again(
    installation: Installation,
) -> None:
    delivery = installation.ask(b"\xff", job_id="j")
    (document,) = installation.documents.find(Query(collection="dead_letters", newest_first="at"))
    installation.documents.commit([Delete(path=document.path, version=document.version)])

    job_requested.handle(installation.system, delivery)

    assert installation.dead_letters()[0]["job"] == "research.j"


def test_a_good_request_leaves_no_dead_letter(installation: Installation) -> None:
    installation.ask(request("j"))

    assert not installation.dead_letters()


def test_an_event_that_lacks_what_its_trigger_needs_is_kept(installation: Installation) -> None:
    custom_job = request()["custom_job"]
    custom_job["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]["args"] = ["${data.name}"]
    template = {"custom_job": custom_job}
    listed = [{"name": "on-arrival", "when": {"type": "arrived"}, "job": {"template": template}}]
    event = CloudEventView(id="1", source="bucket", type="arrived", data={"size": "7"})

    installation.arrive(load_triggers(json.dumps({"triggers": listed})), event)

    (letter,) = installation.dead_letters()
    assert json.loads(letter["data"])["data"] == {"size": "7"}
    assert letter["topic"] == "trigger on-arrival"


HOSTILE = {
    "not UTF-8": b"\xc3\x28",
    "not YAML": b"a: [b",
    "a list": b"[1, 2]",
    "a number": b"7",
    "nothing": b"",
    "nested deeply": b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
    "a YAML tag": b"!!python/object/apply:os.system ['true']",
    "an alias bomb": b"a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c]",
    "over 256 KB": b'{"x": "' + b"y" * 300_000 + b'"}',
    "10 MB": b"z" * 9_900_000,
    "a huge number": b'{"job_id": ' + b"9" * 5_000 + b"}",
    "half a character": b'{"job_id": "\\ud800", "custom_job": {"displayName": "\\udfff"}}',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bytes_end_as_a_recorded_refusal(installation: Installation, data: bytes) -> None:
    delivery = installation.ask(data)
    job_requested.handle(installation.system, delivery)

    (letter,) = installation.dead_letters()
    assert letter["size"] == len(data)
    assert data.startswith(letter["data"])


ATTRIBUTES = {
    "reserved": {"__name__": "x"},
    "empty": {"": "x"},
    "long": {"k" * 256: "v" * 1024},
    "dotted": {"a.b": "c", "`": "`"},
    "many": {f"k{number}": "v" * 1024 for number in range(100)},
}


@pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=ATTRIBUTES.keys())
def test_hostile_attributes_end_as_a_dead_letter(installation: Installation, attributes) -> None:
    delivery = installation.delivery("job-requests", b"\xff" * 1_000_000, attributes)

    job_requested.handle(installation.system, delivery)

    (letter,) = installation.dead_letters()
    assert letter["size"] == 1_000_000


def test_hostile_job_ids_and_names_are_refused_and_harm_nobody(installation: Installation) -> None:
    for number, hostile in enumerate(["../x", "a/b", ".", "__x__", "x" * 5_000, "\u0000", "ß", 7, None, {}]):
        installation.ask(request() | {"job_id": hostile})
        installation.ask(request(f"r{number}", job_spec={"persistentResourceId": hostile}))

    assert not installation.events("custom_job_created") or all(
        line["labels"]["pool_queue_job"] for line in installation.events("custom_job_created")
    )
    installation.ask(request("fine"))
    assert installation.job("fine").custom_job
