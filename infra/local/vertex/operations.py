"""Long-running operations: their names, and whether they are done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infra.local.vertex.errors import not_found
from infra.local.vertex.names import now, numeric_id, rfc3339
from infra.local.vertex.timeline import Timeline

Finish = Callable[[], dict[str, Any] | None]

_RETRY_SECONDS = 0.02
EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}
_PACKAGE = "type.googleapis.com/google.cloud.aiplatform.v1"


class Operations:
    """Guarded by the timeline's lock."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._operations: dict[str, dict[str, Any]] = {}

    def begin(self, parent: str, metadata: str, seconds: float, finish: Finish) -> dict[str, Any]:
        """`finish` is called after `seconds`, and again until it returns the operation's response."""
        at = rfc3339(now())
        generic = {"createTime": at, "updateTime": at}
        operation: dict[str, Any] = {
            "name": f"{parent}/operations/{numeric_id()}",
            "metadata": {"@type": f"{_PACKAGE}.{metadata}", "genericMetadata": generic},
        }
        self._operations[_id(operation["name"])] = operation

        def try_to_finish() -> None:
            response = finish()
            if response is None:
                self._timeline.after(max(seconds, _RETRY_SECONDS), try_to_finish)
            else:
                operation.update(done=True, response=response)

        self._timeline.after(seconds, try_to_finish)
        return dict(operation)

    def get(self, operation_id: str) -> dict[str, Any]:
        if operation_id not in self._operations:
            raise not_found(f"Operation {operation_id} is not found.")
        return dict(self._operations[operation_id])


def response(message: str, rendered: dict[str, Any]) -> dict[str, Any]:
    return {"@type": f"{_PACKAGE}.{message}", **rendered}


def _id(name: str) -> str:
    return name.rsplit("/", 1)[-1]
