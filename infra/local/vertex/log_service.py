"""The one call of Cloud Logging that is served: `entries.list`, of what custom jobs and replicas wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from infra.local.vertex import filters, listing
from infra.local.vertex.calls import Call
from infra.local.vertex.custom_jobs import CustomJob
from infra.local.vertex.errors import invalid_argument, invalid_payload
from infra.local.vertex.logs import Logs
from infra.local.vertex.world import World

PAGE_SIZE, PAGE_SIZE_MOST = 50, 1_000
_ASCENDING, _DESCENDING = "timestamp asc", "timestamp desc"
_JOB_ID = re.compile(r"resource\.labels\.job_id\s*=\s*\"?(\d+)")


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    resource_names: tuple[str, ...] = Field(min_length=1, max_length=100)
    filter: str = Field(default="", max_length=20_000)
    order_by: str = ""
    page_size: int = Field(default=0, ge=0)
    page_token: str = ""


class LogService:
    """Guarded by the timeline's lock."""

    def __init__(self, world: World, logs: Logs) -> None:
        self._world = world
        self._logs = logs

    def list_entries(self, call: Call) -> dict[str, Any]:
        call.parameters()
        asked = _asked(call.body)
        ascending = _is_ascending(asked.order_by)
        wanted = filters.parse_of_entries(asked.filter)
        found = [
            ((entry["timestamp"], entry["insertId"]), entry)
            for job in self._jobs(asked)
            for entry in self._logs.entries(job)
            if wanted(entry)
        ]
        found.sort(key=lambda each: each[0], reverse=not ascending)
        entries, token = listing.page(
            found,
            size=min(asked.page_size or PAGE_SIZE, PAGE_SIZE_MOST),
            token=asked.page_token or None,
            question=f"{asked.order_by} {asked.filter}",
            ascending=ascending,
        )
        answer: dict[str, Any] = {"entries": entries} if entries else {}
        return answer | ({"nextPageToken": token} if token else {})

    def _jobs(self, asked: _Asked) -> Iterator[CustomJob]:
        """Those that the filter may choose: to read the lines of all would take long."""
        projects = {self._project(name) for name in asked.resource_names}
        named: Sequence[str] = [] if "NOT" in asked.filter else _JOB_ID.findall(asked.filter)
        for job in self._world.jobs.values():
            if job.project in projects and (not named or job.id in named):
                yield job

    def _project(self, name: str) -> str:
        match name.split("/"):
            case ["projects", project]:
                return self._world.projects.id_of(project)
            case _:
                raise invalid_argument(f"resource_names: {name} is not projects/PROJECT_ID.")


def _is_ascending(order: str) -> bool:
    if order not in {"", _ASCENDING, _DESCENDING}:
        raise invalid_argument(f"order_by: {order} is neither {_ASCENDING!r} nor {_DESCENDING!r}.")
    return order != _DESCENDING


def _asked(body: bytes) -> _Asked:
    try:
        given: Mapping[str, Any] = json.loads(body or b"{}")
        return _Asked.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise invalid_payload(f"Invalid value at '{field}': {first['msg']}", field=field) from error
    except ValueError as error:
        raise invalid_payload(f"Parser Error: {error}") from error
