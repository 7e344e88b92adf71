"""Pub/Sub's filter language over attributes, parsed strictly; Google's emulator does not parse it.

Source: cloud.google.com/pubsub/docs/subscription-message-filter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Attributes = Mapping[str, str]
Accepts = Callable[[Attributes], bool]

MAX_FILTER_BYTES = 256
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(!=|[():=.,-])|([A-Za-z0-9_][A-Za-z0-9_-]*))')


class BadFilter(Exception):
    """The text is not a filter."""


def parse_filter(text: str) -> Accepts:
    """Whether a message with given attributes passes; an empty filter accepts all. Raises `BadFilter`."""
    if len(text.encode()) > MAX_FILTER_BYTES:
        raise BadFilter(f"a filter has at most {MAX_FILTER_BYTES} bytes")
    tokens = _tokens(text)
    if not tokens:
        return lambda _: True
    parser = _Parser(tokens)
    accepts = parser.expression()
    if parser.rest:
        raise BadFilter(f"not understood: {' '.join(parser.rest)}")
    return accepts


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while text[position:].strip():
        found = _TOKEN.match(text, position)
        if found is None:
            raise BadFilter(f"not understood: {text[position:]}")
        tokens.append(found[found.lastindex or 0])
        position = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self.rest = tokens

    def expression(self) -> Accepts:
        """Terms joined by AND or by OR; production refuses a mixture without parentheses, and so do we."""
        terms = [self._term()]
        joint = self.rest[0] if self.rest and self.rest[0] in ("AND", "OR") else None
        while joint and self.rest and self.rest[0] == joint:
            self._take()
            terms.append(self._term())
        if joint == "OR":
            return lambda attributes: any(term(attributes) for term in terms)
        return lambda attributes: all(term(attributes) for term in terms)

    def _term(self) -> Accepts:
        match self._take():
            case "NOT" | "-":
                negated = self._term()
                return lambda attributes: not negated(attributes)
            case "(":
                inner = self.expression()
                self._take(")")
                return inner
            case "hasPrefix":
                return self._has_prefix()
            case "attributes":
                return self._comparison()
            case other:
                raise BadFilter(f"not understood: {other}")

    def _has_prefix(self) -> Accepts:
        self._take("(")
        self._take("attributes")
        self._take(".")
        key = self._key()
        self._take(",")
        prefix = self._string()
        self._take(")")
        return lambda attributes: attributes.get(key, "").startswith(prefix) and key in attributes

    def _comparison(self) -> Accepts:
        if self._take(".", ":") == ":":
            present = self._key()
            return lambda attributes: present in attributes
        key = self._key()
        negated = self._take("=", "!=") == "!="
        value = self._string()
        if negated:
            return lambda attributes: key in attributes and attributes[key] != value
        return lambda attributes: attributes.get(key) == value

    def _key(self) -> str:
        token = self._take()
        if token.startswith('"'):
            return _unquoted(token)
        if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", token):
            return token
        raise BadFilter(f"not an attribute's key: {token}")

    def _string(self) -> str:
        token = self._take()
        if not token.startswith('"'):
            raise BadFilter(f"not a quoted string: {token}")
        return _unquoted(token)

    def _take(self, *expected: str) -> str:
        if not self.rest:
            raise BadFilter("the filter ends too early")
        token = self.rest.pop(0)
        if expected and token not in expected:
            raise BadFilter(f"expected {' or '.join(expected)}, not {token}")
        return token


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])
