"""What differs between two settings, part by part and field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from pydantic import BaseModel

from poolqueue.config.resources import QuotaSettings
from poolqueue.config.settings import Settings

EVERY_RESOURCE = "every resource"
_UNITS = (("d", 86_400), ("h", 3600), ("m", 60))
_PARTS = ("teams", "resource_settings", "resource_defaults", "pacing", "timing")

Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field of a part of the settings. `old` and `new` are plain values as in JSON, durations as one writes
    them; None where nothing is set. `part` is as people say it: `team vision`, `resource gpu-a`, `pacing`.
    """

    part: str
    field: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.part}: {self.field} {shown(self.old)} -> {shown(self.new)}"


def differences(old: Settings, new: Settings) -> list[Difference]:
    """All that takes effect otherwise. A field that a resource takes from `resource_defaults`, before and
    after, is told of every resource and not of each.
    """
    pairs = [*_general(old, new), *_of_teams(old, new), *_of_resources(old, new)]
    return [
        Difference(part=part, field=name, old=before.get(name), new=after.get(name))
        for part, before, after in pairs
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def shown(value: Any) -> str:
    """A plain value on one line."""
    match value:
        case None:
            return "(nothing)"
        case bool():
            return str(value).lower()
        case list():
            parts = [f"({shown(each)})" if isinstance(each, dict) else shown(each) for each in value]
            return f"[{', '.join(parts)}]"
        case dict():
            return ", ".join(f"{name} {shown(each)}" for name, each in value.items())
        case _:
            return str(value)


def duration_text(duration: timedelta) -> str:
    """As one would write it: `90s`, `30m`, `24h`, `7d`."""
    seconds = duration.total_seconds()
    for unit, size in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:.15g}s"


# --- parts -----------------------------------------------------------------------------------------------


def _general(old: Settings, new: Settings) -> Iterator[tuple[str, Fields, Fields]]:
    yield "installation", _top(old), _top(new)
    yield "pacing", _fields(old.pacing), _fields(new.pacing)
    yield "timing", _fields(old.timing), _fields(new.timing)
    yield EVERY_RESOURCE, _fields(old.resource_defaults), _fields(new.resource_defaults)


def _top(settings: Settings) -> Fields:
    fields = {
        name: value for name, value in _fields(settings).items() if name.partition(".")[0] not in _PARTS
    }
    return {**fields, "first_team": settings.teams[0].name}  # that of triggers which name none


def _of_teams(old: Settings, new: Settings) -> Iterator[tuple[str, Fields, Fields]]:
    for name in dict.fromkeys(team.name for team in (*old.teams, *new.teams)):
        before, after = old.team_named(name), new.team_named(name)
        if before is None or after is None:
            yield f"team {name}", _set(before), _set(after)
        else:
            yield f"team {name}", _fields(before), _fields(after)


def _set(model: BaseModel | None) -> Fields:
    """Only what is said: of a new team one need not be told all that is as usual."""
    return {} if model is None else _fields(model, only=model.model_fields_set)


def _of_resources(old: Settings, new: Settings) -> Iterator[tuple[str, Fields, Fields]]:
    for id_ in dict.fromkeys([*old.resource_settings, *new.resource_settings]):
        own = [each.resource_settings.get(id_) for each in (old, new)]
        said = {name for each in own if each is not None for name in each.model_fields_set}
        yield (
            f"resource {id_}",
            _fields(old.of_resource(id_), only=said),
            _fields(new.of_resource(id_), only=said),
        )


# --- values ----------------------------------------------------------------------------------------------


def _fields(model: BaseModel, *, only: Iterable[str] | None = None) -> Fields:
    """Plain values by name, those of what is nested as `quotas.vision.l4`."""
    chosen = set(type(model).model_fields if only is None else only)
    names = [name for name in type(model).model_fields if name in chosen]
    return dict(pair for name in names for pair in _flat(name, getattr(model, name)))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case QuotaSettings():
            yield name, _quota(value)
        case BaseModel():
            for key in type(value).model_fields:
                yield from _flat(f"{name}.{key}", getattr(value, key))
        case Mapping():
            for key, each in value.items():
                yield from _flat(f"{name}.{key}", each)
        case _:
            yield name, _plain(value)


def _quota(quota: QuotaSettings) -> Fields:
    """A quota is one value; what it says beside the guarantee only where it is not as usual."""
    usual = QuotaSettings()
    more = {key: getattr(quota, key) for key in ("maximum", "lends", "borrows")}
    return {"guaranteed": quota.guaranteed, **{k: v for k, v in more.items() if v != getattr(usual, k)}}


def _plain(value: Any) -> Any:
    match value:
        case timedelta():
            return duration_text(value)
        case Enum():
            return value.value
        case tuple():
            return [_plain(each) for each in value]
        case BaseModel():
            return {name: _plain(getattr(value, name)) for name in sorted(value.model_fields_set)}
        case _:
            return value
