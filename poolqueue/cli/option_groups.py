"""Options that several commands have alike: a dataclass of them, which a command takes as one parameter.

Typer knows parameters alone; it is shown a function that has the dataclass's fields instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature
from typing import Any, get_type_hints

Command = Callable[..., None]


def expanded(command: Command) -> Command:
    """`command` as typer is to see it: each field of a group is a parameter, at the place of the group."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}

    @wraps(command)
    def flat(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{each.name: given.pop(each.name) for each in fields(group)})
        command(**given)

    shown = Signature([*_shown(command, hints, groups)])
    flat.__dict__["__signature__"] = shown
    flat.__annotations__ = {name: each.annotation for name, each in shown.parameters.items()}
    return flat


def _shown(
    command: Command, hints: Mapping[str, Any], groups: Mapping[str, type[Any]]
) -> Iterator[Parameter]:
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            yield parameter.replace(annotation=hints[name])
            continue
        of_fields = get_type_hints(groups[name], include_extras=True)
        for each in fields(groups[name]):
            kind = Parameter.KEYWORD_ONLY
            yield Parameter(each.name, kind, default=_default(each), annotation=of_fields[each.name])


def _default(field: Field[Any]) -> Any:
    return Parameter.empty if field.default is MISSING else field.default
