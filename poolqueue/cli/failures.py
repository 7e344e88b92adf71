"""How `poolctl` fails: one clear line with the remedy, and an exit code that a script can tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from poolqueue import wiring
from poolqueue.config import Environment
from poolqueue.ports import LogsUnavailable, PublishFailed, StoreUnavailable

LOGIN = "run `gcloud auth application-default login`"


class Exit(IntEnum):
    """`poolctl`'s exit codes."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NO_ANSWER = 3
    UNREACHABLE = 4
    INTERRUPTED = 130


class Failure(Exception):
    """What went wrong and what to do about it."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(frozen=True, kw_only=True)
class _Service:
    """What failed, and what there is to say of it. `local` is where it is on one machine, if it is."""

    name: str
    role: str
    missing: str
    local: str | None
    variable: str


def failure_of(error: Exception, environment: Environment, project: str) -> Failure | None:
    """Trouble with Google Cloud in an operator's words; None for a fault of ours, to be seen in full."""
    fault = wiring.fault_of(error)
    if fault is None and not isinstance(error, PublishFailed | StoreUnavailable | LogsUnavailable):
        return None
    if fault == "refused":
        return Failure(f"Google Cloud refuses it: {error.__cause__ or error}", Exit.UNREACHABLE)
    return Failure(_remedy(fault, _service(error, environment), project), Exit.UNREACHABLE)


def _service(error: Exception, environment: Environment) -> _Service:
    match error:
        case PublishFailed():
            return _Service(
                name="Pub/Sub",
                role="roles/pubsub.publisher on the topic",
                missing="such topic: name the command topic with --topic",
                local=environment.pubsub_emulator_host,
                variable="PUBSUB_EMULATOR_HOST",
            )
        case LogsUnavailable():
            return _Service(
                name="Cloud Logging",
                role="roles/logging.viewer",
                missing="logs: it may have been deleted",
                local=environment.logging_endpoint,
                variable="POOL_QUEUE_LOGGING_ENDPOINT",
            )
        case _:
            named = "name it with --database or POOL_QUEUE_DATABASE"
            return _Service(
                name="Firestore",
                role="roles/datastore.viewer",
                missing=f"Firestore database {environment.database}: {named}",
                local=environment.firestore_emulator_host,
                variable="FIRESTORE_EMULATOR_HOST",
            )


def _remedy(fault: str | None, service: _Service, project: str) -> str:
    match fault:
        case "no_credentials":
            return f"no Google Cloud credentials: {LOGIN}, or name a local system's emulators"
        case "bad_credentials":
            return f"Google Cloud does not accept these credentials: {LOGIN} again"
        case "forbidden":
            return f"{service.name} does not allow it in project {project}: ask for {service.role}"
        case "missing":
            return f"project {project} has no {service.missing}"
        case _ if service.local is not None:
            return (
                f"{service.name} does not answer at {service.local}: start it, or correct {service.variable}"
            )
        case _:
            return f"{service.name} does not answer: look at the network, and try again"
