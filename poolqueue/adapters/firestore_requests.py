"""Our reads, queries and writes as Firestore's requests, and its documents as ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, assert_never, cast

import grpc
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from poolqueue.adapters.firestore_values import decode_fields, encode, encode_fields
from poolqueue.adapters.limits import COMMIT_FIELD
from poolqueue.ports import Conflict, Create, Delete, Document, Query, Replace, Write

# A commit's token survives as many later writes of its document, to be found after a lost answer.
_TOKENS_KEPT = 16

_CHANNEL_OPTIONS = (
    ("grpc.enable_retries", 0),  # a commit is sent again only by us, who know what that means
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
)


@dataclass(frozen=True)
class Client:
    """One database, `projects/P/databases/D`. The connection is made on first use: after a server has forked,
    and never by an import.
    """

    project: str
    database_id: str
    emulator: str | None = None

    @property
    def database(self) -> str:
        return f"projects/{self.project}/databases/{self.database_id}"

    @cached_property
    def api(self) -> FirestoreClient:
        if self.emulator is None:
            channel = FirestoreGrpcTransport.create_channel(options=_CHANNEL_OPTIONS)
        else:
            channel = grpc.insecure_channel(self.emulator, options=_CHANNEL_OPTIONS)
        return FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))

    def close(self) -> None:
        self.api.transport.close()  # type: ignore[no-untyped-call]


def create_client(project: str, database: str = "(default)", *, emulator: str | None = None) -> Client:
    """A client that connects on first use; `emulator` is a HOST:PORT. Raises `ValueError` when the project
    does not suit: an emulator takes only projects that begin with `demo-`, Google Cloud takes none of those.
    """
    if project.startswith("demo-") != (emulator is not None):
        raise ValueError(
            f"project {project!r} with emulator {emulator!r}: demo- projects, and only they, are local"
        )
    return Client(project, database, emulator)


@dataclass(frozen=True, kw_only=True)
class Version:
    """When a document was last written, and by which commits' tokens of late, the latest first.

    The tokens are carried into the next write. `updated` is seconds and nanoseconds; None is a version that
    was overtaken before we learnt it.
    """

    updated: tuple[int, int] | None
    commits: tuple[str, ...] = ()

    @classmethod
    def overtaken(cls) -> Version:
        return cls(updated=None)


def version_of(update_time: Any, write: Create | Replace, token: str) -> Version:
    """The version of what `write` has written."""
    return Version(updated=(update_time.seconds, update_time.nanos), commits=_tokens(write, token))


def document_of(found: Any, path: str) -> Document:
    fields = decode_fields(found.fields)
    version = Version(
        updated=(found.update_time.seconds, found.update_time.nanos),
        commits=tuple(fields.pop(COMMIT_FIELD, ())),
    )
    return Document(path=path, fields=fields, version=version)


def commit_request(
    database: str, writes: Sequence[Write], copies: Sequence[dict[str, Any] | None], token: str
) -> types.CommitRequest:
    """One atomic commit. `copies` are the writes' fields. Raises `Conflict` if a version is overtaken."""
    request = types.CommitRequest.pb()(database=database)
    for write, fields in zip(writes, copies, strict=True):
        _add(request.writes.add(), write, fields or {}, f"{database}/documents/{write.path}", token)
    return cast("types.CommitRequest", types.CommitRequest.wrap(request))


def _add(into: Any, write: Write, fields: dict[str, Any], name: str, token: str) -> None:
    match write:
        case Create() | Replace():
            into.update.name = name
            encode_fields({**fields, COMMIT_FIELD: list(_tokens(write, token))}, into.update.fields)
        case Delete():
            into.delete = name
        case unreachable:
            assert_never(unreachable)
    if isinstance(write, Create):
        into.current_document.exists = False
    else:
        seconds, nanos = _updated(write)
        into.current_document.update_time.seconds = seconds
        into.current_document.update_time.nanos = nanos


def _updated(write: Replace | Delete) -> tuple[int, int]:
    if not isinstance(write.version, Version):
        raise TypeError(f"{write.path}: {write.version!r} is no version of this store")
    if write.version.updated is None:
        raise Conflict(f"{write.path}: the version was overtaken")
    return write.version.updated


def _tokens(write: Create | Replace, token: str) -> tuple[str, ...]:
    earlier = (
        write.version.commits if isinstance(write, Replace) and isinstance(write.version, Version) else ()
    )
    return (token, *earlier)[:_TOKENS_KEPT]


def query_request(database: str, query: Query) -> types.RunQueryRequest:
    request = types.RunQueryRequest.pb()(parent=f"{database}/documents")
    structured = request.structured_query
    structured.from_.add(collection_id=query.collection)
    operators = types.StructuredQuery.FieldFilter.Operator
    filters = [(name, operators.EQUAL, value) for name, value in query.where.items()]
    if query.until is not None and query.newest_first is not None:
        filters.append((query.newest_first, operators.LESS_THAN_OR_EQUAL, query.until))
    for name, operator, value in filters:
        structured.where.field_filter.field.field_path = name
        structured.where.field_filter.op = operator
        encode(value, structured.where.field_filter.value)
    if query.newest_first is not None:
        direction = types.StructuredQuery.Direction.DESCENDING
        structured.order_by.add(field={"field_path": query.newest_first}, direction=direction)
    if query.select is not None:
        for name in (*query.select, COMMIT_FIELD):
            structured.select.fields.add(field_path=_quoted(name))
    structured.limit.value = query.limit
    return cast("types.RunQueryRequest", types.RunQueryRequest.wrap(request))


def _quoted(name: str) -> str:
    """A field's name as a field path: dots and the like are part of the name."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
