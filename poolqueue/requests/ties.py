"""The settings that tie a job to others: what it waits for, and a serial key, of whose jobs so many run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poolqueue.requests.collecting import Problems
from poolqueue.requests.naming import ID_RULE, is_id
from poolqueue.requests.normalising import did_you_mean, whole_number
from poolqueue.scheduling.dependency import After, Dependency, OnFailed
from poolqueue.scheduling.problems import shortened
from poolqueue.scheduling.serial_keys import Serial

TIES = ("depends_on", "on_failed_dependency", "serial_key", "serial_limit")
MOST_DEPENDENCIES = 100
SERIAL_KEY_RULE = "[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,127}"
HIGHEST_SERIAL_LIMIT = 1_000

Given = Mapping[str, tuple[str, Any]]

_DEPENDENCY = ("job_id", "after")
_SERIAL_KEY = re.compile(SERIAL_KEY_RULE)


@dataclass(frozen=True, kw_only=True)
class Ties:
    """`serial`: the key that it shares with other jobs of its team, and how many may run at a time.
    `depends_on`: the jobs whose end it waits for.
    """

    serial: Serial | None = None
    depends_on: tuple[Dependency, ...] = ()
    on_failed_dependency: OnFailed = OnFailed.END

    def canonical(self) -> dict[str, Any]:
        """What is not left to the default, as JSON values; equal for equal ties in whatever spelling."""
        said: dict[str, Any] = {}
        if self.serial is not None:
            said |= {"serial_key": self.serial.key, "serial_limit": self.serial.limit}
        if self.depends_on:
            said["depends_on"] = sorted([each.job_id, each.after.value] for each in self.depends_on)
            said["on_failed_dependency"] = self.on_failed_dependency.value
        return said


def read_ties(given: Given, problems: Problems) -> Ties:
    """The ties among `given`: for each setting the path that it was read from, and its value."""
    return Ties(
        depends_on=_dependencies(given, problems),
        on_failed_dependency=_on_failed(given, problems),
        serial=_serial(given, problems),
    )


# --- dependencies ----------------------------------------------------------------------------------------


def _dependencies(given: Given, problems: Problems) -> tuple[Dependency, ...]:
    path, listed = given.get("depends_on", ("", None))
    if listed is None:
        return ()
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_DEPENDENCIES:
        remedy = f'give 1 to {MOST_DEPENDENCIES} of job ids or {{"job_id": ID, "after": "failure"}}'
        problems.add(path, listed, "is not a list of dependencies", remedy)
        return ()
    _, own = given.get("job_id", ("", None))
    found: dict[str, Dependency] = {}
    for place, each in enumerate(listed):
        dependency = _dependency(f"{path}[{place}]", each, problems)
        if dependency is None:
            continue
        if dependency.job_id == own:
            problems.add(f"{path}[{place}]", own, "is the job itself", "leave it out")
        if dependency.job_id in found:
            problems.add(f"{path}[{place}]", dependency.job_id, "is named twice", "name it once")
        found[dependency.job_id] = dependency
    return tuple(found.values())


def _dependency(path: str, given: Any, problems: Problems) -> Dependency | None:
    fields = given if isinstance(given, dict) else {"job_id": given}
    for key in fields:
        if key not in _DEPENDENCY:
            remedy = did_you_mean(key, _DEPENDENCY, problems)
            problems.add(f"{path}.{shortened(key)}", key, "is not a field of it", remedy)
    job_id = fields.get("job_id")
    if not isinstance(job_id, str) or not is_id(job_id):
        at = f"{path}.job_id" if isinstance(given, dict) else path
        problems.add(at, job_id, "is not a job id", f"give the id of a job of this team, {ID_RULE}")
        return None
    after = fields.get("after") or After.SUCCESS.value
    if after not in [*After]:
        problems.add(f"{path}.after", after, "is no way to end", f"give {' or '.join(After)}")
        return None
    return Dependency(job_id=job_id, after=After(after))


def _on_failed(given: Given, problems: Problems) -> OnFailed:
    path, what = given.get("on_failed_dependency", ("", None))
    if what is None:
        return OnFailed.END
    if "depends_on" not in given:
        problems.add(path, what, "says nothing without depends_on", "give depends_on, or leave it out")
    if what in [*OnFailed]:
        return OnFailed(what)
    problems.add(path, what, "is not known", f"give {' or '.join(OnFailed)}")
    return OnFailed.END


# --- serial keys -----------------------------------------------------------------------------------------


def _serial(given: Given, problems: Problems) -> Serial | None:
    key, limit = _serial_key(given, problems), _serial_limit(given, problems)
    return None if key is None else Serial(key=key, limit=limit)


def _serial_key(given: Given, problems: Problems) -> str | None:
    path, key = given.get("serial_key", ("", None))
    if key is None or (isinstance(key, str) and _SERIAL_KEY.fullmatch(key)):
        return key
    remedy = "give 1 to 128 of A-Z, a-z, 0-9 and ._/:@+-, as a string that begins with a letter or digit"
    problems.add(path, key, "is not a serial key", remedy)
    return None


def _serial_limit(given: Given, problems: Problems) -> int:
    path, limit = given.get("serial_limit", ("", None))
    if limit is None:
        return 1
    if "serial_key" not in given:
        problems.add(path, limit, "limits nothing without a serial_key", "give serial_key, or leave it out")
    number = whole_number(limit)
    if number is not None and 1 <= number <= HIGHEST_SERIAL_LIMIT:
        return number
    remedy = f"give a whole number, 1 to {HIGHEST_SERIAL_LIMIT}"
    problems.add(path, limit, "is not a number of jobs that run at a time", remedy)
    return 1
