"""Reads a trace: a CSV file, perhaps compressed, with a job a row. The columns are in docs/simulate.md."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar, cast

from poolqueue.simulation.workload import TracedJob

ALWAYS_NEEDED = ("job_id", "submit_s", "run_s")
LONGEST_SHOWN = 60

_Number = TypeVar("_Number", int, float)


class TraceError(ValueError):
    """A trace that cannot be used: the file, the row and column, the value, and what would be right."""


def read_trace(path: Path, *, needed: Iterable[str] = ()) -> list[TracedJob]:
    """The jobs of a trace in the order of its rows. Raises `TraceError`.

    A blank value is not known; a column may be missing unless it is a job's id, arrival or run time, or
    among `needed`; other columns are not looked at.
    """
    try:
        with _opened(path) as file:
            return list(_jobs(file, path, [*ALWAYS_NEEDED, *needed]))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TraceError(f"{path}: is no whole gzip file ({error}); give the CSV file itself") from error
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}; give a readable CSV file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path}: is no CSV file in UTF-8: {error}") from error


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return cast("IO[str]", gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _jobs(file: IO[str], path: Path, needed: Iterable[str]) -> Iterator[TracedJob]:
    reader = csv.DictReader(file, strict=True)
    columns = reader.fieldnames or ()
    for column in needed:
        if column not in columns:
            told = ", ".join(columns)[:LONGEST_SHOWN] or "none: the file is empty"
            raise TraceError(f"{path}, row 1: has no column {column}; name it in the header (found: {told})")
    rows_of: dict[str, int] = {}
    for fields in reader:
        row = _Row(path=path, number=reader.line_num, fields=fields)
        row.check_length(len(columns))
        job = row.job()
        if job.job_id in rows_of:
            problem = f"is the id of row {rows_of[job.job_id]}, too"
            raise row.error("job_id", job.job_id, problem, "give each job an id of its own")
        rows_of[job.job_id] = row.number
        yield job


@dataclass(frozen=True, kw_only=True)
class _Row:
    path: Path
    number: int
    fields: Mapping[str | None, str | list[str] | None]

    def check_length(self, expected: int) -> None:
        """A row that is cut or has a comma too many would be read in the wrong columns."""
        more = self.fields.get(None) or ()
        found = sum(value is not None for key, value in self.fields.items() if key is not None) + len(more)
        if found != expected:
            told = f"has {found} values for {expected} columns; quote values that hold a comma"
            raise TraceError(f"{self.path}, row {self.number}: {told}")

    def job(self) -> TracedJob:
        return TracedJob(
            job_id=self._text("job_id") or f"row-{self.number}",
            arrives=self._seconds("submit_s", least=-math.inf),
            runs=self._seconds("run_s"),
            gpus=self._whole("gpus", least=1),
            replicas=self._whole("replicas", least=1),
            gpus_per_replica=self._whole("gpus_per_replica", least=0),
            machine=self._text("machine"),
            team=self._text("team"),
            user=self._text("user"),
            group=self._text("group"),
            status=self._text("status"),
            priority=self._whole("priority", least=0),
            requested=self._seconds("requested_s"),
        )

    def error(self, column: str, value: str, problem: str, remedy: str) -> TraceError:
        shown = repr(value[:LONGEST_SHOWN])
        return TraceError(f"{self.path}, row {self.number}, column {column}: {shown} {problem}; {remedy}")

    def _text(self, column: str) -> str:
        value = self.fields.get(column)
        return value.strip() if isinstance(value, str) else ""

    def _seconds(self, column: str, *, least: float = 0.0) -> float | None:
        remedy = "give seconds, such as 3600, or leave it blank if it is not known"
        return self._number(column, float, "is no number of seconds", remedy, least)

    def _whole(self, column: str, *, least: int) -> int | None:
        problem = f"is no whole number of at least {least}"
        remedy = f"give one, such as {max(1, least)}, or leave it blank if it is not known"
        return self._number(column, _whole, problem, remedy, least)

    def _number(
        self, column: str, convert: Callable[[str], _Number], problem: str, remedy: str, least: float
    ) -> _Number | None:
        value = self._text(column)
        if not value:
            return None
        try:
            number = convert(value)
        except ValueError:
            raise self.error(column, value, problem, remedy) from None
        if not math.isfinite(number) or number < least:
            raise self.error(column, value, problem, remedy)
        return number


def _whole(value: str) -> int:
    """Also of `4.0`, as tables write the numbers of a column that has gaps."""
    number = float(value)
    if not number.is_integer():
        raise ValueError(value)
    return int(number)
