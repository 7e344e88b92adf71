"""How a custom job is going to end, and the error texts that go with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.local.vertex.behaviours import InjectedEnding
from infra.local.vertex.custom_jobs import State
from infra.local.vertex.runs import ReplicaExit

_CANCELLED, _INVALID_ARGUMENT, _DEADLINE_EXCEEDED, _RESOURCE_EXHAUSTED, _INTERNAL = 1, 3, 4, 8, 13
_KILLED = 137  # SIGKILL, as the kernel sends it to a program that takes too much memory


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The state a job ends in, once its replicas are gone; `error` is a `google.rpc.Status`."""

    state: State
    error: Mapping[str, Any] | None = None


def _failed(code: int, message: str) -> Verdict:
    return Verdict(state=State.FAILED, error={"code": code, "message": message})


CANCELLED = Verdict(state=State.CANCELLED, error={"code": _CANCELLED, "message": "CANCELED"})
INTERRUPTED = _failed(_INTERNAL, "Internal error occurred for the current attempt")


def on_exit(ended: ReplicaExit) -> Verdict:
    if ended.exit_code == 0:
        return Verdict(state=State.SUCCEEDED)
    if ended.exit_code == _KILLED:
        message = (
            f"The replica {ended.replica} ran out of memory and exited with a non-zero status of {_KILLED}."
        )
        return _failed(_INVALID_ARGUMENT, message)
    message = (
        f"The replica {ended.replica} exited with a non-zero status of {ended.exit_code}. "
        "Termination reason: Error."
    )
    return _failed(_INVALID_ARGUMENT, message)


def injected(ending: InjectedEnding) -> Verdict:
    return _failed(ending.code, ending.message)


def without_room(location: str) -> Verdict:
    message = (
        f"Resources are insufficient in region: {location}. "
        "Try a different region or use a different accelerator."
    )
    return _failed(_RESOURCE_EXHAUSTED, message)


def without_image(image: str) -> Verdict:
    return _failed(_INVALID_ARGUMENT, f"The image {image} could not be pulled.")


def timed_out(state: State) -> Verdict:
    code = _DEADLINE_EXCEEDED if state is State.FAILED else _CANCELLED
    return Verdict(state=state, error={"code": code, "message": "The job ran longer than its timeout."})
