"""JSON in and out of the service's message types."""

from __future__ import annotations

import json
import re
from typing import Any

from google.cloud.aiplatform_v1 import types
from google.protobuf import json_format
from google.protobuf.message import Message

from infra.local.vertex.errors import ServiceError, invalid_payload

_UNKNOWN = re.compile(r'has no field named "(?P<name>[^"]*)" at "\w+\.?(?P<at>[^"]*)"')
_BAD_VALUE = re.compile(r"(?:Failed to parse \w+ field: )*(?P<what>.*)", re.DOTALL)


def custom_job(body: bytes) -> dict[str, Any]:
    """The body of a create call, checked against the message type, in canonical camelCase JSON."""
    return _canonical(_decoded(body), types.CustomJob.pb(types.CustomJob()), "custom_job")


def persistent_resource(body: bytes) -> dict[str, Any]:
    empty = types.PersistentResource.pb(types.PersistentResource())
    return _canonical(_decoded(body), empty, "persistent_resource")


def machine_spec(given: dict[str, Any]) -> dict[str, Any]:
    return _canonical(given, types.MachineSpec.pb(types.MachineSpec()), "machine_spec")


def disk_spec(given: dict[str, Any]) -> dict[str, Any]:
    """With the service's defaults filled in, so that equal disks compare equal."""
    disk = _canonical(given, types.DiskSpec.pb(types.DiskSpec()), "disk_spec")
    return {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100} | disk


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body or b"{}")
    except ValueError as error:
        raise invalid_payload(f"Parser Error: {error}") from error


def _canonical(given: Any, empty: Message, root: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise invalid_payload('Unknown name "": Root element must be a message.')
    try:
        parsed = json_format.ParseDict(given, empty)  # type: ignore[no-untyped-call]
        canonical: dict[str, Any] = json_format.MessageToDict(parsed)  # type: ignore[no-untyped-call]
    except json_format.ParseError as error:
        raise _explained(str(error), root) from error
    return canonical


def _explained(problem: str, root: str) -> ServiceError:
    if unknown := _UNKNOWN.search(problem):
        at = _snake(f"{root}.{unknown['at']}".rstrip("."))
        return invalid_payload(f"Unknown name \"{unknown['name']}\" at '{at}': Cannot find field.", field=at)
    bad = _BAD_VALUE.match(problem)
    return invalid_payload(f"Invalid value at '{root}': {bad['what'] if bad else problem}", field=root)


def _snake(path: str) -> str:
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda capital: "_" + capital[0].lower(), path)


def check_empty(body: bytes) -> None:
    """For calls whose body is an empty message; some clients send none, others `{}`."""
    given = _decoded(body)
    if isinstance(given, dict) and given:
        name = next(iter(given))
        raise invalid_payload(f'Unknown name "{name}": Cannot find field.', field=name)
