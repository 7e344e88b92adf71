"""The engine in memory: its indexes tell the truth at a cost that follows the results."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolqueue.adapters.memory_engine import Change, Engine, Expect, PreconditionFailed

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def put(engine: Engine, name: str, fields: dict[str, Any] | None) -> int:
    return engine.apply([Change(path=f"jobs/{name}", fields=fields, expect=Expect.ANYTHING)])


class CountingDict(dict[str, Any]):
    """Counts what is looked at."""

    looks = 0

    def __getitem__(self, key: str) -> Any:
        self.looks += 1
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the whole collection is looked at")

    values = items = __iter__


def test_a_query_looks_at_its_results_only() -> None:
    engine = Engine()
    for number in range(2_000):
        put(engine, f"old-{number}", {"ended_at": NOON + timedelta(seconds=number), "inbox": "other"})
    put(engine, "arrival", {"inbox": "r1"})
    counting = CountingDict(engine._collections["jobs"])
    engine._collections["jobs"] = counting
    assert [record.id for record in engine.equal("jobs", "inbox", "r1", 100)] == ["arrival"]
    assert counting.looks == 1
    assert len(engine.newest("jobs", "ended_at", 5)) == 5
    assert counting.looks == 6


_FIELDS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "inbox": st.sampled_from(["r1", "r2"]),
        "ended_at": st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours)),
    },
)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), _FIELDS), max_size=30))
def test_indexes_agree_with_a_search_of_everything(puts: list[tuple[str, dict[str, Any] | None]]) -> None:
    engine, model = Engine(), {}
    for name, fields in puts:
        put(engine, name, fields)
        model[name] = fields or {}
    at_r1 = sorted(name for name, fields in model.items() if fields.get("inbox") == "r1")
    ended = sorted(
        ((fields["ended_at"], name) for name, fields in model.items() if "ended_at" in fields), reverse=True
    )
    assert [record.id for record in engine.equal("jobs", "inbox", "r1", 100)] == at_r1
    assert [record.id for record in engine.newest("jobs", "ended_at", 100)] == [name for _, name in ended]


def test_values_of_different_types_share_an_index() -> None:
    engine = Engine()
    for name, value in {"a": None, "b": True, "c": 1, "d": NOON, "e": "1", "f": b"1", "g": [1]}.items():
        put(engine, name, {"inbox": value})
    for value, expected in ((1, ["c"]), (True, ["b"]), ("1", ["e"]), (b"1", ["f"]), (NOON, ["d"]), ([1], [])):
        assert [record.id for record in engine.equal("jobs", "inbox", value, 10)] == expected


def test_versions_increase_whatever_the_clock_does() -> None:
    engine = Engine(tick=lambda last: max(last + 1, 100))
    assert [put(engine, "a", {}) for _ in range(3)] == [100, 101, 102]


@pytest.mark.parametrize(
    ("expect", "holds_when_absent", "holds_when_present"),
    [
        (Expect.ANYTHING, True, True),
        (Expect.ABSENT, True, False),
        (Expect.PRESENT, False, True),
        (1, False, True),
    ],
)
def test_a_change_is_made_only_if_it_finds_what_it_expects(
    expect: int | Expect, *, holds_when_absent: bool, holds_when_present: bool
) -> None:
    for is_present, holds in ((False, holds_when_absent), (True, holds_when_present)):
        engine = Engine()
        if is_present:
            put(engine, "a", {})
        change = Change(path="jobs/a", fields={"n": 1}, expect=expect)
        if holds:
            engine.apply([change])
        else:
            with pytest.raises(PreconditionFailed):
                engine.apply([change])
