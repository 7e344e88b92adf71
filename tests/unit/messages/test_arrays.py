"""Arrays as they are asked for: parameters, placeholders, limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poolqueue.messages import BadRequest, as_text, member_body, stored_array
from tests.unit.messages.building import accepted, custom_job, parse, refused, with_container


def asked(array: Any, **container: Any) -> dict[str, Any]:
    return {"job_id": "sweep", "array": array, "custom_job": with_container(**container)}


def members(message: dict[str, Any], *numbers: int) -> list[dict[str, Any]]:
    request = accepted(message)
    assert request.array is not None
    array = stored_array(as_text(request.array.canonical()))
    assert array == request.array, "it comes back from the store as it was"
    return [member_body(request.custom_job, array, n) for n in numbers]


def container_of(body: dict[str, Any]) -> dict[str, Any]:
    return body["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]


def test_the_last_parameter_of_a_grid_varies_fastest() -> None:
    array = accepted(asked({"grid": {"a": [1, 2], "b": ["x", "y", "z"]}})).array
    assert array is not None

    assert array.size == 6
    assert [array.parameters_of(n) for n in (0, 1, 3, 5)] == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "z"},
    ]


def test_a_list_names_each_member_and_a_size_only_counts() -> None:
    listed = accepted(asked({"list": [{"a": 1}, {"a": True}], "max_parallel": 2})).array
    sized = accepted(asked({"size": "10000"})).array

    assert listed is not None
    assert sized is not None
    assert (listed.size, listed.parameters_of(1), listed.max_parallel) == (2, {"a": True}, 2)
    assert (sized.size, sized.parameters_of(9_999)) == (10_000, {})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a b", "a b"),
        (0.1, "0.1"),
        (1e-05, "1e-05"),
        (3, "3"),
        (True, "true"),
        ("", ""),
        ("${HOME}", "${HOME}"),
    ],
)
def test_a_value_stands_as_json_writes_it_and_is_not_looked_at_again(value, text) -> None:
    (body,) = members(asked({"list": [{"v": value}]}, args=["x=${parameters.v}."]), 0)

    assert container_of(body)["args"] == [f"x={text}."]
    assert {"name": "POOL_QUEUE_PARAMETER_V", "value": text} in container_of(body)["env"]


@pytest.mark.parametrize(
    "text", ["${HOME}", "${f%.txt}", "${x:-a.b}", "$(NAME)", "{{$.x}}", "${", "$$", "${1}", "${#a}", "a.b"]
)
def test_what_a_shell_or_vertex_ai_understands_is_left_as_it_is(text: str) -> None:
    (body,) = members(asked({"size": 1}, args=[text]), 0)

    assert container_of(body)["args"] == [text]


def test_an_escaped_placeholder_is_a_literal_one() -> None:
    (body,) = members(asked({"size": 3}, args=["$${array.index} ${array.index}/${array.size}"]), 2)

    assert container_of(body)["args"] == ["${array.index} 2/3"]


def test_placeholders_stand_in_names_arguments_commands_environment_and_output() -> None:
    message = asked(
        {"size": 2},
        command=["run", "${array.index}"],
        args=["${array.index}"],
        env=[{"name": "N", "value": "${array.index}"}],
    )
    message["custom_job"]["displayName"] = "resnet ${array.index}"
    message["custom_job"]["jobSpec"]["baseOutputDirectory"] = {"outputUriPrefix": "gs://b/${array.index}"}

    (body,) = members(message, 1)

    assert body["displayName"] == "resnet 1"
    assert body["jobSpec"]["baseOutputDirectory"] == {"outputUriPrefix": "gs://b/1"}
    assert container_of(body)["command"] == ["run", "1"]
    assert container_of(body)["env"][0] == {"name": "N", "value": "1"}


def test_a_name_without_placeholder_gets_the_number() -> None:
    assert [each["displayName"] for each in members(asked({"size": 2}), 0, 1)] == ["resnet [0]", "resnet [1]"]


@pytest.mark.parametrize(
    ("array", "path", "problem"),
    [
        ([1], "array", "is not a mapping"),
        ({}, "array", "does not say once what its jobs are"),
        ({"size": 1, "list": [{}]}, "array", "does not say once what its jobs are"),
        ({"size": 0}, "array.size", "is not a number of jobs"),
        ({"size": 10_001}, "array", "are more than 10000"),
        ({"grid": {"a": [*range(101)], "b": [*range(100)]}}, "array", "are more than 10000"),
        ({"grid": {}}, "array.grid", "is not a mapping of parameters"),
        ({"grid": {"a": 0.1}}, "array.grid.a", "is not a list of values"),
        ({"grid": {"a": []}}, "array.grid.a", "is not a list of values"),
        ({"grid": {"a": [[1]]}}, "array.grid.a[0]", "is not a single value"),
        ({"grid": {"a": [None]}}, "array.grid.a[0]", "is not a single value"),
        ({"grid": {"a": ["x" * 2049]}}, "array.grid.a[0]", "has more than 2048 characters"),
        ({"grid": {"a-b": [1]}}, "array.grid.a-b", "is not a parameter's name"),
        ({"grid": {"a": [1], "A": [1]}}, "array.grid.a", "differs from another only by its case"),
        ({"grid": {f"p{n}": [1] for n in range(51)}}, "array.grid", "are more than 50"),
        ({"list": []}, "array.list", "is not a list of jobs' parameters"),
        ({"list": [{"a": 1}, {"b": 1}]}, "array.list[1]", "has other parameters"),
        ({"list": [{"a": 1}, 2]}, "array.list[1]", "is not a mapping of parameters"),
        ({"list": [{"a": "x" * 2000, "n": n} for n in range(101)]}, "array", "has 203"),
        ({"size": 1, "max_parallel": 0}, "array.max_parallel", "is not a number of jobs"),
        ({"size": 1, "parallel": 2}, "array.parallel", "is not a field of an array"),
    ],
)
def test_an_array_that_cannot_be_is_refused_by_its_path(array, path, problem) -> None:
    problems = refused(asked(array))

    assert problems[0].path == path
    assert problems[0].problem.startswith(problem)


@pytest.mark.parametrize(
    ("container", "place"),
    [
        ({"imageUri": "r/${array.index}"}, "imageUri"),
        ({"env": [{"name": "${array.index}", "value": ""}]}, "env[0].name"),
        ({"args": ["${parameters.other}"]}, "args[0]"),
        ({"args": ["${array.indx}"]}, "args[0]"),
        ({"args": ["${parameter.lr}"]}, "args[0]"),
        ({"env": [{"name": "POOL_QUEUE_ARRAY_INDEX", "value": "1"}]}, "env[0].name"),
    ],
)
def test_a_placeholder_in_the_wrong_place_or_of_no_parameter_is_refused(container, place) -> None:
    (problem,) = refused(asked({"list": [{"lr": 1}]}, **container))

    assert problem.path == f"custom_job.jobSpec.workerPoolSpecs[0].containerSpec.{place}"


def test_limits_hold_for_the_largest_member() -> None:
    long = {"grid": {"a": ["x" * 100, "y"]}}
    message = asked(long)
    message["custom_job"]["displayName"] = "${parameters.a}${parameters.a}"
    many = asked({"size": 2}, env=[{"name": f"E{n}", "value": ""} for n in range(99)])
    labelled = asked({"size": 2})
    labelled["custom_job"]["labels"] = {f"l{n}": "" for n in range(60)}

    assert refused(message)[0].problem == "has 200 characters, more than 128"
    assert refused(many)[0].problem == "has 101 variables, more than 100"
    assert refused(labelled)[0].problem == "are too many for an array"


def test_max_parallel_over_several_resources_takes_a_serial_key_which_has_its_limits() -> None:
    anywhere = {**asked({"size": 2, "max_parallel": 1000}), "alternatives": ["gpu-b"]}
    keyed = {**anywhere, "serial_key": "k"}
    too_many = {**asked({"size": 2000, "max_parallel": 1001}), "alternatives": ["gpu-b"]}

    assert accepted(anywhere).array is not None
    (problem,) = refused(keyed)
    assert (problem.path, problem.value) == ("serial_key", "k")
    assert problem.remedy == "leave out serial_key, array.max_parallel or alternatives"
    (problem,) = refused(too_many)
    assert (problem.path, problem.value) == ("array.max_parallel", "1001")
    assert problem.remedy == "give at most 1000, or leave out alternatives"


def test_an_attribute_holds_an_array_as_json() -> None:
    request = accepted(custom_job(), {"job_id": "sweep", "array": json.dumps({"size": 3})})

    assert request.array is not None
    assert refused(custom_job(), {"array": "three"})[0].path == "attributes.array"


def test_another_array_is_another_request() -> None:
    digests = {
        accepted(asked(array)).digest for array in ({"size": 2}, {"size": 3}, {"size": 2, "max_parallel": 1})
    }

    assert len(digests) == 3
    assert accepted(asked({"size": 2})).digest == accepted(asked({"size": "2"})).digest
    assert accepted(asked({"size": 1})).digest != accepted({"custom_job": with_container()}).digest


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3),
    max_leaves=8,
)


@given(
    VALUES
    | st.dictionaries(st.sampled_from(["grid", "list", "size", "max_parallel"]), VALUES, max_size=3)
    | st.builds(lambda values: {"grid": {"a": values}}, st.lists(VALUES, max_size=4))
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_asked_for_is_a_request_or_refused(array: Any) -> None:
    parsed = parse(asked(array, args=["${parameters.a} ${array.size}"]))

    assert isinstance(parsed, BadRequest) or parsed.array is None or 1 <= parsed.array.size <= 10_000
