"""A job's retries and its attempts that ended badly, as parts of its document: only what is not as usual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from poolqueue.scheduling.failures import BadEnd, Failure
from poolqueue.scheduling.retries import Pause, Retries, RetryRule

_USUAL_RULE = RetryRule()


def write_retries(retries: Retries) -> dict[str, Any]:
    return {
        "attempts": retries.attempts,
        "rules": [_write_rule(rule) for rule in retries.rules],
        "infrastructure": retries.infrastructure,
        "pause": _write_pause(retries.pause),
        "of_team": retries.of_team,
    }


def read_retries(written: Mapping[str, Any] | None) -> Retries:
    if written is None:
        return Retries()
    rules = tuple(_read_rule(rule) for rule in written["rules"])
    return Retries(**{**written, "rules": rules, "pause": _read_pause(written["pause"])})


def write_failures(failures: Iterable[Failure]) -> list[dict[str, Any]]:
    return [_write_failure(failure) for failure in failures]


def read_failures(written: Iterable[Mapping[str, Any]]) -> tuple[Failure, ...]:
    return tuple(
        Failure(**{**each, "end": BadEnd(each["end"]), "exit_codes": tuple(each.get("exit_codes", ()))})
        for each in written
    )


def _write_failure(failure: Failure) -> dict[str, Any]:
    written = {field.name: getattr(failure, field.name) for field in fields(failure)}
    written |= {"end": failure.end.value, "exit_codes": list(failure.exit_codes)}
    return {name: value for name, value in written.items() if value not in (None, [])}


def _write_rule(rule: RetryRule) -> dict[str, Any]:
    said = {
        field.name: value
        for field in fields(rule)
        if (value := getattr(rule, field.name)) != getattr(_USUAL_RULE, field.name)
    }
    if rule.pause is not None:
        said["pause"] = _write_pause(rule.pause)
    said = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
    return said | ({"ends": [end.value for end in rule.ends]} if rule.ends else {})


def _read_rule(written: Mapping[str, Any]) -> RetryRule:
    read: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in written.items()
    }
    if "ends" in read:
        read["ends"] = tuple(BadEnd(each) for each in read["ends"])
    if "pause" in read:
        read["pause"] = _read_pause(read["pause"])
    return RetryRule(**read)


def _write_pause(pause: Pause) -> dict[str, int]:
    return {"first": pause.first, "longest": pause.longest}


def _read_pause(written: Mapping[str, int]) -> Pause:
    return Pause(first=written["first"], longest=written["longest"])
