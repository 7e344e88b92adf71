"""Placeholders such as `${data.name}`: where they may stand in a trigger's template, and what an event puts
there; those of an array, such as `${parameters.lr}`, are written alike. `$${` is a literal `${`.

Substitution works on the parsed template, never on text: a value becomes part of one string, is not looked
at again, and cannot become a key, a list or another field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from poolqueue.requests.collecting import Problems

LONGEST_VALUE = 2_048
LONGEST_RESULT = 20_000

TOKEN = re.compile(r"\$\$\{|\$\{[^{}]*\}|\$\{")
ESCAPED, LITERAL = "$${", "${"

_NAME = re.compile(
    r"event\.(?:id|source|type|subject|time)|(?:attributes|data)(?:\.[A-Za-z_][A-Za-z0-9_-]*)+"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Whoever may cause an event must not choose what runs, as whom, or where.
_CLOSED_FIELDS = frozenset(
    {
        "imageUri", "executorImageUri", "packageUris", "pythonModule", "command", "serviceAccount",
        "network", "persistentResourceId", "alternatives", "kmsKeyName", "name", "array",
    }
)  # fmt: skip
_SHELL_SCRIPT = re.compile(r"-[a-zA-Z]*c")

Lookup = Callable[[str], object]


def check_placeholders(template: Any, path: str, problems: Problems) -> None:
    """Adds to `problems` what is wrong with the placeholders of a template."""
    for place, text, is_key in texts_in(template, path):
        names = TOKEN.findall(text)
        if names and is_key:
            problems.add(place, text, "is a key with a placeholder", "placeholders stand in values only")
        for name in names:
            if name != ESCAPED and not _NAME.fullmatch(name[2:-1]):
                remedy = "use ${event.id}, ${attributes.NAME} or ${data.FIELD}; for a literal ${ write $${"
                problems.add(place, name, "is not a placeholder", remedy)
    for place, text, remedy in _closed_texts(template, path):
        if any(name != ESCAPED for name in TOKEN.findall(text)):
            problems.add(place, text, "may not come from an event", remedy)


def substituted(template: Any, lookup: Lookup, path: str, problems: Problems) -> Any:
    """`template` with each placeholder replaced by what `lookup` says of its name."""
    return with_texts(template, path, lambda text, place: _filled(text, lookup, place, problems))


def with_texts(value: Any, path: str, fill: Callable[[str, str], str]) -> Any:
    """`value` with each string below it, keys aside, replaced by what `fill` makes of it at its path."""
    match value:
        case str():
            return fill(value, path)
        case dict():
            return {key: with_texts(each, f"{path}.{key}", fill) for key, each in value.items()}
        case list():
            return [with_texts(each, f"{path}[{i}]", fill) for i, each in enumerate(value)]
        case _:
            return value


def _filled(text: str, lookup: Lookup, path: str, problems: Problems) -> str:
    def put(found: re.Match[str]) -> str:
        return LITERAL if found.group() == ESCAPED else _value(found.group(), lookup, path, problems)

    result = TOKEN.sub(put, text)
    if len(result) > LONGEST_RESULT:
        problems.add(path, result, f"has more than {LONGEST_RESULT} characters", "use fewer placeholders")
    return result


def _value(placeholder: str, lookup: Lookup, path: str, problems: Problems) -> str:
    value = lookup(placeholder[2:-1])
    match value:
        case bool():
            text = "true" if value else "false"
        case str() | int() | float():
            text = str(value) if not isinstance(value, int) or value.bit_length() < LONGEST_VALUE else ""
        case _:
            text = ""
    if not text:
        problems.add(path, placeholder, "has no value in this event", "use a field that every such event has")
    elif len(text) > LONGEST_VALUE:
        problems.add(path, placeholder, f"is longer than {LONGEST_VALUE} characters", "use a shorter field")
    elif _CONTROL.search(text):
        problems.add(path, placeholder, "holds a control character", "rename what the event is about")
    return text


# --- walking a template ----------------------------------------------------------------------------------


def texts_in(value: Any, path: str) -> Iterator[tuple[str, str, bool]]:
    """Each string below `value` with its path, and whether it is a key."""
    match value:
        case str():
            yield path, value, False
        case dict():
            for key, each in value.items():
                yield f"{path}.{key}", key, True
                yield from texts_in(each, f"{path}.{key}")
        case list():
            for index, each in enumerate(value):
                yield from texts_in(each, f"{path}[{index}]")


def _closed_texts(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """The strings below `value` that no event may choose, with a remedy each."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _closed_texts(each, f"{path}[{index}]")
    if isinstance(value, dict):
        for key, each in value.items():
            if _camel(key) in _CLOSED_FIELDS:
                for place, text, _ in texts_in(each, f"{path}.{key}"):
                    yield place, text, "write it out; put what varies into args or env"
            yield from _closed_texts(each, f"{path}.{key}")
        yield from _shell_scripts(value, path)


def _shell_scripts(container: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    command, arguments = container.get("command"), container.get("args")
    if not isinstance(arguments, list):
        return
    before = command[-1] if isinstance(command, list) and command else ""
    for index, argument in enumerate(arguments):
        if isinstance(before, str) and _SHELL_SCRIPT.fullmatch(before) and isinstance(argument, str):
            yield f"{path}.args[{index}]", argument, 'a shell would run it; pass it in env and write "$NAME"'
        before = argument


def _camel(key: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found.group(1).upper(), key)
