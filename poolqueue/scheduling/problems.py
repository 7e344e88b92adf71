"""One thing that is wrong with what was asked for, told so that whoever asked can put it right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

SHOWN_CHARACTERS = 120


@dataclass(frozen=True, kw_only=True)
class Problem:
    """`path` names the place in the envelope form of a request, in camelCase below `custom_job`.

    `value` is what was given: printable, at most 120 characters, never a value of `env`.
    """

    path: str
    value: str
    problem: str
    remedy: str


def shown(value: object) -> str:
    """`value` as it may appear in a `Problem`: containers are named, never opened."""
    match value:
        case None:
            return "(nothing)"
        case str():
            return shortened(value)
        case bool() | float():
            return json.dumps(value)
        case int():
            return shortened(str(value)) if value.bit_length() <= 128 else "(a huge number)"  # noqa: PLR2004
        case Mapping():
            return f"(a mapping of {len(value)})"
        case _:
            return (
                f"(a list of {len(value)})"
                if isinstance(value, list | tuple)
                else f"({type(value).__name__})"
            )


def shortened(text: str) -> str:
    kept = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return "".join(character if character.isprintable() else "�" for character in kept)
