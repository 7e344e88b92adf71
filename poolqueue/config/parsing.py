"""From YAML text to settings, or to all that is wrong with it, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from poolqueue.config.resources import ResourceSettings
from poolqueue.config.settings import Settings

MOST_VALUES = 50_000

_GONE: Mapping[tuple[type[BaseModel], Any], str] = {
    (ResourceSettings, "patience"): "is no setting any more: a job that is short of replicas now gets a"
    " planned start, which others go ahead of only if they do not delay it; leave it out (firm_after bounds"
    " how long jobs expected to be shorter may go first)",
}


class SettingsError(ValueError):
    """The settings cannot be used. The message names every field that is wrong, and what would be right."""


def parse_settings(text: str, *, project: str | None = None) -> Settings:
    """Settings from YAML text. Raises `SettingsError` naming every field that is wrong."""
    fields = _read(text)
    if not isinstance(fields, dict):
        raise SettingsError("the settings are not a mapping: begin with `installation: NAME`")
    if project is not None:
        fields.setdefault("project", project)
    try:
        return Settings.model_validate(fields)
    except ValidationError as error:
        lines = [f"  {_path(problem['loc'])}: {_told(problem)}" for problem in error.errors()]
        raise SettingsError("the settings are wrong:\n" + "\n".join(lines)) from error


def _read(text: str) -> Any:
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _weigh(node, {})
        return loader.construct_document(node)
    except RecursionError as error:
        raise SettingsError("the settings are nested too deeply to be read") from error
    except (yaml.YAMLError, ValueError) as error:  # the latter for a number of thousands of digits
        raise SettingsError(f"the settings are not YAML: {error}") from error


def _weigh(node: yaml.Node, known: dict[int, int]) -> int:
    """The values that a node stands for, its aliases written out. Refuses keys that are given twice."""
    if id(node) not in known:
        known[id(node)] = MOST_VALUES  # what holds itself has no end
        known[id(node)] = 1 + sum(_weigh(child, known) for child in _children(node))
    if known[id(node)] > MOST_VALUES:
        raise yaml.YAMLError(f"it stands for more than {MOST_VALUES} values")
    return known[id(node)]


def _children(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := {key for key in keys if keys.count(key) > 1 and key != "<<"}:
            line = node.start_mark.line + 1
            raise yaml.YAMLError(f"{', '.join(sorted(twice))} is given twice in one mapping (line {line})")
        return [each for pair in node.value for each in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(settings)"


def _told(problem: Mapping[str, Any]) -> str:
    """What pydantic says, but of an unknown key what may have been meant."""
    if problem["type"] != "extra_forbidden":
        return str(problem["msg"]).removeprefix("Value error, ")
    *parents, key = problem["loc"]
    model = _model_at(parents)
    return _GONE.get((model, key)) or f"is not a setting; {_remedy(str(key), model.model_fields)}"


def _model_at(location: Iterable[int | str]) -> type[BaseModel]:
    """The part of the settings that a path leads to."""
    kind: Any = Settings
    for part in location:
        if _is_model(kind):
            kind = _bare(kind.model_fields[part].annotation)
        else:
            kind = _bare(get_args(kind)[0 if isinstance(part, int) else 1])
    assert _is_model(kind)
    model: type[BaseModel] = kind
    return model


def _bare(kind: Any) -> Any:
    """The kind itself, without `Annotated` and without `None` beside it."""
    while hasattr(kind, "__metadata__"):
        kind = kind.__origin__
    if get_origin(kind) in {Union, UnionType}:
        kind = next(each for each in get_args(kind) if each is not type(None))
    return kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _remedy(key: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415 - only needed by refusals

    near = difflib.get_close_matches(key[:80], list(known), n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
