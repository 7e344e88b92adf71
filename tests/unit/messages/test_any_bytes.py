from __future__ import annotations

import json
import string

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poolqueue.messages import (
    BadCommand,
    BadRequest,
    Command,
    JobRequest,
    parse_command,
    parse_request,
)
from poolqueue.requests.fields import MESSAGES
from tests.unit.messages.building import custom_job

KEYS = sorted(
    {name for each in MESSAGES.values() for name in each} | {"job_id", "priority", "custom_job", "labels"}
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["1", "3600s", "gpu-a", "NVIDIA_L4", "-0", "1e9", "projects/p/locations/l/persistentResources/x"]
    )
)
TREES = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(string.printable, max_size=8), below, max_size=6)
    ),
    max_leaves=25,
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["job_id", "priority", "display_name", "googclient_x", "traceparent"])
    | st.text(max_size=8),
    st.text(max_size=20),
    max_size=4,
)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def check(message: bytes, attributes: dict[str, str]) -> None:
    parsed = parse_request(message, attributes, default_job_id="derived", project="p", location="l")

    match parsed:
        case BadRequest():
            assert parsed.problems
            assert all(len(each.value) <= 120 and each.value.isprintable() for each in parsed.problems)
            assert all(each.path.isprintable() for each in parsed.problems)
        case JobRequest():
            json.dumps(parsed.custom_job, allow_nan=False).encode()
    json.dumps([each.__dict__ for each in getattr(parsed, "problems", ())]).encode()
    command = parse_command(message, attributes, default_id="derived")
    assert isinstance(command, Command | BadCommand)


@MANY
@given(st.binary(max_size=300), ATTRIBUTES)
def test_any_bytes_are_answered(message: bytes, attributes: dict[str, str]) -> None:
    check(message, attributes)


@MANY
@given(st.text("{}[]:,\"'\\ \n-?&*!|>%@`#~0123456789eE.+truefalsn", max_size=80), ATTRIBUTES)
def test_any_punctuation_is_answered(text: str, attributes: dict[str, str]) -> None:
    check(text.encode(), attributes)


@MANY
@given(TREES, ATTRIBUTES, st.sampled_from([json.dumps, yaml.safe_dump]))
def test_any_tree_is_answered(tree: object, attributes: dict[str, str], write: object) -> None:
    assert callable(write)
    check(write(tree).encode("utf-8", "surrogatepass"), attributes)


@MANY
@given(st.lists(st.sampled_from(KEYS), min_size=1, max_size=4), TREES)
def test_a_request_with_anything_put_anywhere_is_answered(place: list[str], tree: object) -> None:
    request: dict = {"custom_job": custom_job()}
    at = request
    for key in place[:-1]:
        at = at.setdefault(key, {}) if isinstance(at, dict) else {}
    if isinstance(at, dict):
        at[place[-1]] = tree
    check(json.dumps(request).encode(), {})


@MANY
@given(TREES)
def test_a_worker_pool_spec_of_anything_is_answered(tree: object) -> None:
    check(json.dumps(custom_job(workerPoolSpecs=[tree, tree])).encode(), {})


@MANY
@given(st.data())
def test_a_request_damaged_by_one_byte_is_answered(data: st.DataObject) -> None:
    whole = bytearray(json.dumps({"job_id": "j", "custom_job": custom_job()}).encode())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))

    check(bytes(whole), {})
