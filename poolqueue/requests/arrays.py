"""The setting `array`: how many jobs a request is for, with which parameters, and where these may stand.

In the custom job, `${array.index}`, `${array.size}` and `${parameters.NAME}` are placeholders, written as
those of triggers are. What has no dot after its first word is no placeholder but a shell's, and is left as it
is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from poolqueue.requests.collecting import Problems
from poolqueue.requests.limits import MOST_LABELS, check_limits
from poolqueue.requests.normalising import did_you_mean, whole_number
from poolqueue.requests.placeholders import ESCAPED, LITERAL, LONGEST_VALUE, TOKEN, texts_in, with_texts
from poolqueue.scheduling.arrays import MOST_MEMBERS
from poolqueue.scheduling.problems import shortened

ARRAY_KEYS = ("grid", "list", "size", "max_parallel")
MOST_PARAMETERS = 50
MOST_PARAMETER_BYTES = 200_000
PARAMETER_RULE = "[A-Za-z][A-Za-z0-9_]{0,39}"
VARIABLES = "POOL_QUEUE_ARRAY_"
PARAMETER_VARIABLES = "POOL_QUEUE_PARAMETER_"

_PARAMETER = re.compile(PARAMETER_RULE)
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*\.[^{}]*)\}")
_OPEN_FIELDS = re.compile(
    r"custom_job\.(?:displayName|jobSpec\.baseOutputDirectory\.outputUriPrefix"
    r"|jobSpec\.workerPoolSpecs\[\d+\]\."
    r"(?:containerSpec|pythonPackageSpec)\.(?:args\[\d+\]|command\[\d+\]|env\[\d+\]\.value))"
)

Parameters = Mapping[str, Any]
_Given = tuple[str, Any]


@dataclass(frozen=True, kw_only=True)
class ArrayRequest:
    """`grid` has the values of each parameter, the last one varying fastest; `listed` the parameters of each
    member. An array with neither is `size` members that differ by their numbers alone.
    """

    size: int
    max_parallel: int | None = None
    grid: Mapping[str, Sequence[Any]] | None = None
    listed: Sequence[Parameters] | None = None

    @property
    def names(self) -> list[str]:
        if self.grid is not None:
            return [*self.grid]
        return [*self.listed[0]] if self.listed else []

    def parameters_of(self, index: int) -> dict[str, Any]:
        """Those of one member."""
        if self.listed is not None:
            return dict(self.listed[index])
        chosen: dict[str, Any] = {}
        for name, values in reversed([*(self.grid or {}).items()]):
            index, place = divmod(index, len(values))
            chosen[name] = values[place]
        return {name: chosen[name] for name in self.grid or {}}

    def longest(self) -> dict[str, Any]:
        """Of each parameter the value that takes the most room."""
        if self.grid is not None:
            return {name: max(values, key=_length) for name, values in self.grid.items()}
        return {name: max((each[name] for each in self.listed or ()), key=_length) for name in self.names}

    def canonical(self) -> dict[str, Any]:
        """As it is stored, and as it counts for whether two requests are the same."""
        fields = {"grid": self.grid, "list": self.listed, "max_parallel": self.max_parallel}
        if self.grid is None and self.listed is None:
            fields["size"] = self.size
        return {key: value for key, value in fields.items() if value is not None}


def stored_array(text: str) -> ArrayRequest:
    """From its canonical form as JSON, with the values in their order."""
    fields = json.loads(text)
    grid, listed = fields.get("grid"), fields.get("list")
    size = math.prod(len(values) for values in grid.values()) if grid else len(listed or ())
    return ArrayRequest(
        size=size or fields["size"], max_parallel=fields.get("max_parallel"), grid=grid, listed=listed
    )


# --- reading the setting ---------------------------------------------------------------------------------


def read_array(given: Mapping[str, _Given], problems: Problems) -> ArrayRequest | None:
    """The array that the settings ask for; None, perhaps with problems, if they ask for none that can be."""
    path, value = given.get("array", ("", None))
    if value is None:
        return None
    if not isinstance(value, dict):
        problems.add(path, value, "is not a mapping", f"give {', '.join(ARRAY_KEYS)}")
        return None
    before = len(problems.found)
    for key in value:
        if key not in ARRAY_KEYS:
            remedy = did_you_mean(key, ARRAY_KEYS, problems)
            problems.add(f"{path}.{shortened(key)}", key, "is not a field of an array", remedy)
    array = _array(path, value, problems)
    if array is not None and len(problems.found) == before:
        _check_size(path, array, problems)
    return array if len(problems.found) == before else None


def _array(path: str, value: Mapping[str, Any], problems: Problems) -> ArrayRequest | None:
    kinds = [key for key in ("grid", "list", "size") if value.get(key) is not None]
    if len(kinds) != 1:
        told = " and ".join(kinds) or "none of grid, list and size"
        problems.add(path, told, "does not say once what its jobs are", "give grid, list or size")
        return None
    at_once = _max_parallel(path, value.get("max_parallel"), problems)
    kind = kinds[0]
    place, found = f"{path}.{kind}", value[kind]
    match kind:
        case "grid":
            grid = _grid(place, found, problems)
            size = math.prod(len(values) for values in grid.values() if isinstance(values, list))
            return ArrayRequest(size=size, max_parallel=at_once, grid=grid)
        case "list":
            listed = _listed(place, found, problems)
            return ArrayRequest(size=len(listed), max_parallel=at_once, listed=listed)
        case _:
            number = whole_number(found)
            if number is None or number < 1:
                problems.add(place, found, "is not a number of jobs", f"give 1 to {MOST_MEMBERS}")
            return ArrayRequest(size=number or 0, max_parallel=at_once)


def _max_parallel(path: str, given: Any, problems: Problems) -> int | None:
    number = whole_number(given)
    if given is not None and (number is None or number < 1):
        remedy = "give a whole number from 1 on, or leave it out for no limit"
        problems.add(f"{path}.max_parallel", given, "is not a number of jobs", remedy)
    return number


def _grid(path: str, given: Any, problems: Problems) -> dict[str, list[Any]]:
    if not isinstance(given, dict) or not given:
        problems.add(path, given, "is not a mapping of parameters", 'give lists: {"lr": [0.1, 0.01]}')
        return {}
    _check_names(path, [*given], problems)
    for name, values in given.items():
        place = f"{path}.{shortened(name)}"
        if not isinstance(values, list) or not values:
            problems.add(place, values, "is not a list of values", "give at least one value in a list")
            continue
        for index, value in enumerate(values):
            _check_value(f"{place}[{index}]", value, problems)
    return given


def _listed(path: str, given: Any, problems: Problems) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not given:
        problems.add(path, given, "is not a list of jobs' parameters", 'give a list: [{"lr": 0.1}]')
        return []
    first = given[0] if isinstance(given[0], dict) else {}
    _check_names(f"{path}[0]", [*first], problems)
    for index, entry in enumerate(given):
        place = f"{path}[{index}]"
        if not isinstance(entry, dict):
            problems.add(place, entry, "is not a mapping of parameters", 'give a mapping: {"lr": 0.1}')
        elif entry.keys() != first.keys():
            remedy = f"give each job {', '.join(map(shortened, first)) or 'none'}, as the first one has"
            problems.add(place, ", ".join(map(shortened, entry)), "has other parameters", remedy)
        else:
            for name, value in entry.items():
                _check_value(f"{place}.{shortened(name)}", value, problems)
        if problems.is_full:
            break
    return given


def _check_names(path: str, names: Sequence[str], problems: Problems) -> None:
    if len(names) > MOST_PARAMETERS:
        problems.add(path, f"{len(names)} parameters", f"are more than {MOST_PARAMETERS}", "give fewer")
        return
    for name in names:
        if not _PARAMETER.fullmatch(name):
            remedy = f"use {PARAMETER_RULE}"
            problems.add(f"{path}.{shortened(name)}", name, "is not a parameter's name", remedy)
        elif sum(name.upper() == other.upper() for other in names) > 1:
            remedy = f"rename one: both would be {PARAMETER_VARIABLES}{name.upper()}"
            problems.add(f"{path}.{name}", name, "differs from another only by its case", remedy)


def _check_value(path: str, value: Any, problems: Problems) -> None:
    if not isinstance(value, str | int | float | bool):
        problems.add(path, value, "is not a single value", "give a string, a number, true or false")
    elif _length(value) > LONGEST_VALUE:
        remedy = "put what is long in Cloud Storage and pass its name"
        problems.add(path, value, f"has more than {LONGEST_VALUE} characters", remedy)


def _check_size(path: str, array: ArrayRequest, problems: Problems) -> None:
    if array.size > MOST_MEMBERS:
        remedy = "publish several arrays"
        problems.add(path, f"{array.size} jobs", f"are more than {MOST_MEMBERS}", remedy)
    size = len(as_text(array.canonical()).encode())
    if size > MOST_PARAMETER_BYTES:
        problem = f"has {size} bytes as JSON, more than {MOST_PARAMETER_BYTES}"
        problems.add(path, f"{array.size} jobs", problem, "put what is long in Cloud Storage")


def as_text(content: Any) -> str:
    """As it came: escaping what is not ASCII could make three times the size of it."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)


def _length(value: Any) -> int:
    return len(_text(value))


def _text(value: Any) -> str:
    """As a placeholder or an environment variable has it: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def without_placeholders(text: str) -> str:
    """For what all members of an array have in common."""
    return _PLACEHOLDER.sub(" ", text)


# --- a member's custom job -------------------------------------------------------------------------------


def check_template(custom_job: Mapping[str, Any], array: ArrayRequest, problems: Problems) -> None:
    """Adds to `problems` what is wrong with the placeholders of a normalised custom job, and each limit that
    the largest of its members would break.
    """
    known = {"array.index", "array.size", *(f"parameters.{name}" for name in array.names)}
    for path, text, is_key in texts_in(custom_job, "custom_job"):
        for name in _placeholders(text):
            if is_key or not _OPEN_FIELDS.fullmatch(path):
                remedy = (
                    "placeholders stand in displayName, args, command, the values of env, and outputUriPrefix"
                )
                problems.add(path, text, "may not have a placeholder", remedy)
            elif name not in known:
                told = ", ".join(f"${{{each}}}" for each in sorted(known)[:10])
                problems.add(path, f"${{{name}}}", "is not a placeholder", f"use {told}; for ${{ write $${{")
    _check_variables(custom_job, problems)
    if not problems:
        _check_labels(custom_job, problems)
        check_limits(member_body(custom_job, array, array.size - 1, array.longest()), problems)


def _placeholders(text: str) -> Iterator[str]:
    found = (_PLACEHOLDER.fullmatch(token) for token in TOKEN.findall(text))
    return (placeholder[1] for placeholder in found if placeholder is not None)


def _check_variables(custom_job: Mapping[str, Any], problems: Problems) -> None:
    for path, task in _tasks(custom_job):
        for place, variable in enumerate(task.get("env", ())):
            name = variable.get("name") or ""
            if name.startswith((VARIABLES, PARAMETER_VARIABLES)):
                remedy = "rename it: an array's jobs have variables of that name"
                problems.add(f"{path}.env[{place}].name", name, "is taken", remedy)


def _check_labels(custom_job: Mapping[str, Any], problems: Problems) -> None:
    count = len(custom_job.get("labels", {}))
    if count >= MOST_LABELS:
        remedy = f"give at most {MOST_LABELS - 1}: an array's jobs have one more of Pool Queue"
        problems.add("custom_job.labels", f"{count} labels", "are too many for an array", remedy)


def member_body(
    custom_job: Mapping[str, Any], array: ArrayRequest, index: int, parameters: Parameters | None = None
) -> dict[str, Any]:
    """The custom job of one member: its placeholders filled in, its variables added to the environment."""
    own = array.parameters_of(index) if parameters is None else parameters
    values: dict[str, Any] = {"array.index": index, "array.size": array.size}
    values |= {f"parameters.{name}": value for name, value in own.items()}

    def put(found: re.Match[str]) -> str:
        placeholder = _PLACEHOLDER.fullmatch(found.group())
        if placeholder is not None:
            return _text(values[placeholder[1]])
        return LITERAL if found.group() == ESCAPED else found.group()

    body: dict[str, Any] = with_texts(custom_job, "", lambda text, _: TOKEN.sub(put, text))
    name = body["displayName"]
    if name == custom_job["displayName"]:
        body["displayName"] = f"{name} [{index}]"
    variables = _variables(array, index, own)
    for _, task in _tasks(body):
        task["env"] = [*task.get("env", ()), *variables]
    return body


def _variables(array: ArrayRequest, index: int, parameters: Parameters) -> list[dict[str, str]]:
    named = {f"{VARIABLES}INDEX": index, f"{VARIABLES}SIZE": array.size}
    named |= {f"{PARAMETER_VARIABLES}{name.upper()}": value for name, value in parameters.items()}
    return [{"name": name, "value": _text(value)} for name, value in named.items()]


def _tasks(custom_job: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each worker pool spec runs, with its path."""
    for place, spec in enumerate(custom_job.get("jobSpec", {}).get("workerPoolSpecs") or ()):
        for kind in ("containerSpec", "pythonPackageSpec"):
            if kind in spec:
                yield f"custom_job.jobSpec.workerPoolSpecs[{place}].{kind}", spec[kind]
