"""What replicas print becomes lines, each once, and when it is complete."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.vertex import outputs
from infra.local.vertex.outputs import Outputs


def write(directory: Path, content: bytes, replica: str = "workerpool0-0") -> None:
    (directory / "1").mkdir(exist_ok=True)
    with (directory / "1" / f"{replica}.log").open("ab") as file:
        file.write(content)


def texts(found: Outputs, ended: str | None = None) -> list[str]:
    return [each.text for each in found.fresh("1", ended=ended)]


def test_a_line_is_told_once_and_when_it_is_complete(tmp_path: Path) -> None:
    found = Outputs(tmp_path)
    write(tmp_path, b"one\n\ntw")

    assert texts(found) == ["one", ""]
    assert texts(found) == []

    write(tmp_path, b"o\nthree")

    assert texts(found) == ["two"]
    assert texts(found, ended="workerpool0-0") == ["three"]
    assert texts(found, ended="workerpool0-0") == []


def test_each_replica_has_its_own(tmp_path: Path) -> None:
    write(tmp_path, b"a\nb")
    write(tmp_path, b"c\nd", "workerpool1-0")

    found = [(each.replica, each.text) for each in Outputs(tmp_path).fresh("1", ended="workerpool1-0")]

    assert found == [("workerpool0-0", "a"), ("workerpool1-0", "c"), ("workerpool1-0", "d")]


def test_what_is_no_text_is_told_as_far_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, b"\xff\xfe ok\n")

    assert texts(Outputs(tmp_path)) == ["�� ok"]


def test_much_is_told_bit_by_bit_and_all_of_it_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "READ_BYTES", 10)
    write(tmp_path, b"12345\n" * 10)
    found = Outputs(tmp_path)

    assert texts(found) == ["12345"]
    assert texts(found, ended="workerpool0-0") == ["12345"] * 9


def test_a_line_without_an_end_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "READ_BYTES", 10)
    monkeypatch.setattr(outputs, "LONGEST_LINE_BYTES", 5)
    write(tmp_path, b"1234567890")

    assert texts(Outputs(tmp_path)) == ["12345"]
