"""Parses one message of a job-commands topic: what an operator asks for, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from poolqueue.requests.changing import CHANGEABLE, NO_CHANGES, Changes, read_changes
from poolqueue.requests.collecting import Problems
from poolqueue.requests.naming import ID_RULE, is_id, is_job, resource_name
from poolqueue.requests.normalising import did_you_mean, whole_number
from poolqueue.requests.reading import Unreadable, read_mapping
from poolqueue.requests.settings import is_transports
from poolqueue.scheduling.problems import Problem

LONGEST_REASON = 500
LONGEST_AUTHOR = 200

MOST_SETTINGS_BYTES = 200_000

TARGETS = {
    "cancel": ("job_id",),
    "hold": ("job_id",),
    "release": ("job_id",),
    "change": ("job_id", *CHANGEABLE),
    "retry": ("job_id", *CHANGEABLE),
    "requeue": ("job_id", "hold"),
    "drain": ("persistent_resource", "pool"),
    "stop": ("persistent_resource", "pool", "running"),
    "resume": ("persistent_resource", "pool"),
    "pause": ("team",),
    "unpause": ("team",),
    "apply": ("settings", "base_version"),
}
"""What each kind names: the first of it must be there; the others may be."""

_NAMED = tuple(dict.fromkeys(key for keys in TARGETS.values() for key in keys if key != "team"))
_KEYS = ("id", "kind", "team", *_NAMED, "reason", "author")
_LONGEST = {"reason": LONGEST_REASON, "author": LONGEST_AUTHOR, "pool": 63, "team": 63}


class CommandKind(StrEnum):
    CANCEL = "cancel"
    HOLD = "hold"
    RELEASE = "release"
    CHANGE = "change"
    RETRY = "retry"
    REQUEUE = "requeue"
    DRAIN = "drain"
    STOP = "stop"
    RESUME = "resume"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    APPLY = "apply"


class Running(StrEnum):
    """What becomes of what runs on a pool that is stopped."""

    REQUEUE = "requeue"
    CANCEL = "cancel"


@dataclass(frozen=True, kw_only=True)
class Command:
    """What is asked for. `cancel`, `hold`, `release`, `change`, `retry` and `requeue` name a `job_id`;
    `drain`, `stop` and `resume` a `persistent_resource` (its id, or its full name) and perhaps one `pool` of
    it; `pause` and `unpause` a `team`, which else matters on the administrators' topic alone; `apply` has the
    text of `settings`, and perhaps the version that must be in force for it. `changes` are for `change` and
    `retry`; with `hold` what is requeued is held then; `running` says what becomes of it on a `stop`.
    """

    id: str
    kind: CommandKind
    reason: str
    author: str
    team: str | None = None
    job_id: str | None = None
    persistent_resource: str | None = None
    pool: str | None = None
    settings: str | None = None
    base_version: int | None = None
    changes: Changes = NO_CHANGES
    hold: bool = False
    running: Running | None = None


@dataclass(frozen=True, kw_only=True)
class BadCommand:
    """A message that is no command; `id` is the publisher's if well formed, else the default."""

    id: str
    problems: tuple[Problem, ...]


def parse_command(data: bytes, attributes: Mapping[str, str], *, default_id: str) -> Command | BadCommand:
    """The command in one Pub/Sub message: a mapping as JSON or YAML, attributes, or some of both."""
    problems = Problems()
    given = _given(data, attributes, problems)
    identity = given.pop("id", default_id)
    if not is_id(identity):
        problems.add("id", identity, "is not a command's id", f"use {ID_RULE}, or leave it out")
        identity = default_id
    kind = _kind(given.pop("kind", None), problems)
    named = frozenset(given)
    settings = _settings(given.pop("settings", None), problems)
    base_version = _version(given.pop("base_version", None), problems)
    changes = read_changes({key: given.pop(key) for key in CHANGEABLE if key in given}, problems)
    hold = _flag("hold", given.pop("hold", None), problems)
    running = _running(given.pop("running", None), problems)
    strings = {
        key: text for key, value in given.items() if (text := _string(key, value, problems)) is not None
    }
    if kind is not None:
        _check_target(kind, named, strings, problems)
    _check_said(strings, problems)
    if problems or kind is None:
        return BadCommand(id=identity, problems=tuple(problems.found))
    return Command(
        id=identity,
        kind=kind,
        settings=settings,
        base_version=base_version,
        changes=changes,
        hold=hold,
        running=running,
        **strings,
    )


def _given(data: bytes, attributes: Mapping[str, str], problems: Problems) -> dict[str, Any]:
    try:
        message = read_mapping(data) if data.strip() else {}
    except Unreadable as error:
        problems.add("message", f"({len(data)} bytes)", error.problem, error.remedy)
        message = {}
    given: dict[str, Any] = {}
    own = {key: value for key, value in attributes.items() if not is_transports(key)}
    for key, value in [*message.items(), *own.items()]:
        if key not in _KEYS:
            problems.add(key, key, "is not a field of a command", did_you_mean(key, _KEYS, problems))
        elif given.setdefault(key, value) != value:
            problems.add(key, value, "differs between message and attributes", "give it in one place")
    return {key: value for key, value in given.items() if value is not None}


def _kind(given: object, problems: Problems) -> CommandKind | None:
    kinds = [kind.value for kind in CommandKind]
    if isinstance(given, str) and given in kinds:
        return CommandKind(given)
    problems.add("kind", given, "is not a kind of command", f"give one of {', '.join(kinds)}")
    return None


def _string(key: str, given: object, problems: Problems) -> str | None:
    longest = _LONGEST.get(key, 300)
    if isinstance(given, str) and 0 < len(given) <= longest and given.isprintable():
        return given
    problems.add(key, given, f"is not 1 to {longest} printable characters", "give a string of that length")
    return None


def _settings(given: object, problems: Problems) -> str | None:
    """Text of several lines, which is read where it is applied."""
    if given is None:
        return None
    if not isinstance(given, str) or not given.strip():
        problems.add("settings", given, "is not the text of a settings file", "give its text as one string")
        return None
    if (size := len(given.encode(errors="replace"))) > MOST_SETTINGS_BYTES:
        problem = f"has {size} bytes, more than {MOST_SETTINGS_BYTES}"
        problems.add("settings", f"({size} bytes)", problem, "shorten it")
        return None
    return given


def _version(given: object, problems: Problems) -> int | None:
    number = whole_number(given)
    if given is not None and (number is None or number < 0):
        remedy = (
            "give the number of the version that the settings were made from, 0 for none, or leave it out"
        )
        problems.add("base_version", given, "is not the number of a version", remedy)
        return None
    return number


def _flag(key: str, given: object, problems: Problems) -> bool:
    if given in (None, True, False, "true", "false"):
        return given in (True, "true")
    problems.add(key, given, "is neither true nor false", "give true or false, or leave it out")
    return False


def _running(given: object, problems: Problems) -> Running | None:
    ways = [way.value for way in Running]
    if given is None or given in ways:
        return None if given is None else Running(given)
    remedy = f"give {' or '.join(ways)}, or leave it out to requeue it"
    problems.add("running", given, "is not what can become of running jobs", remedy)
    return None


def _check_target(
    kind: CommandKind, named: AbstractSet[str], given: Mapping[str, str], problems: Problems
) -> None:
    """`named` are all fields that the command has, `given` those of them that are strings."""
    problems.only_news()
    wanted = TARGETS[kind]
    remedy = (
        f"{kind} has the text of settings" if kind is CommandKind.APPLY else f"{kind} names a {wanted[0]}"
    )
    for key in _NAMED:
        if key in named and key not in wanted:
            problems.add(key, given.get(key, key), f"does not belong to {kind}", remedy)
    if wanted[0] not in named:
        problems.add(wanted[0], None, "is missing", remedy)
    if kind is CommandKind.CHANGE and named.isdisjoint(CHANGEABLE):
        problems.add("kind", kind.value, "changes nothing", f"give one or more of {', '.join(CHANGEABLE)}")
    if "job_id" in given and not is_job(given["job_id"]):
        problems.add("job_id", given["job_id"], "is not a job id", f"use {ID_RULE}, or ARRAY.NUMBER")
    resource = given.get("persistent_resource")
    if resource is not None and resource_name(resource) is None:
        remedy = "give its id, or projects/PROJECT/locations/LOCATION/persistentResources/ID"
        problems.add("persistent_resource", resource, "is not the name of a persistent resource", remedy)


def _check_said(given: Mapping[str, str], problems: Problems) -> None:
    problems.only_news()
    for key, remedy in {"reason": "say why", "author": "say who asks"}.items():
        if key not in given:
            problems.add(key, None, "is missing", remedy)
