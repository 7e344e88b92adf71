"""Traces: what is read of one, and how each thing that is wrong is told."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from poolqueue.simulation.trace import TraceError, read_trace
from tests.unit.simulation.building import HEADER, trace

GOOD = "a,5,60,8,2,4,ann,vision,3600,completed"


def refused(path: Path, **options) -> str:
    with pytest.raises(TraceError) as caught:
        read_trace(path, **options)
    return str(caught.value)


def test_a_row_is_read_in_full(tmp_path: Path) -> None:
    (job,) = read_trace(trace(tmp_path, GOOD))

    assert (job.job_id, job.arrives, job.runs, job.requested) == ("a", 5, 60, 3600)
    assert (job.gpus, job.replicas, job.gpus_per_replica) == (8, 2, 4)
    assert (job.user, job.group, job.status) == ("ann", "vision", "completed")


def test_blank_values_are_not_known(tmp_path: Path) -> None:
    (job,) = read_trace(trace(tmp_path, "a,5,,,,, ,,,"))

    assert (job.runs, job.gpus, job.replicas, job.gpus_per_replica, job.requested) == (None,) * 5
    assert (job.user, job.group) == ("", "")


def test_a_row_without_an_id_is_called_by_its_place(tmp_path: Path) -> None:
    first, second = read_trace(trace(tmp_path, ",1,1,,,,,,,", ",2,1,,,,,,,"))

    assert (first.job_id, second.job_id) == ("row-2", "row-3")


def test_a_compressed_trace_is_read(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n{GOOD}\n".encode()))

    assert [job.job_id for job in read_trace(path)] == ["a"]


def test_columns_may_be_more_fewer_and_in_any_order(tmp_path: Path) -> None:
    header = "note,run_s,machine,job_id,team,submit_s,priority"
    (job,) = read_trace(trace(tmp_path, '"x, y",60,a2,a,vision,5,80', header=header))

    assert (job.machine, job.team, job.priority, job.runs, job.gpus) == ("a2", "vision", 80, 60, None)


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(b"\xef\xbb\xbfjob_id,submit_s,run_s,gpus\r\na,5.5,60.25,4.0\r\n")
    (job,) = read_trace(path)

    assert (job.job_id, job.arrives, job.runs, job.gpus) == ("a", 5.5, 60.25, 4)


@pytest.mark.parametrize("column", ["job_id", "submit_s", "run_s", "gpus"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    path = trace(tmp_path, header=HEADER.replace(column, "other", 1))

    assert refused(path, needed=["gpus"]).startswith(f"{path}, row 1: has no column {column}; name it")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,5,12x,8,2,4,,,,", "column run_s: '12x' is no number of seconds; give seconds, such as 3600, or"),
        ("a,5,-1,8,2,4,,,,", "column run_s: '-1' is no number of seconds"),
        ("a,5,nan,8,2,4,,,,", "column run_s: 'nan' is no number of seconds"),
        ("a,inf,1,8,2,4,,,,", "column submit_s: 'inf' is no number of seconds"),
        ("a,5,1,8,2,4,,,soon,", "column requested_s: 'soon' is no number of seconds"),
        ("a,5,1,0,2,4,,,,", "column gpus: '0' is no whole number of at least 1; give one, such as 1, or"),
        ("a,5,1,8,2.5,4,,,,", "column replicas: '2.5' is no whole number of at least 1"),
        ("a,5,1,8,2,-4,,,,", "column gpus_per_replica: '-4' is no whole number of at least 0"),
        ("a,5,1,1e400,2,4,,,,", "column gpus: '1e400' is no whole number"),
        ("a,5,1", "has 3 values for 10 columns"),
        ("a,5,1,8,2,4,,,,,", "has 11 values for 10 columns; quote values that hold a comma"),
        ("z,5,1,8,2,4,,,,", "column job_id: 'z' is the id of row 2, too; give each job an id of its own"),
    ],
)
def test_what_is_wrong_is_told_with_row_column_value_and_remedy(tmp_path: Path, row: str, told: str) -> None:
    path = trace(tmp_path, "z,1,1,1,1,1,,,,", row)

    assert refused(path).startswith(f"{path}, row 3")
    assert told in refused(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"

    assert refused(path) == f"{path}: No such file or directory; give a readable CSV file"


@pytest.mark.parametrize("kept", [0, 20, -1])
def test_a_file_that_is_no_whole_gzip_is_told(tmp_path: Path, kept: int) -> None:
    whole = gzip.compress(f"{HEADER}\n{GOOD}\n".encode())
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(whole[:kept] or HEADER.encode())

    assert "is no whole gzip file" in refused(path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'job_id,submit_s,run_s\n"a,1,2\n'])
def test_a_file_that_is_no_csv_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace.csv"
    path.write_bytes(content)

    assert "is no CSV file in UTF-8" in refused(path)


def test_an_empty_file_has_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("")

    assert "has no column job_id; name it in the header (found: none: the file is empty)" in refused(path)
