"""BatchGetDocuments, RunQuery and counting, on single-field indexes or over a whole collection."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import grpc
from google.cloud.firestore_v1 import types
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[attr-defined, unused-ignore]

from infra.local.firestore.databases import Databases, path_of, time_of
from infra.local.firestore.refusals import Refused, unsupported
from poolqueue.adapters.firestore_values import decode, encode_fields
from poolqueue.adapters.memory_engine import Engine, Record

_EQUAL = types.StructuredQuery.FieldFilter.Operator.EQUAL
_AT_MOST = types.StructuredQuery.FieldFilter.Operator.LESS_THAN_OR_EQUAL
_DESCENDING = types.StructuredQuery.Direction.DESCENDING
_PRODUCT_QUERIES = "ask for one equality, or one field descending (all, or up to a value), or a collection"
_UNLIMITED = 2**31


def batch_get(databases: Databases, request: Any) -> Iterator[Any]:
    engine = databases.engine(request.database)
    if request.WhichOneof("consistency_selector"):
        raise unsupported("transactions and reads of the past", "read outside of a transaction")
    names = list(dict.fromkeys(request.documents))
    mask = _names(request.mask.field_paths) if request.HasField("mask") else None
    records = engine.get([path_of(name, request.database) for name in names])
    now = _now()
    for name, record in zip(names, records, strict=True):
        answer = types.BatchGetDocumentsResponse.pb()(read_time=now)
        if record is None:
            answer.missing = name
        else:
            _fill(answer.found, name, record, mask)
        yield answer


def run_query(databases: Databases, request: Any) -> Iterator[Any]:
    database = request.parent.removesuffix("/documents")
    query = request.structured_query
    records = _matching(databases.engine(database), request)
    mask = _names(field.field_path for field in query.select.fields) if query.HasField("select") else None
    collection = query.from_[0].collection_id
    now = _now()
    for record in records:
        answer = types.RunQueryResponse.pb()(read_time=now)
        _fill(answer.document, f"{database}/documents/{collection}/{record.id}", record, mask)
        yield answer
    if not records:
        yield types.RunQueryResponse.pb()(read_time=now)


def count(databases: Databases, request: Any) -> Iterator[Any]:
    database = request.parent.removesuffix("/documents")
    aggregations = request.structured_aggregation_query.aggregations
    if any(each.WhichOneof("operator") != "count" for each in aggregations):
        raise unsupported("sum and average", "count, or read the documents")
    asked = types.RunQueryRequest.pb()(
        parent=request.parent, structured_query=request.structured_aggregation_query.structured_query
    )
    found = len(_matching(databases.engine(database), asked))
    answer = types.RunAggregationQueryResponse.pb()(read_time=_now())
    for each in aggregations:
        answer.result.aggregate_fields[each.alias].integer_value = found
    yield answer


def _matching(engine: Engine, request: Any) -> Sequence[Record]:
    query = request.structured_query
    _refuse_what_the_product_never_asks(request)
    collection = query.from_[0].collection_id
    limit = query.limit.value if query.HasField("limit") else _UNLIMITED
    asked = query.where.field_filter
    if query.order_by:
        field = _indexed(engine, collection, query.order_by[0].field.field_path)
        until = decode(asked.value) if query.HasField("where") else None
        return engine.newest(collection, field, limit, until=until)
    if query.HasField("where"):
        field = _indexed(engine, collection, asked.field.field_path)
        return engine.equal(collection, field, decode(asked.value), limit)
    return engine.every(collection)[:limit]


def _refuse_what_the_product_never_asks(request: Any) -> None:
    query = request.structured_query
    if request.WhichOneof("consistency_selector"):
        raise unsupported("transactions and reads of the past", "query outside of a transaction")
    is_other = (
        len(query.from_) != 1
        or query.from_[0].all_descendants
        or query.offset
        or any(query.HasField(name) for name in ("start_at", "end_at", "find_nearest"))
        or (query.HasField("where") and not _is_known(query))
        or len(query.order_by) > 1
        or any(order.direction != _DESCENDING for order in query.order_by)
    )
    if is_other:
        raise unsupported("such queries", _PRODUCT_QUERIES)


def _is_known(query: Any) -> bool:
    """An equality without an order, or an upper end on the field of the order."""
    if query.where.WhichOneof("filter_type") != "field_filter":
        return False
    asked = query.where.field_filter
    if not query.order_by:
        return bool(asked.op == _EQUAL)
    return bool(asked.op == _AT_MOST and asked.field.field_path == query.order_by[0].field.field_path)


def _indexed(engine: Engine, collection: str, field_path: str) -> str:
    (field,) = _names([field_path])
    if not engine.is_indexed(collection, field):
        message = f"the query needs an index on {collection}.{field}: see poolqueue/adapters/queries.py"
        raise Refused(grpc.StatusCode.FAILED_PRECONDITION, message)
    return field


def _names(field_paths: Any) -> list[str]:
    """Names of top-level fields. A path in backticks is one name, whatever it contains."""
    names = []
    for path in field_paths:
        if path.startswith("`") and path.endswith("`"):
            names.append(path[1:-1].replace("\\`", "`").replace("\\\\", "\\"))
        elif "." in path:
            raise unsupported("paths into nested fields", "name whole fields")
        else:
            names.append(path)
    return names


def _fill(into: Any, name: str, record: Record, mask: list[str] | None) -> None:
    into.name = name
    into.create_time.CopyFrom(time_of(record.created))
    into.update_time.CopyFrom(time_of(record.version))
    names = record.fields if mask is None else [field for field in mask if field in record.fields]
    encode_fields({field: record.fields[field] for field in names}, into.fields)


def _now() -> Timestamp:
    return time_of(time.time_ns() // 1_000)
