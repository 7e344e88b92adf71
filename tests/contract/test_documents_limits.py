"""What production refuses is refused by our own checks, and what is just within is stored everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from poolqueue.adapters.counts import Counts
from poolqueue.adapters.limits import (
    COMMIT_FIELD_BYTES,
    MAX_DEPTH,
    MAX_DOCUMENT_BYTES,
    MAX_FIELD_BYTES,
    MAX_NAME_BYTES,
    MAX_WRITES,
    Unstorable,
)
from poolqueue.ports import Create, Write
from tests.contract.conftest import Store


def nested(depth: int) -> Any:
    value: Any = "innermost"
    for _ in range(depth):
        value = {"in": value}
    return value


def job(fields: dict[Any, Any], name: str = "blue.resnet") -> list[Write]:
    return [Create(path=f"jobs/{name}", fields=fields)]


TOO_MUCH = {
    "a document over 1 MiB": job({"a": "x" * 600_000, "b": b"x" * 600_000}),
    "a field over its limit": job({"a": "x" * MAX_FIELD_BYTES}),
    "multi-byte text over the limit": job({"a": "ü" * (MAX_FIELD_BYTES // 2 + 1)}),
    "maps nested too deep": job({"a": nested(MAX_DEPTH + 1)}),
    "a list in a list": job({"a": [[1]]}),
    "a tuple": job({"a": (1, 2)}),
    "a set": job({"a": {1, 2}}),
    "an int over 64 bits": job({"a": 2**63}),
    "a datetime without a zone": job({"a": datetime(2026, 11, 23)}),  # noqa: DTZ001 - that is the point
    "a lone surrogate": job({"a": "\ud800"}),
    "a field named by a number": job({1: "a"}),
    "a field without a name": job({"": "a"}),
    "a reserved field name": job({"__name__": "a"}),
    "the store's own field": job({"_commit": ["a"]}),
    "a long field name": job({"x" * (MAX_NAME_BYTES + 1): 1}),
    "a reserved id": job({}, "__id__"),
    "the id .": job({}, "."),
    "the id ..": job({}, ".."),
    "an empty id": job({}, ""),
    "a slash in an id": job({}, "a/b"),
    "a long id": job({}, "ü" * (MAX_NAME_BYTES // 2 + 1)),
    "no collection": [Create(path="job", fields={})],
    "a document twice": job({}) + job({}),
    "too many writes": [Create(path=f"jobs/{n}", fields={}) for n in range(MAX_WRITES + 1)],
    "a commit over 10 MiB": [Create(path=f"jobs/{n}", fields={"a": "x" * 10**6}) for n in range(11)],
}

JUST_WITHIN = {
    "maps nested deep": job({"a": nested(MAX_DEPTH)}),
    "a long id": job({}, "x" * MAX_NAME_BYTES),
    "a long field name": job({"x" * MAX_NAME_BYTES: 1}),
    "a large document": job({"a": "x" * (MAX_DOCUMENT_BYTES - COMMIT_FIELD_BYTES - 100)}),
    "many writes": [Create(path=f"jobs/{n}", fields={}) for n in range(MAX_WRITES)],
    "an almost reserved name": job({"__a": 1, "a__": 1, "_": 1}, "__a_"),
}


@pytest.mark.parametrize("writes", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_production_would_refuse_is_refused_before_it_is_sent(store: Store, writes: list[Write]) -> None:
    with pytest.raises(Unstorable):
        store.documents.commit(writes)
    assert store.documents.counts == Counts()


@pytest.mark.parametrize("writes", JUST_WITHIN.values(), ids=JUST_WITHIN)
def test_what_is_just_within_the_limits_is_stored(store: Store, writes: list[Write]) -> None:
    store.documents.commit(writes)
    found = store.documents.read([write.path for write in writes])
    assert [each.fields for each in found] == [write.fields for write in writes]


def test_a_refusal_names_the_place_and_not_the_value(store: Store) -> None:
    with pytest.raises(Unstorable, match=r"jobs/blue\.resnet.*env\.0\.token") as refusal:
        store.documents.commit(job({"env": {"0": {"token": "secret\ud800"}}}))
    assert "secret" not in str(refusal.value)


def test_reading_refuses_what_cannot_be_a_path(store: Store) -> None:
    with pytest.raises(Unstorable):
        store.documents.read(["jobs/a/b"])
