"""Walks a custom job by the field table: one spelling for each field, unknown ones named, types checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from poolqueue.requests.collecting import Problems
from poolqueue.requests.durations import BadDuration, canonical_duration
from poolqueue.requests.fields import ENUMS, MESSAGES, OUTPUT_ONLY
from poolqueue.scheduling.problems import shortened

LONGEST_GUESS = 80

_INTEGER_BITS = {"int32": 31, "int64": 63}
_SETTINGS = (
    "job_id", "priority", "expected_run", "min_run", "max_preemptions", "not_before", "deadline", "max_wait",
    "depends_on", "on_failed_dependency", "serial_key", "serial_limit", "alternatives",
)  # fmt: skip
_TYPE_NAMES = {"string": "a string", "bool": "true or false", "map": "a mapping of strings to strings"}


def snake_case(camel: str) -> str:
    return re.sub(r"[A-Z]", lambda found: "_" + found.group().lower(), camel)


_SPELLINGS = {
    message: {spelling: name for name in fields for spelling in (name, snake_case(name))}
    for message, fields in MESSAGES.items()
}
_OUTPUT_SPELLINGS = {spelling for name in OUTPUT_ONLY for spelling in (name, snake_case(name))}


def known_spelling(message: str, key: str) -> str | None:
    """The camelCase name of the field that `key` spells in either case, or None."""
    return _SPELLINGS[message].get(key)


def normalised(message: str, given: Any, path: str, problems: Problems) -> dict[str, Any]:
    """`given` as the REST body of `message`: camelCase, enums as names, int64 as decimal strings, no nulls.

    What is wrong goes to `problems`, and the field is left out.
    """
    if not isinstance(given, Mapping):
        problems.add(path, given, "is not a mapping", f"give the fields of {message}")
        return {}
    fields: dict[str, Any] = {}
    seen: set[str] = set()
    for key, value in given.items():
        name = known_spelling(message, key)
        if name is None:
            _refuse_unknown(message, key, path, problems)
        elif name in seen:
            problems.add(f"{path}.{name}", key, "is given twice, in two spellings", f"keep only {name}")
        elif value is not None:
            seen.add(name)
            _put(fields, name, _value(MESSAGES[message][name], value, f"{path}.{name}", problems))
    return fields


def _put(fields: dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        fields[name] = value


def _refuse_unknown(message: str, key: str, path: str, problems: Problems) -> None:
    problem, remedy = _unknown(message, key, problems)
    if message == "EnvVar":  # where the name and value of a secret go astray
        problems.add(f"{path}.(hidden)", key, problem, remedy)
        return
    problems.add(f"{path}.{shortened(key)}", key, problem, remedy)


def _unknown(message: str, key: str, problems: Problems) -> tuple[str, str]:
    """What is wrong with a key that is no field of `message`, and what to do."""
    if message == "CustomJob" and key in _OUTPUT_SPELLINGS:
        return "is set by Vertex AI and cannot be given", "leave it out"
    if message == "CustomJob" and key in _SETTINGS:
        remedy = "put it in an envelope beside custom_job, or in the message's attributes"
        return "is a setting of the queue", remedy
    if message == "CustomJob" and known_spelling("CustomJobSpec", key):
        return "is a field of CustomJobSpec", "put it in jobSpec"
    return f"is not a field of {message}", did_you_mean(key, MESSAGES[message], problems)


def did_you_mean(key: str, known: Iterable[str], problems: Problems) -> str:
    """A remedy that names what of `known` is nearest to `key`, or all of it."""
    import difflib  # noqa: PLC0415 - only needed by refusals

    if problems.is_full or len(key) > LONGEST_GUESS:
        return "leave it out"
    plain = {_plain(name): name for name in known}
    near = difflib.get_close_matches(_plain(key), plain, n=1)
    return (
        f"did you mean {plain[near[0]]}?" if near else f"leave it out; known are {', '.join(sorted(known))}"
    )


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _value(kind: str, given: Any, path: str, problems: Problems) -> Any:
    if kind.endswith("[]"):
        return _list(kind.removesuffix("[]"), given, path, problems)
    if kind in MESSAGES:
        return normalised(kind, given, path, problems)
    if kind in ENUMS:
        return _enum(ENUMS[kind], given, path, problems)
    match kind:
        case "int32" | "int64":
            return _integer(kind, given, path, problems)
        case "duration":
            return _duration(given, path, problems)
        case "map":
            return _map(given, path, problems)
        case _:
            return _scalar(kind, given, path, problems)


def _list(kind: str, given: Any, path: str, problems: Problems) -> list[Any] | None:
    if kind == "WorkerPoolSpec" and isinstance(given, Mapping):
        given = [given]  # gcloud takes one worker pool spec for a list of one, and its help shows that form
    if not isinstance(given, list):
        problems.add(path, given, "is not a list", "give a list, even of one")
        return None
    if kind != "string":
        return [normalised(kind, item, f"{path}[{index}]", problems) for index, item in enumerate(given)]
    return [_scalar(kind, item, f"{path}[{index}]", problems) for index, item in enumerate(given)]


def _scalar(kind: str, given: Any, path: str, problems: Problems) -> Any:
    if isinstance(given, bool if kind == "bool" else str):
        return given
    quoted = kind == "string" and isinstance(given, bool | int | float)
    problems.add(
        path,
        given,
        f"is not {_TYPE_NAMES[kind]}",
        "put it in quotes" if quoted else f"give {_TYPE_NAMES[kind]}",
    )
    return None


def _map(given: Any, path: str, problems: Problems) -> dict[str, str] | None:
    if not isinstance(given, Mapping):
        problems.add(path, given, f"is not {_TYPE_NAMES['map']}", f"give {_TYPE_NAMES['map']}")
        return None
    entries: dict[str, str] = {}
    for key, value in given.items():
        _put(entries, key, _scalar("string", value, f"{path}.{shortened(key)}", problems))
    return entries


def _integer(kind: str, given: Any, path: str, problems: Problems) -> int | str | None:
    value = whole_number(given)
    if value is None:
        problems.add(path, given, "is not a whole number", "give a whole number")
        return None
    if not -(1 << _INTEGER_BITS[kind]) <= value < 1 << _INTEGER_BITS[kind]:
        problems.add(path, given, f"does not fit {kind}", "give a smaller number")
        return None
    return str(value) if kind == "int64" else value


def whole_number(given: object) -> int | None:
    """`given` as an int when it is a number without a fraction, or decimal digits; else None."""
    match given:
        case bool():
            return None
        case int():
            return given
        case float():
            return int(given) if given.is_integer() else None
        case str():
            return int(given) if re.fullmatch(r"-?(0|[1-9][0-9]{0,18})", given) else None
        case _:
            return None


def _enum(numbers: Mapping[str, int], given: Any, path: str, problems: Problems) -> str | None:
    if isinstance(given, str) and given in numbers:
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        for name, number in numbers.items():
            if number == given:
                return name
    key = given if isinstance(given, str) else ""
    problems.add(path, given, "is not a known value", did_you_mean(key, numbers, problems))
    return None


def _duration(given: Any, path: str, problems: Problems) -> str | None:
    try:
        return canonical_duration(given)
    except BadDuration as error:
        problems.add(path, given, str(error), 'give seconds from 0 to 10 years, such as "3600s"')
        return None
