"""Writes poolqueue/requests/fields.py, the table of a custom job's fields, from Vertex AI's client."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

from google.cloud.aiplatform_v1 import types
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

TARGET = Path(__file__).parents[2] / "poolqueue" / "requests" / "fields.py"
_PACKAGE = "google.cloud.aiplatform.v1."
_SCALARS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
}
_HEADER = '''"""The fields of a Vertex AI custom job as REST names them.

Generated from google-cloud-aiplatform by infra/tools/generate_fields.py; a test keeps it true.
"""

# A type is string, bool, int32, int64, duration, map (of strings), a message or an enum of this
# module; `[]` after it means a list.
'''


def table() -> str:
    """The source text of the module."""
    messages: dict[str, dict[str, str]] = {}
    enums: dict[str, dict[str, int]] = {}
    _collect(types.CustomJob.pb(types.CustomJob()).DESCRIPTOR, messages, enums)
    output_only = sorted(_output_only(types.CustomJob))
    return "\n".join(
        [
            _HEADER,
            f"OUTPUT_ONLY = frozenset({output_only!r})",
            f"MESSAGES: dict[str, dict[str, str]] = {messages!r}",
            f"ENUMS: dict[str, dict[str, int]] = {enums!r}",
            "",
        ]
    )


def _collect(
    message: Descriptor, messages: dict[str, dict[str, str]], enums: dict[str, dict[str, int]]
) -> None:
    fields = messages.setdefault(message.name, {})
    skipped = _output_only(types.CustomJob) if message.name == "CustomJob" else frozenset()
    for field in message.fields:
        if field.json_name in skipped:
            continue
        assert _snake(field.json_name) == field.name, field.full_name
        fields[field.json_name] = _type(field) + ("[]" if field.is_repeated and not _is_map(field) else "")
        if field.enum_type is not None:
            enums[_short(field.enum_type)] = {value.name: value.number for value in field.enum_type.values}
        elif (
            field.message_type is not None and fields[field.json_name].rstrip("[]") == field.message_type.name
        ):
            _collect(field.message_type, messages, enums)


def _type(field: FieldDescriptor) -> str:
    if _is_map(field):
        return "map"
    if field.enum_type is not None:
        return _short(field.enum_type)
    if field.message_type is None:
        return _SCALARS[field.type]
    if field.message_type.full_name == "google.protobuf.Duration":
        return "duration"
    assert field.message_type.full_name.startswith(_PACKAGE), field.message_type.full_name
    return str(field.message_type.name)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _short(enum: EnumDescriptor) -> str:
    return str(enum.full_name).removeprefix(_PACKAGE).replace(".", "")


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: "_" + found.group().lower(), name)


def _output_only(message: Any) -> frozenset[str]:
    # The installed descriptors carry no field behaviour; the client's docstrings do, from Python 3.13 on
    # without their common indentation.
    documentation = inspect.cleandoc(message.__doc__)
    documented = re.findall(r"^ {4}(\w+) \(.+\):\n\s+Output only\.", documentation, re.MULTILINE)
    fields = {field.name: field.json_name for field in message.pb(message()).DESCRIPTOR.fields}
    return frozenset(fields[name] for name in documented)


if __name__ == "__main__":
    TARGET.write_text(table())
    sys.stdout.write(f"{TARGET}: run ruff format on it\n")
