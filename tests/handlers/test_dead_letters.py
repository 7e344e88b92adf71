from __future__ import annotations

import json

import pytest

from handlers import job_requested
from tests.support.installation import Installation, request


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

    assert not installation.dead_letters()
    assert installation.outcomes("j")[0]["outcome"] == "rejected"


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

    rejected = [body for body in installation.outcome_messages() if body["outcome"] == "rejected"]
    assert len({body["job_id"] for body in rejected}) + len(installation.dead_letters()) == 1


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
