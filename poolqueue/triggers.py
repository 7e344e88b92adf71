"""Event-triggered training: which events start which jobs, as one YAML file says."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from poolqueue.requests.collecting import Problems
from poolqueue.requests.normalising import did_you_mean
from poolqueue.requests.parsing import BadRequest, parse_request
from poolqueue.requests.placeholders import check_placeholders, substituted
from poolqueue.requests.reading import Unreadable, read_mapping
from poolqueue.scheduling.problems import Problem, shortened

NAME_RULE = "[a-z0-9][a-z0-9_-]{0,39}"

_SAMPLE = "sample"
_TEMPLATE = "job.template"


class TriggersError(ValueError):
    """The triggers cannot be used; `problems` are all that is wrong, each with its path."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        lines = [f"  {each.path}: {each.problem} ({each.value}); {each.remedy}" for each in problems]
        super().__init__("the triggers are wrong:\n" + "\n".join(lines))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class CloudEventView:
    """A CloudEvent: its own attributes by name, all others in `attributes`, and its data if that is JSON."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    data: Any = None


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """`attributes` are patterns, in which `*` stands for any characters; all must match."""

    name: str
    type: str
    attributes: Mapping[str, str]
    team: str | None
    template: Mapping[str, Any]

    def matches(self, event: CloudEventView) -> bool:
        return event.type == self.type and all(
            _matches(pattern, _attribute(event, name)) for name, pattern in self.attributes.items()
        )


@dataclass(frozen=True, kw_only=True)
class Triggers:
    triggers: tuple[Trigger, ...] = ()

    def matching(self, event: CloudEventView) -> tuple[Trigger, ...]:
        return tuple(trigger for trigger in self.triggers if trigger.matches(event))


@dataclass(frozen=True, kw_only=True)
class TriggeredRequest:
    """`body` is a job request in its envelope, `job_id` included; as JSON it goes the way of any request."""

    job_id: str
    body: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class BadEvent:
    """A matching event that lacks what the template needs; the refusal belongs to `job_id`."""

    job_id: str
    problems: tuple[Problem, ...]


def request_from_event(trigger: Trigger, event: CloudEventView) -> TriggeredRequest | BadEvent:
    """The job request that `trigger` makes of `event`; the same `job_id` for every delivery of one event."""
    problems = Problems()
    job_id = event_job_id(trigger.name, event.source, event.id)
    body = substituted(trigger.template, lambda name: _value(event, name), "template", problems)
    if problems:
        return BadEvent(job_id=job_id, problems=tuple(problems.found))
    return TriggeredRequest(job_id=job_id, body={"job_id": job_id, **body})


def event_job_id(trigger: str, source: str, event_id: str) -> str:
    """CloudEvents promises that source and id together name one event."""
    unique = json.dumps([trigger, source, event_id])
    return f"{trigger}-{hashlib.sha256(unique.encode()).hexdigest()[:20]}"


# --- an event's values -----------------------------------------------------------------------------------


def _matches(pattern: str, value: str | None) -> bool:
    """Linear: each piece between stars is taken where it is first found."""
    if value is None:
        return False
    first, *pieces = pattern.split("*")
    if not pieces:
        return value == pattern
    *middle, last = pieces
    if not value.startswith(first) or not value.endswith(last) or len(value) < len(first) + len(last):
        return False
    at, end = len(first), len(value) - len(last)
    for piece in middle:
        at = value.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def _attribute(event: CloudEventView, name: str) -> str | None:
    """What a trigger's pattern is held against: the event's attribute of that name, or its data's field."""
    if name in ("id", "source", "type", "subject", "time"):
        value = getattr(event, name)
    else:
        value = event.attributes.get(name, _below(event.data, name))
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _value(event: CloudEventView, name: str) -> object:
    kind, _, rest = name.partition(".")
    match kind:
        case "event":
            return getattr(event, rest)
        case "attributes":
            return event.attributes.get(rest)
        case _:
            return _below(event.data, rest)


def _below(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


# --- the file --------------------------------------------------------------------------------------------


def load_triggers(text: str) -> Triggers:
    """The triggers of a YAML file. Raises `TriggersError` with all that is wrong with it."""
    problems = Problems()
    try:
        document = read_mapping(text.encode("utf-8", "surrogatepass"))
    except Unreadable as error:
        problems.add("triggers", "(the file)", error.problem, error.remedy)
        document = {}
    _check_keys(document, ("triggers",), "", problems)
    listed = document.get("triggers", [])
    if not isinstance(listed, list):
        problems.add("triggers", listed, "is not a list", "give a list of triggers")
        listed = []
    triggers = [_trigger(each, f"triggers[{index}]", problems) for index, each in enumerate(listed)]
    _check_names(triggers, problems)
    if problems:
        raise TriggersError(tuple(problems.found))
    return Triggers(triggers=tuple(triggers))


def _check_keys(given: Mapping[str, Any], known: tuple[str, ...], path: str, problems: Problems) -> None:
    for key in given:
        if key not in known:
            place = f"{path}.{shortened(key)}" if path else shortened(key)
            problems.add(place, key, "is not a known key", did_you_mean(key, known, problems))


def _check_names(triggers: list[Trigger], problems: Problems) -> None:
    names = [trigger.name for trigger in triggers]
    for index, name in enumerate(names):
        if name and name in names[:index]:
            problems.add(f"triggers[{index}].name", name, "is the name of two triggers", "rename one")


def _trigger(given: Any, path: str, problems: Problems) -> Trigger:
    parts = _mapping(given, path, ("name", "when", "team", "job"), problems)
    when = _mapping(parts.get("when"), f"{path}.when", ("type", "attributes"), problems)
    job = _mapping(parts.get("job"), f"{path}.job", ("template",), problems)
    name = _text(parts.get("name"), f"{path}.name", problems)
    if name and not re.fullmatch(NAME_RULE, name):
        problems.add(f"{path}.name", name, "is not a trigger's name", f"use {NAME_RULE}")
    team = parts.get("team")
    return Trigger(
        name=name,
        type=_text(when.get("type"), f"{path}.when.type", problems),
        attributes=_patterns(when.get("attributes"), f"{path}.when.attributes", problems),
        team=None if team is None else _text(team, f"{path}.team", problems),
        template=_template(job.get("template"), f"{path}.{_TEMPLATE}", problems),
    )


def _mapping(given: Any, path: str, known: tuple[str, ...], problems: Problems) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        problems.add(path, given, "is not a mapping", f"give {', '.join(known)}")
        problems.only_news()
        return {}
    _check_keys(given, known, path, problems)
    return given


def _text(given: Any, path: str, problems: Problems) -> str:
    if isinstance(given, str) and given:
        return given
    problems.add(path, given, "is not a string", "give a string that is not empty")
    return ""


def _patterns(given: Any, path: str, problems: Problems) -> Mapping[str, str]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        problems.add(path, given, "is not a mapping", "give a pattern for each attribute")
        return {}
    return {name: _text(pattern, f"{path}.{shortened(name)}", problems) for name, pattern in given.items()}


def _template(given: Any, path: str, problems: Problems) -> Mapping[str, Any]:
    """The template as an envelope, checked as the job request that it becomes."""
    if not isinstance(given, dict):
        problems.add(path, given, "is not a mapping", "give a job request")
        return {}
    if "job_id" in given:
        problems.add(f"{path}.job_id", given["job_id"], "is derived from the event", "leave it out")
        given = {key: each for key, each in given.items() if key != "job_id"}
    check_placeholders(given, path, problems)
    sample = substituted(given, lambda _name: _SAMPLE, path, Problems())
    request = parse_request(
        json.dumps(sample).encode(), {}, default_job_id=_SAMPLE, project=_SAMPLE, location=_SAMPLE
    )
    if isinstance(request, BadRequest):
        for each in request.problems:
            problems.add(f"{path}.{each.path}", each.value, each.problem, each.remedy)
    return given if "custom_job" in given or "customJob" in given else {"custom_job": given}
