"""How `poolctl` fails: one clear line with the remedy, and an exit code that a script can tell apart."""

from __future__ import annotations

from enum import IntEnum

from poolqueue import wiring
from poolqueue.config import Environment
from poolqueue.ports import PublishFailed, StoreUnavailable

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


def failure_of(error: Exception, environment: Environment, project: str) -> Failure | None:
    """Trouble with Google Cloud in an operator's words; None for a fault of ours, to be seen in full."""
    fault = wiring.fault_of(error)
    if fault is None and not isinstance(error, PublishFailed | StoreUnavailable):
        return None
    is_publishing = isinstance(error, PublishFailed)
    if fault == "refused":
        return Failure(f"Google Cloud refuses it: {error.__cause__ or error}", Exit.UNREACHABLE)
    told = _remedy(fault, environment, project, is_publishing=is_publishing)
    return Failure(told, Exit.UNREACHABLE)


def _remedy(fault: str | None, environment: Environment, project: str, *, is_publishing: bool) -> str:
    emulator = environment.pubsub_emulator_host if is_publishing else environment.firestore_emulator_host
    variable = "PUBSUB_EMULATOR_HOST" if is_publishing else "FIRESTORE_EMULATOR_HOST"
    service = "Pub/Sub" if is_publishing else "Firestore"
    match fault:
        case "no_credentials":
            return f"no Google Cloud credentials: {LOGIN}, or name a local system's emulators"
        case "bad_credentials":
            return f"Google Cloud does not accept these credentials: {LOGIN} again"
        case "forbidden":
            role = "roles/pubsub.publisher on the topic" if is_publishing else "roles/datastore.viewer"
            return f"{service} does not allow it in project {project}: ask for {role}"
        case "missing" if is_publishing:
            return f"project {project} has no such topic: name the command topic with --topic"
        case "missing":
            return (
                f"project {project} has no Firestore database {environment.database}: "
                "name it with --database or POOL_QUEUE_DATABASE"
            )
        case _ if emulator is not None:
            return f"{service} does not answer at {emulator}: start it, or correct {variable}"
        case _:
            return f"{service} does not answer: look at the network, and try again"
