"""Sizes are Firestore's own, and what is storable survives the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from google.cloud.firestore_v1 import types
from hypothesis import given
from hypothesis import strategies as st

from poolqueue.adapters.firestore_values import decode, decode_fields, encode_fields
from poolqueue.adapters.limits import copied


class State(StrEnum):
    QUEUED = "queued"


class Level(IntEnum):
    HIGH = 3


def over_the_wire(fields: dict[str, Any]) -> dict[str, Any]:
    sent = types.Document.pb()()
    encode_fields(fields, sent.fields)
    return decode_fields(types.Document.pb().FromString(sent.SerializeToString()).fields)


def test_a_document_weighs_what_firestores_page_on_storage_size_says() -> None:
    fields = {"type": "Personal", "done": False, "priority": 1, "description": "Learn Cloud Firestore"}
    name, values, overhead = 6 + 11 + 16, 71, 32
    assert copied("tasks/my_task_id", fields).size == name + values + overhead


def test_nested_values_weigh_with_their_names() -> None:
    empty = copied("jobs/a", {"lines": []}).size
    assert copied("jobs/a", {"lines": ["ü"]}).size == empty + 3
    assert copied("jobs/a", {"lines": [{"n": 1}]}).size == empty + 32 + 2 + 8


def test_the_weight_on_the_wire_is_never_underrated() -> None:
    fields = {"lines": [{"a": True, "b": -1, "c": None, "at": datetime(2026, 1, 1, tzinfo=UTC)}] * 100}
    sent = types.Document.pb()(name="jobs/a")
    encode_fields(fields, sent.fields)
    assert copied("jobs/a", fields).wire_bytes >= sent.ByteSize()


def test_special_kinds_of_plain_values_are_stored_as_plain_ones() -> None:
    at = datetime(2026, 11, 23, 1, tzinfo=timezone(timedelta(hours=1)))
    copy = copied("jobs/a", {"state": State.QUEUED, "level": Level.HIGH, "at": at}).fields
    assert copy == {"state": "queued", "level": 3, "at": datetime(2026, 11, 23, tzinfo=UTC)}
    assert [type(value) for value in copy.values()] == [str, int, datetime]
    assert copy["at"].tzinfo is UTC


def test_a_value_that_the_product_never_stores_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="geo_point_value"):
        decode(types.Value.pb()(geo_point_value={"latitude": 1.0}))


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.datetimes(timezones=st.just(UTC))
)
_NAMES = st.text(min_size=1, max_size=10).filter(lambda name: not name.startswith("__"))
_MAPS = st.recursive(
    st.dictionaries(_NAMES, _SCALARS, max_size=3),
    lambda maps: st.dictionaries(_NAMES, _SCALARS | maps | st.lists(_SCALARS | maps, max_size=3), max_size=3),
    max_leaves=10,
)


@given(_MAPS)
def test_what_is_storable_comes_back_from_the_wire_as_it_was(fields: dict[str, Any]) -> None:
    copy = copied("jobs/a", fields).fields
    assert copy == fields
    assert over_the_wire(copy) == fields
