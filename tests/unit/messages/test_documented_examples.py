from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import jsonschema
import pytest

from poolqueue.messages import BadCommand, BadRequest, Command, CommandKind, JobRequest, parse_command
from poolqueue.requests.reading import read_mapping
from poolqueue.requests.settings import SETTINGS
from poolqueue.triggers import TriggersError, load_triggers
from tests.unit.messages.building import accepted, parse

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "messages.md").read_text()
BLOCKS = re.findall(r"```(\w+) ([a-z -]+)\n(.*?)```", PAGE, re.DOTALL)
VALID = [(kind.split()[0], text) for _, kind, text in BLOCKS if kind.endswith(" valid")]
REFUSED = [
    (kind.split()[0], text, json.loads(following[2]))
    for (_, kind, text), following in zip(BLOCKS, [*BLOCKS[1:], ("", "", "")], strict=True)
    if kind.endswith(" invalid") and following[1] == "problems"
]


def problems_of(kind: str, text: str) -> list[dict[str, str]]:
    """What a real run says of an example."""
    match kind:
        case "job-request":
            parsed: object = parse(text)
        case "job-command":
            parsed = parse_command(text.encode(), {}, default_id="derived")
        case "job-outcome":
            parsed = None
        case _:
            try:
                parsed = load_triggers(text)
            except TriggersError as error:
                parsed = error
    return [asdict(problem) for problem in getattr(parsed, "problems", ())]


def is_valid(kind: str, text: str) -> bool:
    schema = json.loads((ROOT / "poolqueue" / "schemas" / f"{kind}.json").read_text())
    return jsonschema.Draft202012Validator(schema).is_valid(read_mapping(text.encode()))


def test_the_page_has_an_example_of_each_kind() -> None:
    kinds = {"job-request", "job-command", "triggers"}

    assert {kind for kind, _ in VALID} == kinds | {"job-outcome"}
    assert {kind for kind, _, _ in REFUSED} == kinds


def test_the_page_has_a_valid_example_of_every_kind_of_command() -> None:
    shown = {read_mapping(text.encode())["kind"] for kind, text in VALID if kind == "job-command"}

    assert shown == {kind.value for kind in CommandKind}


def test_the_page_has_an_example_of_every_setting_of_a_request() -> None:
    shown = [set(read_mapping(text.encode())) for kind, text in VALID if kind == "job-request"]

    assert set(SETTINGS) <= set().union(*shown)


@pytest.mark.parametrize(("kind", "text"), VALID)
def test_a_valid_example_is_accepted(kind: str, text: str) -> None:
    assert problems_of(kind, text) == []
    assert kind == "triggers" or is_valid(kind, text)


@pytest.mark.parametrize(("kind", "text", "problems"), REFUSED)
def test_an_invalid_example_is_refused_as_the_page_says(
    kind: str, text: str, problems: list[dict[str, str]]
) -> None:
    assert problems_of(kind, text) == problems
    assert kind == "triggers" or not is_valid(kind, text)


def test_the_invalid_outcome_breaks_its_schema() -> None:
    (text,) = (text for _, kind, text in BLOCKS if kind == "job-outcome invalid")

    assert not is_valid("job-outcome", text)


def test_the_flags_of_gcloud_become_a_request() -> None:
    (text,) = (text for _, kind, text in BLOCKS if kind == "gcloud-flags")
    names: dict[str, dict[str, object]] = {}
    exec(text, names)

    assert accepted(names["request"]).job_id == "resnet-2026-11-23"


def test_the_kinds_of_answers_are_those_that_the_page_names() -> None:
    assert {type(parse(text)) for kind, text in VALID if kind == "job-request"} == {JobRequest}
    assert {type(parse(text)) for kind, text, _ in REFUSED if kind == "job-request"} == {BadRequest}
    commands = [text for kind, text, *_ in [*VALID, *REFUSED] if kind == "job-command"]
    parsed = {type(parse_command(text.encode(), {}, default_id="x")) for text in commands}
    assert parsed == {Command, BadCommand}
