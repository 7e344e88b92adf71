"""Turns a message's bytes into plain JSON values, in bounded time and memory whatever the bytes are.

YAML is read in JSON style: the only plain scalars that are not strings are `true`, `false`, `null`, nothing,
and numbers as JSON writes them. So `yes`, `012`, `1:30` and `2026-11-23` stay strings. Tags, anchors,
aliases, several documents and duplicate keys are refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

MOST_BYTES = 256 * 1024
MOST_DEPTH = 32
MOST_DIGITS = 40

# A string need not be closed to match, so that no later quote makes the search start over.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Unreadable(Exception):
    """The bytes are no message; `problem` says why without quoting them, `remedy` what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def read_mapping(message: bytes) -> dict[str, Any]:
    """The mapping that `message` holds as JSON or YAML. Raises `Unreadable`."""
    text = _text(message)
    value = _json_or_yaml(text)
    _check_strings(value)
    if isinstance(value, dict):
        return value
    kind = "a list" if isinstance(value, list) else "a single value" if text.strip() else "empty"
    raise Unreadable(f"the message is {kind}, not a mapping", "send one mapping per message, as JSON or YAML")


def _text(message: bytes) -> str:
    if len(message) > MOST_BYTES:
        raise Unreadable(
            f"the message has {len(message)} bytes, more than {MOST_BYTES}",
            "move what is large out of the request, for example to Cloud Storage",
        )
    try:
        return message.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start} is not UTF-8", "send the message as UTF-8") from error


def read_json(text: str) -> Any:
    """The value that `text` holds as JSON. Raises `Unreadable`."""
    try:
        value = _read_json(text)
    except json.JSONDecodeError as error:
        raise Unreadable(f"not JSON (column {error.colno}: {error.msg})", "write it as JSON") from error
    _check_strings(value)
    return value


class _GivenTwice(Unreadable):
    """A key appears twice in one mapping. It is not told: a value written in the wrong place would be."""

    def __init__(self, line: int | None = None) -> None:
        at = "" if line is None else f" (again on line {line})"
        super().__init__(f"a key appears twice in one mapping{at}", "keep one of the two")


def _json_or_yaml(text: str) -> Any:
    looks_like_json = text.lstrip()[:1] in ("{", "[")
    try:
        return _read_json(text) if looks_like_json else _read_yaml(text)
    except _GivenTwice as error:
        raise (_placed(text) if looks_like_json else error) from error
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}: {error.msg}"
    try:
        return _read_yaml(text)
    except Unreadable as error:
        raise Unreadable(f"not JSON ({at}), and as YAML: {error.problem}", error.remedy) from error


def _placed(text: str) -> _GivenTwice:
    """With the line, which only YAML's reader knows, if it reads this JSON at all."""
    try:
        _read_yaml(text)
    except _GivenTwice as error:
        return error
    except Unreadable:
        pass
    return _GivenTwice()


def _check_depth(depth: int) -> None:
    if depth > MOST_DEPTH:
        raise Unreadable(
            f"nested deeper than {MOST_DEPTH} levels", "send a custom job as Vertex AI documents it"
        )


def _check_strings(value: Any) -> None:
    match value:
        case str():
            if _UNSTORABLE.search(value):
                raise Unreadable("a string holds NUL or half a surrogate pair", "take that character out")
        case dict():
            for key, below in value.items():
                _check_strings(key)
                _check_strings(below)
        case list():
            for below in value:
                _check_strings(below)


# --- JSON ------------------------------------------------------------------------------------------------


def _read_json(text: str) -> Any:
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found.group()[0], 0)
        _check_depth(depth)
    return json.loads(
        text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in pairs:
        if key in fields:
            raise _GivenTwice
        fields[key] = value
    return fields


def _integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise Unreadable(f"a number has {len(text)} digits", "no field takes a number that long")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Unreadable("a number is too large", "no field takes a number that large")
    return value


def _constant(text: str) -> float:
    raise Unreadable(f"{text} is not a JSON number", "no field takes it; leave the field out")


# --- YAML ------------------------------------------------------------------------------------------------


def _read_yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - most messages are JSON, and a cold start should not pay for YAML

    parser = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _document(yaml.parse(text, Loader=parser))
    except yaml.MarkedYAMLError as error:
        at = f"line {error.problem_mark.line + 1}" if error.problem_mark else "some line"
        raise Unreadable(f"not YAML ({at}: {error.problem})", "check the indentation and quotes") from error
    except yaml.YAMLError as error:
        raise Unreadable(
            "not YAML (a character that YAML does not allow)", "take the character out"
        ) from error


def _document(events: Iterator[Any]) -> Any:
    """The one document of `events`, built without recursion."""
    documents: list[Any] = []
    open_nodes: list[_Node] = []
    for event in events:
        match type(event).__name__:
            case "ScalarEvent":
                _refuse_tags_and_anchors(event)
                _place(open_nodes, documents, _scalar(event), event)
            case "SequenceStartEvent" | "MappingStartEvent" as kind:
                _refuse_tags_and_anchors(event)
                open_nodes.append(_Node(is_mapping=kind == "MappingStartEvent"))
                _check_depth(len(open_nodes))
            case "SequenceEndEvent" | "MappingEndEvent":
                closed = open_nodes.pop()
                _place(open_nodes, documents, closed.value, event)
            case "AliasEvent":
                raise Unreadable("YAML aliases are not accepted", "write the value out where it is needed")
            case _:
                pass
    if len(documents) > 1:
        raise Unreadable("the message holds several YAML documents", "send one job request per message")
    return documents[0] if documents else None


class _Node:
    """A mapping or list that is being filled; `key` is the mapping's key that waits for its value."""

    def __init__(self, *, is_mapping: bool) -> None:
        self.value: dict[str, Any] | list[Any] = {} if is_mapping else []
        self.key: str | None = None

    def place(self, value: Any, line: int) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is not None:
            self.value[self.key] = value
            self.key = None
        elif isinstance(value, str):
            if value in self.value:
                raise _GivenTwice(line)
            self.key = value
        else:
            raise Unreadable("a key of a mapping is not a string", "put the key in quotes")


def _place(open_nodes: list[_Node], documents: list[Any], value: Any, event: Any) -> None:
    if open_nodes:
        open_nodes[-1].place(value, event.start_mark.line + 1)
    else:
        documents.append(value)


def _refuse_tags_and_anchors(event: Any) -> None:
    if event.tag is not None:
        raise Unreadable("YAML tags are not accepted", "take the tag (!...) out")
    if event.anchor is not None:
        raise Unreadable("YAML anchors are not accepted", "write the value out where it is needed")


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.style:  # quoted, or a block of text
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    return _float(text) if _NUMBER.fullmatch(text) else text
