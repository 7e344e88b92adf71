from __future__ import annotations

from google.cloud.aiplatform_v1.types import CustomJob
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.tools.generate_fields import table
from poolqueue.requests import fields
from poolqueue.requests.collecting import Problems
from poolqueue.requests.fields import ENUMS, MESSAGES
from poolqueue.requests.normalising import normalised, snake_case


def test_the_table_is_what_the_installed_client_has() -> None:
    generated: dict[str, object] = {}
    exec(table(), generated)

    assert generated["MESSAGES"] == fields.MESSAGES
    assert generated["ENUMS"] == fields.ENUMS
    assert generated["OUTPUT_ONLY"] == fields.OUTPUT_ONLY


def values(kind: str) -> st.SearchStrategy[object]:
    if kind.endswith("[]"):
        return st.lists(values(kind[:-2]), max_size=2)
    if kind in MESSAGES:
        return bodies(kind)
    if kind in ENUMS:
        return st.sampled_from(sorted(ENUMS[kind])) | st.sampled_from(sorted(ENUMS[kind].values()))
    text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5)
    return {
        "string": text,
        "bool": st.booleans(),
        "int32": st.integers(-(2**31), 2**31 - 1) | st.integers(-9, 9).map(str),
        "int64": st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9).map(str),
        "duration": st.sampled_from(["0s", "1.5s", "3600.000s", "0.000000001s"]),
        "map": st.dictionaries(text, text, max_size=2),
    }[kind]


def bodies(message: str) -> st.SearchStrategy[dict[str, object]]:
    given = {name: values(kind) for name, kind in MESSAGES[message].items()}
    if message == "WorkerPoolSpec":
        given.pop("pythonPackageSpec")  # one of the two only, as protobuf's JSON wants it
    camel = st.fixed_dictionaries({}, optional=given)
    snake = st.fixed_dictionaries({}, optional={snake_case(name): each for name, each in given.items()})
    return camel | snake


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(bodies("CustomJob"))
def test_normalising_changes_nothing_that_vertex_ais_client_sees(body: dict[str, object]) -> None:
    problems = Problems()

    result = normalised("CustomJob", body, "custom_job", problems)

    assert not problems.found
    assert parsed(result) == parsed(body)


def parsed(body: dict[str, object]) -> object:
    return json_format.ParseDict(body, CustomJob.pb(CustomJob()))
