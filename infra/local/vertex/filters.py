"""The filter grammar of ListCustomJobs, and that part of it which lists of log entries understand.

    filter     = [ disjunction ]
    disjunction = conjunction { "OR" conjunction }
    conjunction = term { "AND" term }
    term       = "NOT" term | "(" disjunction ")" | field operator value
    operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":"             (not all for every field)

Fields of a custom job: display_name | state | create_time | labels.KEY  (camelCase accepted)
Fields of a log entry:  resource.type | resource.labels.KEY | timestamp | insertId | severity

AND binds tighter than OR here; whether it does in the service is not documented: use parentheses.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Generic, TypeVar

from infra.local.vertex.custom_jobs import State
from infra.local.vertex.errors import ServiceError, invalid_argument


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a filter can see of a custom job."""

    display_name: str
    state: State
    create_time: datetime
    labels: Mapping[str, str]


Item = TypeVar("Item")
Filter = Callable[[Listed], bool]
Test = Callable[[Item], bool]
# What `field operator value` means; None: the field or the operator is not known.
Restrict = Callable[[str, str, str], Test[Item] | None]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign><=|>=|!=|[=<>:()])
      | (?P<word>[^\s"'=<>:!()]+)
    )""",
    re.VERBOSE,
)
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGNS = frozenset({*_COMPARISONS, ":"})
_STATES = frozenset({*(state.value for state in State), "JOB_STATE_UNSPECIFIED"})


@dataclass(frozen=True, kw_only=True)
class _Token:
    text: str
    quoted: bool = False


def parse(text: str) -> Filter:
    """Raises ServiceError (400) for anything that is not in the grammar."""
    return _Parser(text, _of_custom_job).parse()


def parse_of_entries(text: str) -> Test[Mapping[str, Any]]:
    """Likewise, of log entries in their wire form."""
    return _Parser(text, _of_entry).parse()


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise invalid_filter(text)
        at = match.end()
        if (quoted := match["quoted"]) is not None:
            found.append(_Token(text=re.sub(r"\\(.)", r"\1", quoted[1:-1]), quoted=True))
        else:
            found.append(_Token(text=match["sign"] or match["word"]))
    return found


def invalid_filter(text: str) -> ServiceError:
    return invalid_argument(f"Invalid filter: {text}")


class _Parser(Generic[Item]):
    def __init__(self, text: str, restrict: Restrict[Item]) -> None:
        self._text = text
        self._restrict = restrict
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> Test[Item]:
        if not self._tokens:
            return lambda _: True
        found = self._disjunction()
        if self._at < len(self._tokens):
            raise self._error()
        return found

    def _disjunction(self) -> Test[Item]:
        parts = [self._conjunction()]
        while self._accept("OR"):
            parts.append(self._conjunction())
        return lambda item: any(part(item) for part in parts)

    def _conjunction(self) -> Test[Item]:
        parts = [self._term()]
        while self._accept("AND"):
            parts.append(self._term())
        return lambda item: all(part(item) for part in parts)

    def _term(self) -> Test[Item]:
        if self._accept("NOT"):
            negated = self._term()
            return lambda item: not negated(item)
        if self._accept("("):
            inner = self._disjunction()
            if not self._accept(")"):
                raise self._error()
            return inner
        return self._comparison()

    def _comparison(self) -> Test[Item]:
        field = self._word()
        if field == "labels." and self._peek() and self._tokens[self._at].quoted:
            field += self._next().text
        sign = self._word()
        if sign not in _SIGNS:
            raise self._error()
        value = self._next()
        if not value.quoted and value.text in _SIGNS | {"(", ")"}:
            raise self._error()
        restriction = self._restrict(field, sign, value.text)
        if restriction is None:
            raise self._error()
        return restriction

    def _accept(self, text: str) -> bool:
        if self._peek() == text and not self._tokens[self._at].quoted:
            self._at += 1
            return True
        return False

    def _peek(self) -> str | None:
        return self._tokens[self._at].text if self._at < len(self._tokens) else None

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise self._error()
        self._at += 1
        return self._tokens[self._at - 1]

    def _word(self) -> str:
        token = self._next()
        if token.quoted:
            raise self._error()
        return token.text

    def _error(self) -> ServiceError:
        return invalid_filter(self._text)


def _of_custom_job(field: str, sign: str, value: str) -> Filter | None:
    prefix, _, key = field.partition(".")
    name = re.sub(r"[A-Z]", lambda capital: "_" + capital[0].lower(), field)
    if prefix == "labels" and key and sign in ("=", "!=", ":"):
        return _label(key, sign, value)
    match name:
        case "display_name" if sign in ("=", "!=", ":"):
            return _display_name(sign, value)
        case "state" if sign in ("=", "!=") and value in _STATES:
            return lambda job: (job.state.value == value) == (sign == "=")
        case "create_time" if sign in _COMPARISONS and (moment := _moment(value)):
            return lambda job: _COMPARISONS[sign](job.create_time, moment)
        case _:
            return None


def _of_entry(field: str, sign: str, value: str) -> Test[Mapping[str, Any]] | None:
    match field.split("."):
        case ["resource", "type"] if sign == "=":
            return lambda entry: bool(entry["resource"]["type"] == value)
        case ["resource", "labels", key] if sign == "=":
            return lambda entry: bool(entry["resource"]["labels"].get(key) == value)
        case ["severity"] if sign == "=":
            return lambda entry: bool(entry["severity"] == value)
        case ["insertId"] if sign in _COMPARISONS:
            return lambda entry: _COMPARISONS[sign](entry["insertId"], value)
        case ["timestamp"] if sign in _COMPARISONS and (moment := _moment(value)):
            return lambda entry: _COMPARISONS[sign](datetime.fromisoformat(entry["timestamp"]), moment)
        case _:
            return None


def _moment(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _display_name(sign: str, value: str) -> Filter:
    if sign == ":":
        return lambda job: _wildcard(job.display_name, value)
    return lambda job: (job.display_name == value) == (sign == "=")


def _label(key: str, sign: str, value: str) -> Filter:
    if sign == ":":
        return lambda job: key in job.labels and _wildcard(job.labels[key], value)
    return lambda job: (job.labels.get(key) == value) == (sign == "=")


def _wildcard(text: str, pattern: str) -> bool:
    """Only `*` is special."""
    literal = re.sub(r"[\[\]?]", lambda special: f"[{special[0]}]", pattern)
    return fnmatchcase(text, literal)
