"""The filter grammar of ListCustomJobs.

    filter     = [ disjunction ]
    disjunction = conjunction { "OR" conjunction }
    conjunction = term { "AND" term }
    term       = "NOT" term | "(" disjunction ")" | field operator value
    field      = display_name | state | create_time | labels.KEY        (camelCase accepted)
    operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | ":"             (not all for every field)

AND binds tighter than OR here; whether it does in the service is not documented: use parentheses.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from infra.local.vertex.custom_jobs import State
from infra.local.vertex.errors import ServiceError, invalid_argument


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What a filter can see of a custom job."""

    display_name: str
    state: State
    create_time: datetime
    labels: Mapping[str, str]


Filter = Callable[[Listed], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign><=|>=|!=|[=<>:()])
      | (?P<word>[^\s"'=<>:!()]+)
    )""",
    re.VERBOSE,
)
_COMPARISONS: Mapping[str, Callable[[datetime, datetime], bool]] = {
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
    return _Parser(text).parse()


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


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def parse(self) -> Filter:
        if not self._tokens:
            return lambda _: True
        found = self._disjunction()
        if self._at < len(self._tokens):
            raise self._error()
        return found

    def _disjunction(self) -> Filter:
        parts = [self._conjunction()]
        while self._accept("OR"):
            parts.append(self._conjunction())
        return lambda job: any(part(job) for part in parts)

    def _conjunction(self) -> Filter:
        parts = [self._term()]
        while self._accept("AND"):
            parts.append(self._term())
        return lambda job: all(part(job) for part in parts)

    def _term(self) -> Filter:
        if self._accept("NOT"):
            negated = self._term()
            return lambda job: not negated(job)
        if self._accept("("):
            inner = self._disjunction()
            if not self._accept(")"):
                raise self._error()
            return inner
        return self._comparison()

    def _comparison(self) -> Filter:
        field = self._word()
        if field == "labels." and self._peek() and self._tokens[self._at].quoted:
            field += self._next().text
        sign = self._word()
        if sign not in _SIGNS:
            raise self._error()
        value = self._next()
        if not value.quoted and value.text in _SIGNS | {"(", ")"}:
            raise self._error()
        return self._restriction(field, sign, value.text)

    def _restriction(self, field: str, sign: str, value: str) -> Filter:
        prefix, _, key = field.partition(".")
        name = re.sub(r"[A-Z]", lambda capital: "_" + capital[0].lower(), field)
        if prefix == "labels" and key and sign in ("=", "!=", ":"):
            return _label(key, sign, value)
        match name:
            case "display_name" if sign in ("=", "!=", ":"):
                return _display_name(sign, value)
            case "state" if sign in ("=", "!=") and value in _STATES:
                return lambda job: (job.state.value == value) == (sign == "=")
            case "create_time" if sign in _COMPARISONS:
                return self._create_time(sign, value)
            case _:
                raise self._error()

    def _create_time(self, sign: str, value: str) -> Filter:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise self._error() from error
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return lambda job: _COMPARISONS[sign](job.create_time, moment)

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
