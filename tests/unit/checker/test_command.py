"""The checker as a command: what it prints, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.local.checker.__main__ import main
from tests.unit.checker.journals import JournalBuilder, written


def saved(journal: JournalBuilder, directory: Path) -> Path:
    path = directory / "journal.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in journal.lines))
    return path


@pytest.fixture(params=["80", "120", "200"])
def _width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", request.param)


@pytest.mark.usefixtures("_width")
def test_jobs_pools_and_the_absence_of_findings_are_shown_in_any_width(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = written()
    journal.whole("first", {"large": 8, "small": 1})
    assert main([str(saved(journal, tmp_path))]) == 0
    shown = capsys.readouterr().out
    assert "vision/first" in shown
    assert "peak 8 of 8" in shown
    assert "peak 1 of 3" in shown
    assert "Nothing found" in shown


def test_findings_are_shown_and_make_the_exit_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = written()
    journal.whole("first", {"large": 9})
    assert main([str(saved(journal, tmp_path))]) == 1
    assert "9 taken of 8" in " ".join(capsys.readouterr().out.split())


def test_the_report_as_json_holds_jobs_pools_and_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = written()
    journal.whole("first", {"small": 1})
    journal.create("second", {"small": 1})
    assert main([str(saved(journal, tmp_path)), "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert [each["job"] for each in shown["jobs"]] == ["first", "second"]
    assert {pool["pool"]: pool["peak"] for pool in shown["pools"]} == {"small": 1, "large": 0}
    assert [finding["kind"] for finding in shown["findings"]] == ["no_end"]


def test_only_the_first_of_many_jobs_are_shown_unless_all_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = written()
    for number in range(45):
        journal.whole(f"job-{number}", {"small": 1})
    path = str(saved(journal, tmp_path))
    main([path])
    assert "… and 5 more" in capsys.readouterr().out
    main([path, "--all"])
    assert "vision/job-44" in capsys.readouterr().out


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    path = saved(written(), tmp_path)
    with path.open("a") as file:
        file.write('{"at": "2026-11-23T17')
    assert main([str(path)]) == 0


def test_an_empty_journal_is_said_to_be_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(saved(JournalBuilder(), tmp_path))]) == 0
    assert "The journal is empty" in capsys.readouterr().out


def test_a_journal_that_is_not_there_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "absent")]) == 2
    assert "No such file" in capsys.readouterr().err
