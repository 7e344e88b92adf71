"""Pages of a listing, and the parts of a custom job that a read mask leaves."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from google.cloud.aiplatform_v1 import types

from infra.local.vertex.calls import camel
from infra.local.vertex.errors import invalid_argument

PAGE_SIZE_MOST = 100
_JOB_FIELDS = frozenset(types.CustomJob.pb().DESCRIPTOR.fields_by_camelcase_name)

Item = TypeVar("Item")
Rank = tuple[str, str]


def page(
    items: Sequence[tuple[Rank, Item]],
    *,
    size: int,
    token: str | None,
    question: str,
    ascending: bool = False,
) -> tuple[list[Item], str]:
    """`items` are ordered by rank, the highest first unless `ascending`. A token continues after the last
    rank seen, for one question only.
    """
    if token:
        after = _after(token, question)
        items = [each for each in items if (each[0] > after if ascending else each[0] < after)]
    shown = items[:size]
    more = len(items) > size
    return [item for _, item in shown], _token(shown[-1][0], question) if more else ""


def _token(rank: Rank, question: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([*rank, question]).encode()).decode()


def _after(token: str, question: str) -> Rank:
    try:
        first, second, asked = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, binascii.Error) as error:
        raise invalid_argument("The page token is invalid.") from error
    if asked != question:
        raise invalid_argument("The page token does not belong to this filter.")
    return str(first), str(second)


def read_mask(given: str | None) -> list[list[str]] | None:
    """Paths of field names in camelCase; None means everything."""
    if not given or given == "*":
        return None
    paths = [[camel(part) for part in path.strip().split(".")] for path in given.split(",")]
    for path in paths:
        if path[0] not in _JOB_FIELDS:
            raise invalid_argument(f"Invalid field mask: unknown field {path[0]}.")
    return paths


def masked(rendered: Mapping[str, Any], mask: Iterable[Sequence[str]] | None) -> dict[str, Any]:
    if mask is None:
        return dict(rendered)
    found: dict[str, Any] = {}
    for path in mask:
        _copy(rendered, found, path)
    return found


def _copy(source: Mapping[str, Any], target: dict[str, Any], path: Sequence[str]) -> None:
    name, *rest = path
    if name not in source:
        return
    if rest and isinstance(source[name], Mapping):
        _copy(source[name], target.setdefault(name, {}), rest)
    else:
        target[name] = source[name]
