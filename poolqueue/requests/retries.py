"""The retries that a publisher asks for: what follows an attempt that ended badly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from poolqueue.requests.collecting import Problems
from poolqueue.requests.normalising import did_you_mean, whole_number
from poolqueue.requests.wishes import read_span
from poolqueue.scheduling.failures import BadEnd
from poolqueue.scheduling.problems import shortened
from poolqueue.scheduling.retries import (
    HIGHEST_EXIT_CODE,
    INFRASTRUCTURE_RETRIES,
    LONGEST_TEXT,
    MOST_ATTEMPTS,
    MOST_LISTED,
    MOST_RULES,
    RETRIED_CLASSES,
    TIMES,
    USUAL_ATTEMPTS,
    Pause,
    Retries,
    RetryRule,
    contradictions,
    pause_of,
)

KEYS = ("attempts", "backoff", "longest_backoff", "infrastructure", "rules")
RULE_KEYS = ("outcome", "exit_code", "error", "text", "retry", "pool", "backoff", "longest_backoff")
POOL_RULE = r"[!-~]{1,63}"

_POOL = re.compile(POOL_RULE)
_RETRY_REMEDY = f"give never, once or a number of times, 0 to {MOST_ATTEMPTS - 1}"

_Value = TypeVar("_Value")


def read_retries(given: tuple[str, Any], problems: Problems) -> Retries | None:
    """None when there are none. `given`: the value, with the path that it was read from."""
    path, value = given
    if value is None:
        return None
    if not isinstance(value, Mapping):
        remedy = "give such as {attempts: 3, rules: [{exit_code: 137, retry: once}]}; as JSON in an attribute"
        problems.add(path, value, f"is not a mapping of {', '.join(KEYS)}", remedy)
        return None
    _refuse_unknown(value, KEYS, path, problems)
    before = len(problems.found)
    attempts = _count(value, "attempts", path, problems, least=1)
    infrastructure = _count(value, "infrastructure", path, problems, least=0)
    retries = Retries(
        attempts=USUAL_ATTEMPTS if attempts is None else attempts,
        infrastructure=INFRASTRUCTURE_RETRIES if infrastructure is None else infrastructure,
        pause=_pause(value, path, problems) or Pause(),
        rules=tuple(_rules(value.get("rules"), f"{path}.rules", problems)),
    )
    if len(problems.found) == before:
        for each in contradictions(retries):
            problems.add(f"{path}.{each.path}", each.value, each.problem, each.remedy)
    return retries


def _rules(given: Any, path: str, problems: Problems) -> Iterator[RetryRule]:
    if given is None:
        return
    if not isinstance(given, list) or not 0 < len(given) <= MOST_RULES:
        problems.add(path, given, f"is not a list of 1 to {MOST_RULES} rules", "give a list, or leave it out")
        return
    for index, rule in enumerate(given):
        yield _rule(rule, f"{path}[{index}]", problems)


def _rule(given: Any, path: str, problems: Problems) -> RetryRule:
    if not isinstance(given, Mapping) or not given:
        told = f"is not a rule: a mapping of {', '.join(RULE_KEYS)}"
        problems.add(path, given, told, "for any failure, give {outcome: failed}")
        return RetryRule()
    _refuse_unknown(given, RULE_KEYS, path, problems)
    return RetryRule(
        ends=_ENDS.listed(given, path, problems),
        exit_codes=_EXIT_CODES.listed(given, path, problems),
        error_classes=_ERROR_CLASSES.listed(given, path, problems),
        text=_text(given, path, problems),
        retry=_retry(given, path, problems),
        pool=_pool(given, path, problems),
        pause=_pause(given, path, problems),
    )


# --- fields ----------------------------------------------------------------------------------------------


def _refuse_unknown(given: Mapping[str, Any], known: tuple[str, ...], path: str, problems: Problems) -> None:
    for key in given:
        if key not in known:
            remedy = did_you_mean(key, known, problems)
            problems.add(f"{path}.{shortened(key)}", key, "is not a field of it", remedy)


def _count(given: Mapping[str, Any], name: str, path: str, problems: Problems, *, least: int) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    number = whole_number(value)
    if number is not None and least <= number <= MOST_ATTEMPTS:
        return number
    remedy = f"give a whole number, {least} to {MOST_ATTEMPTS}"
    problems.add(f"{path}.{name}", value, "is not a number of attempts", remedy)
    return None


def _pause(given: Mapping[str, Any], path: str, problems: Problems) -> Pause | None:
    first, longest = (
        None if given.get(name) is None else read_span(f"{path}.{name}", given[name], problems, least=0)
        for name in ("backoff", "longest_backoff")
    )
    return pause_of(first, longest)


def _end(given: Any) -> BadEnd | None:
    return BadEnd(given) if isinstance(given, str) and given in {*BadEnd} else None


def _exit_code(given: Any) -> int | None:
    number = whole_number(given)
    return number if number is not None and 1 <= number <= HIGHEST_EXIT_CODE else None


def _error_class(given: Any) -> str | None:
    return given if given in RETRIED_CLASSES else None


@dataclass(frozen=True, kw_only=True)
class _Condition(Generic[_Value]):
    """A condition that may list several values, of which one may stand without its list."""

    name: str
    read: Callable[[Any], _Value | None]
    wrong: str
    choices: str

    def listed(self, given: Mapping[str, Any], path: str, problems: Problems) -> tuple[_Value, ...]:
        value, place = given.get(self.name), f"{path}.{self.name}"
        if value is None:
            return ()
        remedy = f"give {self.choices}, or a list of these"
        values = value if isinstance(value, list) else [value]
        if not 0 < len(values) <= MOST_LISTED:
            problems.add(place, value, f"is not a list of 1 to {MOST_LISTED} values", remedy)
            return ()
        found = [self.read(each) for each in values]
        for index, (each, known) in enumerate(zip(values, found, strict=True)):
            if known is None:
                where = f"{place}[{index}]" if isinstance(value, list) else place
                problems.add(where, each, self.wrong, remedy)
        return tuple(dict.fromkeys(known for known in found if known is not None))


_ENDS = _Condition(
    name="outcome",
    read=_end,
    wrong="is not an outcome that can be tried again",
    choices=", ".join(BadEnd),
)
_EXIT_CODES = _Condition(
    name="exit_code",
    read=_exit_code,
    wrong="is not the exit code of a program that failed",
    choices=f"1 to {HIGHEST_EXIT_CODE}",
)
_ERROR_CLASSES = _Condition(
    name="error",
    read=_error_class,
    wrong="is not a class of errors",
    choices=f"one of {', '.join(RETRIED_CLASSES)}",
)


def _text(given: Mapping[str, Any], path: str, problems: Problems) -> str | None:
    text = given.get("text")
    if text is None:
        return None
    if isinstance(text, str) and 0 < len(text) <= LONGEST_TEXT and text.isprintable():
        return text
    remedy = f"give 1 to {LONGEST_TEXT} printable characters that the error's text must contain"
    problems.add(f"{path}.text", text, "is not a part of an error's text", remedy)
    return None


def _retry(given: Mapping[str, Any], path: str, problems: Problems) -> int | None:
    value = given.get("retry")
    if value is None:
        return None
    number = TIMES.get(value) if isinstance(value, str) and value in TIMES else whole_number(value)
    if number is not None and 0 <= number < MOST_ATTEMPTS:
        return number
    problems.add(f"{path}.retry", value, "is not a number of times", _RETRY_REMEDY)
    return None


def _pool(given: Mapping[str, Any], path: str, problems: Problems) -> str | None:
    pool = given.get("pool")
    if pool is None or (isinstance(pool, str) and _POOL.fullmatch(pool)):
        return pool
    remedy = "give the id of one pool of the job's persistent resource"
    problems.add(f"{path}.pool", pool, "is not the id of a pool", remedy)
    return None
