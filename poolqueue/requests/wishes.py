"""The settings with which a publisher tells the scheduling what it needs to know, beside the priority."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from poolqueue.requests.collecting import Problems
from poolqueue.requests.durations import LONGEST_SPAN_SECONDS, BadDuration, span_seconds
from poolqueue.requests.normalising import whole_number
from poolqueue.requests.times import BadTime, utc_time

WISHES = ("expected_run", "min_run", "max_preemptions", "not_before", "deadline", "max_wait", "hold")
MOST_PREEMPTIONS = 1_000

Given = Mapping[str, tuple[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """`expected_run`: how long the publisher expects an attempt to run; never taken for the truth.
    `min_run`: for how long an attempt that runs is not preempted. `max_preemptions`: how often the job may
    be. `not_before`: when it may start at the earliest. `deadline`: when it must have ended. `max_wait`: for
    how long after its publication it may wait. `hold`: it waits until somebody releases it. Spans
    are in seconds.
    """

    expected_run: int | None = None
    min_run: int = 0
    max_preemptions: int | None = None
    not_before: datetime | None = None
    deadline: datetime | None = None
    max_wait: int | None = None
    hold: bool = False

    def canonical(self) -> dict[str, bool | int | str]:
        """What is not left to the default, as JSON values; equal for equal wishes in whatever spelling."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in values.items()
            if value not in (None, 0) or (name == "max_preemptions" and value == 0)
        }


def read_wishes(given: Given, problems: Problems) -> Wishes:
    """The wishes among `given`: for each setting the path that it was read from, and its value."""
    not_before = _time(given, "not_before", problems)
    deadline = _time(given, "deadline", problems)
    if not_before is not None and deadline is not None and deadline <= not_before:
        path, value = given["deadline"]
        problems.add(path, value, "is not after not_before", "give a later deadline or an earlier not_before")
    return Wishes(
        expected_run=_span(given, "expected_run", problems),
        min_run=_span(given, "min_run", problems, least=0) or 0,
        max_preemptions=_count(given, "max_preemptions", problems),
        not_before=not_before,
        deadline=deadline,
        max_wait=_span(given, "max_wait", problems),
        hold=_flag(given, "hold", problems),
    )


def _span(given: Given, name: str, problems: Problems, *, least: int = 1) -> int | None:
    path, value = given.get(name, ("", None))
    return None if value is None else read_span(path, value, problems, least=least)


def read_span(path: str, value: object, problems: Problems, *, least: int = 1) -> int | None:
    """Whole seconds from `least` on; None, and a problem, when `value` is no such duration."""
    bounds = "above 0 and at most" if least else "0 to"
    remedy = f"give 90s, 30m, 24h, 7d or a number of seconds, {bounds} {LONGEST_SPAN_SECONDS // 86_400}d"
    try:
        seconds = span_seconds(value)
    except BadDuration as error:
        problems.add(path, value, str(error), remedy)
        return None
    if seconds < least:
        problems.add(path, value, "is zero", remedy)
        return None
    return seconds


def _time(given: Given, name: str, problems: Problems) -> datetime | None:
    path, value = given.get(name, ("", None))
    return None if value is None else read_time(path, value, problems)


def read_time(path: str, value: object, problems: Problems) -> datetime | None:
    """In UTC; None, and a problem, when `value` is no time with its zone."""
    try:
        return utc_time(value)
    except BadTime as error:
        remedy = "give a time with its zone, such as 2026-11-23T18:00:00Z or 2026-11-23T19:00:00+01:00"
        problems.add(path, value, str(error), remedy)
        return None


def _count(given: Given, name: str, problems: Problems) -> int | None:
    path, value = given.get(name, ("", None))
    if value is None:
        return None
    number = whole_number(value)
    if number is not None and 0 <= number <= MOST_PREEMPTIONS:
        return number
    problems.add(path, value, "is not a number of times", f"give a whole number, 0 to {MOST_PREEMPTIONS}")
    return None


def _flag(given: Given, name: str, problems: Problems) -> bool:
    path, value = given.get(name, ("", None))
    if value is None or isinstance(value, bool):
        return bool(value)
    problems.add(path, value, "is neither true nor false", "give true or false, or leave it out")
    return False
