from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.in_force import SettingsSource
from poolqueue.ports import Document, StoreUnavailable
from poolqueue.records import SettingsVersion
from poolqueue.records.settings import CURRENT, DEPLOYED, digest_of, write_current
from tests.unit.config.building import settings, text


class Bench:
    """A source on a store that counts its reads, and fails them when told to, with a clock of its own."""

    def __init__(self) -> None:
        self.store = MemoryDocuments()
        self.reads = 0
        self.is_down = False
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.source = SettingsSource(
            self, settings(), text="the file", project="demo-p", clock=lambda: self.now
        )

    def read(self, paths: Sequence[str]) -> list[Document]:
        self.reads += 1
        if self.is_down:
            raise StoreUnavailable("down")
        return self.store.read(paths)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def apply(self, version: int, body: str) -> None:
        applied = SettingsVersion(
            version=version, text=body, digest=digest_of(body), author="a", reason="r", at=self.now
        )
        document = self.store.read([CURRENT])[0]
        self.store.commit([document.written(write_current(applied))])

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @property
    def pace(self) -> int:
        return self.source.in_force().settings.pacing.creates_per_minute


@pytest.fixture
def bench() -> Bench:
    return Bench()


def paced(number: int) -> str:
    return text(pacing={"creates_per_minute": number})


def test_the_deployed_file_is_in_force_until_something_is_applied(bench: Bench) -> None:
    assert (bench.pace, bench.source.in_force().version) == (50, 0)

    bench.apply(1, paced(7))
    bench.later(30)

    assert (bench.pace, bench.source.in_force().version) == (7, 1)


def test_settings_are_read_once_in_30_seconds(bench: Bench) -> None:
    for _ in range(100):
        assert bench.pace == 50
        bench.later(0.29)
    assert bench.reads == 1

    bench.later(1)
    assert bench.pace == 50
    assert bench.reads == 2


def test_who_knows_of_a_newer_version_gets_it_at_once(bench: Bench) -> None:
    bench.apply(1, paced(7))
    assert bench.pace == 7
    bench.apply(2, paced(8))

    assert bench.source.in_force().version == 1
    assert bench.source.in_force(at_least=2).version == 2
    bench.source.in_force(at_least=2)
    assert bench.reads == 2


def test_unchanged_settings_stay_the_same_value(bench: Bench) -> None:
    bench.apply(1, paced(7))
    before = bench.source.in_force()
    bench.later(31)

    assert bench.source.in_force() is before


def test_a_read_that_fails_keeps_the_last(bench: Bench) -> None:
    bench.apply(1, paced(7))
    assert bench.pace == 7
    bench.is_down = True
    bench.later(31)

    assert bench.pace == 7
    bench.later(29)
    assert (bench.pace, bench.reads) == (7, 2)


def test_the_first_read_must_succeed(bench: Bench) -> None:
    bench.is_down = True

    with pytest.raises(StoreUnavailable):
        bench.source.in_force()
    bench.is_down = False
    assert bench.pace == 50


def test_settings_that_this_version_cannot_read_leave_the_deployed_ones(bench: Bench) -> None:
    bench.apply(1, paced(7).replace("pacing", "of_a_later_version"))

    assert bench.pace == 50


def test_a_text_without_a_project_is_of_the_installations(bench: Bench) -> None:
    bench.apply(1, paced(7).replace('"project": "demo-p", ', ""))

    assert bench.source.in_force().settings.project == "demo-p"


def test_the_deployed_file_is_noted_once_for_whoever_compares(bench: Bench) -> None:
    bench.source.note_deployed()
    bench.source.note_deployed()

    fields = bench.store.read([DEPLOYED])[0].fields
    assert fields is not None
    assert fields["text"] == "the file"
    assert bench.reads == 1
