"""Queue settings of a job request, which stand in the envelope or in the message's attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poolqueue.requests.arrays import ArrayRequest, read_array
from poolqueue.requests.collecting import Problems
from poolqueue.requests.naming import ID_RULE, is_id
from poolqueue.requests.normalising import did_you_mean, whole_number
from poolqueue.requests.reading import Unreadable, read_json
from poolqueue.requests.retries import read_retries
from poolqueue.requests.ties import HIGHEST_SERIAL_LIMIT, TIES, Ties, read_ties
from poolqueue.requests.wishes import WISHES, Wishes, read_wishes
from poolqueue.scheduling.retries import Retries

LOWEST_PRIORITY, DEFAULT_PRIORITY, HIGHEST_PRIORITY = 0, 50, 100
SETTINGS = ("job_id", "priority", "display_name", *WISHES, *TIES, "alternatives", "retries", "array")

_LATER = frozenset(
    {
        "backfill",
        "checkpoint",
        "group",
        "schedule",
        "weight",
    }
)
_MEANT = {
    "earliest_start": "not_before",
    "start_after": "not_before",
    "not_after": "deadline",
    "expires_at": "deadline",
    "queue_timeout": "max_wait",
    "ttl": "max_wait",
    "preemptible": "max_preemptions",
    "after": "depends_on",
    "dependencies": "depends_on",
    "mutex": "serial_key",
    "concurrency_key": "serial_key",
    "concurrency_limit": "serial_limit",
    "fallbacks": "alternatives",
    "max_attempts": "retries",
    "max_retries": "retries",
    "on_failure": "retries",
    "retry": "retries",
    "retry_policy": "retries",
}
_IN_JSON = frozenset({"alternatives", "array", "depends_on", "hold", "retries"})
_TRANSPORT_PREFIXES = ("goog", "logging.googleapis.com/", "CloudPubSub", "ce-", "x-goog-")
_TRANSPORT_NAMES = frozenset({"traceparent", "tracestate", "baggage", "content-type", "Content-Type"})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`priority` is None when none is given. `alternatives` come as given, with the path of the place."""

    job_id: str | None
    priority: int | None
    display_name: str | None
    wishes: Wishes
    ties: Ties
    alternatives: tuple[str, Any]
    retries: Retries | None = None
    array: ArrayRequest | None = None


def is_transports(attribute: str) -> bool:
    """Whether an attribute was put there by what carried the message."""
    return attribute in _TRANSPORT_NAMES or attribute.startswith(_TRANSPORT_PREFIXES)


def read_settings(envelope: Mapping[str, Any], attributes: Mapping[str, str], problems: Problems) -> Settings:
    """The settings of both places; `envelope` is the message's mapping without its custom job."""
    given = _merged(envelope, attributes, problems)
    return Settings(
        job_id=_job_id(given, problems),
        priority=read_priority(*given.get("priority", ("", None)), problems),
        display_name=_display_name(given, problems),
        wishes=read_wishes(given, problems),
        ties=read_ties(given, problems),
        alternatives=given.get("alternatives", ("", None)),
        array=_array(given, problems),
        retries=read_retries(given.get("retries", ("", None)), problems),
    )


def _array(given: Mapping[str, tuple[str, Any]], problems: Problems) -> ArrayRequest | None:
    """Over several persistent resources, what keeps `max_parallel` is a serial key of the array's own."""
    array = read_array(given, problems)
    if array is None or array.max_parallel is None or "alternatives" not in given:
        return array
    if "serial_key" in given:
        path, key = given["serial_key"]
        problem = "does not go with max_parallel where there are alternatives, which takes a key of its own"
        problems.add(path, key, problem, "leave out serial_key, array.max_parallel or alternatives")
    if array.max_parallel > HIGHEST_SERIAL_LIMIT:
        problem = f"is more than {HIGHEST_SERIAL_LIMIT}, the most where there are alternatives"
        remedy = f"give at most {HIGHEST_SERIAL_LIMIT}, or leave out alternatives"
        problems.add(f"{given['array'][0]}.max_parallel", array.max_parallel, problem, remedy)
    return array


def _merged(
    envelope: Mapping[str, Any], attributes: Mapping[str, str], problems: Problems
) -> dict[str, tuple[str, Any]]:
    """For each setting the path it was read from and its value."""
    given: dict[str, tuple[str, Any]] = {}
    for key, value in envelope.items():
        if _is_known(key, key, problems) and value is not None:
            given[key] = key, value
    for key, value in attributes.items():
        path = f"attributes.{key}"
        if is_transports(key) or not _is_known(key, path, problems):
            continue
        read = _from_attribute(key, value)
        if key in given and given[key][1] != read and str(given[key][1]) != value:
            problems.add(path, value, "differs from the same setting in the envelope", "give it in one place")
        given.setdefault(key, (path, read))
    return given


def _from_attribute(key: str, text: str) -> Any:
    """What is no string stands in an attribute as JSON; what is none is told as the text that it is."""
    try:
        return read_json(text) if key in _IN_JSON else text
    except Unreadable:
        return text


def _is_known(key: str, path: str, problems: Problems) -> bool:
    if key in SETTINGS:
        return True
    if key in _LATER:
        problems.add(path, key, "is a setting that is not honoured by this version", "leave it out")
    elif key in _MEANT:
        problems.add(path, key, "is not a setting", f"did you mean {_MEANT[key]}?")
    elif key == "team":
        problems.add(
            path, key, "is not a setting: the team comes from the topic", "publish to the team's topic"
        )
    else:
        problems.add(path, key, "is not a setting", did_you_mean(key, SETTINGS, problems))
    return False


def _job_id(given: Mapping[str, tuple[str, Any]], problems: Problems) -> str | None:
    path, job_id = given.get("job_id", ("", None))
    if job_id is None or is_id(job_id):
        return None if job_id is None else str(job_id)
    problems.add(path, job_id, "is not a job id", f"use {ID_RULE}, as a string, or leave it out")
    return None


def read_priority(path: str, priority: object, problems: Problems) -> int | None:
    """None when none is given; None, and a problem, when it is none."""
    if priority is None:
        return None
    number = whole_number(priority)
    if number is not None and LOWEST_PRIORITY <= number <= HIGHEST_PRIORITY:
        return number
    remedy = f"give a whole number, {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}; higher goes first"
    problems.add(path, priority, "is not a priority", remedy)
    return None


def _display_name(given: Mapping[str, tuple[str, Any]], problems: Problems) -> str | None:
    path, name = given.get("display_name", ("", None))
    if name is None or (isinstance(name, str) and name and name.isprintable()):
        return name
    problems.add(path, name, "is not a display name", "give printable characters, or leave it out")
    return None
