from __future__ import annotations

import contextlib
import json
import sys
import time

import pytest

from poolqueue.requests.reading import MOST_BYTES, Unreadable, read_mapping
from tests.unit.messages.building import custom_job


def why_unreadable(message: bytes) -> str:
    with pytest.raises(Unreadable) as caught:
        read_mapping(message)
    return caught.value.problem


def nested(levels: int, opening: str, closing: str) -> bytes:
    return (opening * levels + "1" + closing * levels).encode()


BILLION_LAUGHS = b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"", "empty"),
        (b"   \n", "empty"),
        (b"# only a comment", "single value"),
        (b"hello", "single value"),
        (b"[1, 2]", "a list"),
        (b"- a\n- b", "a list"),
        (b"\xff\xfe{}", "byte 0 is not UTF-8"),
        ('{"a": "ü"}'.encode("latin-1"), "is not UTF-8"),
        (b'{"a": 1, "a": 2}', "a key appears twice"),
        (b"a: 1\na: 2", "a key appears twice"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "a key appears twice"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": -Infinity}', "-Infinity is not a JSON number"),
        (b'{"a": 1e999}', "too large"),
        (b"a: 1e999", "too large"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "5000 digits"),
        (b"a: " + b"9" * 5_000, "5000 digits"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"a": "\\ud800"}', "half a surrogate pair"),
        (b'{"\\udfff": 1}', "half a surrogate pair"),
        (b"a: !!python/object/apply:os.system [ls]", "YAML tags"),
        (b"a: !!str 1", "YAML tags"),
        (b"a: ! 1", "YAML tags"),
        (b"a: &x 1", "YAML anchors"),
        (b"a: *x", "YAML aliases"),
        (BILLION_LAUGHS, "YAML anchors"),
        (b"a: 1\n---\na: 2", "several YAML documents"),
        (b"1: a", "a key of a mapping is not a string"),
        (b"? [a]\n: b", "a key of a mapping is not a string"),
        (b"a: b: c", "not YAML (line 1"),
        (b"a: \x01", "not YAML"),
        (b'{"a": 1,', "not JSON (line 1"),
        (nested(33, '{"a":', "}"), "deeper than 32"),
        (nested(100_000, "[", "]"), "deeper than 32"),
        (b'{"a":' * 40_000, "deeper than 32"),
        (b"- " * 100_000, "deeper than 32"),
        (b"{a: " * 60_000, "deeper than 32"),
        (b"{" + b" " * MOST_BYTES + b"}", "more than 262144"),
    ],
)
def test_what_is_no_message_is_refused_with_its_reason(message: bytes, why: str) -> None:
    assert why in why_unreadable(message)


def test_a_list_of_plain_mappings_nested_to_the_limit_is_read() -> None:
    assert read_mapping(nested(32, '{"a":', "}"))


def test_brackets_in_strings_are_not_nesting() -> None:
    text = '["' * 100 + "\\"

    assert read_mapping(json.dumps({"a": text}).encode()) == {"a": text}


def test_a_message_of_exactly_the_most_bytes_is_read() -> None:
    frame = len(b'{"a":""}')

    assert read_mapping(b'{"a":"' + b"x" * (MOST_BYTES - frame) + b'"}')


def test_a_byte_order_mark_is_skipped() -> None:
    assert read_mapping(b"\xef\xbb\xbf" + b'{"a": 1}') == {"a": 1}


def test_yaml_knows_only_the_scalars_of_json() -> None:
    read = read_mapping(
        b"""
words: [yes, No, on, True, .nan, .inf, ~, null, true, false]
numbers: [1, -2, 1.5, 1e3]
looks_like: [012, 0x1F, 1_000, "1", 1:30, 2026-11-23, 2026-11-23T10:00:00Z, +1, .5, 1.]
empty:
text: |
  1
  2
<<: merged
"""
    )

    assert read == {
        "words": ["yes", "No", "on", "True", ".nan", ".inf", None, None, True, False],
        "numbers": [1, -2, 1.5, 1000.0],
        "looks_like": [
            "012", "0x1F", "1_000", "1", "1:30", "2026-11-23", "2026-11-23T10:00:00Z", "+1", ".5", "1.",
        ],
        "empty": None,
        "text": "1\n2\n",
        "<<": "merged",
    }  # fmt: skip


def test_yaml_in_flow_style_is_read_though_it_begins_like_json() -> None:
    assert read_mapping(b"{a: [x, 1], 'b': c}") == {"a": ["x", 1], "b": "c"}


def test_json_and_yaml_of_one_custom_job_read_the_same() -> None:
    yaml = b"""
displayName: resnet
jobSpec:
  persistentResourceId: gpu-a
  workerPoolSpecs:
  - machineSpec: {machineType: n1-standard-4}
    replicaCount: 1
    containerSpec:
      imageUri: europe-docker.pkg.dev/p/r/train:1
      args: ["--lr=0.1"]
"""

    assert read_mapping(yaml) == custom_job()


@pytest.mark.parametrize(
    "message",
    [
        b'{"\\"' * 60_000,
        b'"\\"' * 80_000,
        b"{" + b'"' * 200_000,
        b"{" + b"a, " * 80_000 + b"}",
        b"a: '" + b"x" * 200_000,
        b'"' + b"\n" * 200_000 + b'"',
        b"---\n" * 60_000,
        b"%" * 200_000,
        b"a:\n" + b"".join(b"  k%d: v\n" % i for i in range(18_000)),
        b"[" * 31 + b'"a",' * 50_000,
        b"a: " + b"x " * 120_000,
        b"? " * 31 + b"a: b\n" * 40_000,
    ],
)
def test_hostile_text_is_answered_quickly(message: bytes) -> None:
    began = time.process_time()
    with contextlib.suppress(Unreadable):
        read_mapping(message)
    assert time.process_time() - began < 3


def test_deep_json_is_refused_even_with_little_stack_left() -> None:
    def deeper(levels: int) -> str:
        return deeper(levels - 1) if levels else why_unreadable(b"[" * 200_000)

    assert "deeper" in deeper(sys.getrecursionlimit() - 400)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (b"job_id: a\nenv:\n  hunter2: 1\n  other: 2\n  hunter2: 3\n", "line 5"),
        (b'{"job_id": "a",\n "env": {"hunter2": 1,\n "hunter2": 2}}', "line 3"),
        (b'{"env": {"hunter2": 1, "hunter2": 2}, "t\\/": 1}', "line 1"),
        (b"{env: {hunter2: [1,\n2], hunter2: {}}}", "line 2"),
    ],
)
def test_a_key_given_twice_is_told_by_its_line_and_never_quoted(message: bytes, line: str) -> None:
    told = why_unreadable(message)

    assert "twice" in told
    assert line in told
    assert "hunter2" not in told
