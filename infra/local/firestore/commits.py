"""Commit: whole documents put or deleted, under preconditions, all or none."""

from __future__ import annotations

from typing import Any

import grpc
from google.cloud.firestore_v1 import types

from infra.local.firestore.databases import Databases, path_of, time_of, version_at
from infra.local.firestore.refusals import Refused, invalid, unsupported
from poolqueue.adapters.firestore_values import decode_fields
from poolqueue.adapters.limits import MAX_COMMIT_BYTES, MAX_WRITES, Unstorable, check_path, copied
from poolqueue.adapters.memory_engine import Change, Expect, PreconditionFailed


def commit(databases: Databases, request: Any) -> Any:
    engine = databases.engine(request.database)
    if request.transaction:
        raise unsupported("transactions", "commit with update-time preconditions")
    if request.ByteSize() > MAX_COMMIT_BYTES or len(request.writes) > MAX_WRITES:
        raise invalid(f"a commit holds at most {MAX_WRITES} writes and {MAX_COMMIT_BYTES} bytes")
    changes = [_change(write, request.database) for write in request.writes]
    if len({change.path for change in changes}) < len(changes):
        raise unsupported("second write of a document in one commit", "write it once")
    try:
        written = time_of(engine.apply(changes))
    except PreconditionFailed as error:
        raise _refusal(error) from error
    return types.CommitResponse.pb()(
        write_results=[{} if change.fields is None else {"update_time": written} for change in changes],
        commit_time=written,
    )


def _change(write: Any, database: str) -> Change:
    operation = write.WhichOneof("operation")
    if operation not in {"update", "delete"} or write.HasField("update_mask") or write.update_transforms:
        raise unsupported("writes of single fields", "write whole documents")
    path = path_of(write.delete if operation == "delete" else write.update.name, database)
    try:
        check_path(path)
        fields = None if operation == "delete" else copied(path, decode_fields(write.update.fields)).fields
    except Unstorable as error:
        raise invalid(str(error)) from error
    except ValueError as error:
        raise unsupported(str(error), "store plain values") from error
    return Change(path=path, fields=fields, expect=_expectation(write.current_document))


def _expectation(precondition: Any) -> int | Expect:
    match precondition.WhichOneof("condition_type"):
        case "exists":
            return Expect.PRESENT if precondition.exists else Expect.ABSENT
        case "update_time":
            return version_at(precondition.update_time)
        case _:
            return Expect.ANYTHING


def _refusal(error: PreconditionFailed) -> Refused:
    match error.change.expect:
        case Expect.ABSENT:
            return Refused(grpc.StatusCode.ALREADY_EXISTS, f"document already exists: {error}")
        case Expect.PRESENT:
            return Refused(grpc.StatusCode.NOT_FOUND, f"no document to update: {error}")
        case _:
            message = f"the document's update time is not the one required: {error}"
            return Refused(grpc.StatusCode.FAILED_PRECONDITION, message)
