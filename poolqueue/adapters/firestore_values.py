"""Plain values to and from Firestore's protocol buffers; used on both ends of the wire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_SCALARS = {
    bool: "boolean_value",  # before int, which it is too
    int: "integer_value",
    float: "double_value",
    str: "string_value",
    bytes: "bytes_value",
}


def encode_fields(fields: Mapping[str, Any], into: Any) -> None:
    """Write `fields` into the `fields` map of a Document or MapValue."""
    for name, value in fields.items():
        encode(value, into[name])


def encode(value: Any, into: Any) -> None:
    """Write a storable value (`poolqueue.adapters.limits`) into an empty Value."""
    match value:
        case None:
            into.null_value = 0
        case datetime():
            into.timestamp_value.FromDatetime(value)
        case dict():
            into.map_value.SetInParent()
            encode_fields(value, into.map_value.fields)
        case list():
            into.array_value.SetInParent()
            for item in value:
                encode(item, into.array_value.values.add())
        case _:
            setattr(into, next(name for kind, name in _SCALARS.items() if isinstance(value, kind)), value)


def decode_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decode(value) for name, value in fields.items()}


def decode(value: Any) -> Any:
    """The plain value of a Value. Raises `ValueError` for a kind that the product never stores."""
    match kind := value.WhichOneof("value_type"):
        case "string_value" | "integer_value" | "boolean_value" | "double_value" | "bytes_value":
            return getattr(value, kind)
        case "null_value":
            return None
        case "timestamp_value":
            return value.timestamp_value.ToDatetime(tzinfo=UTC)
        case "map_value":
            return decode_fields(value.map_value.fields)
        case "array_value":
            return [decode(item) for item in value.array_value.values]
        case _:
            raise ValueError(f"a {kind} is not supported")
