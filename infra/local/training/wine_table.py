"""The table that the arriving-object demo trains on: as CSV text, and read back with its columns checked."""

from __future__ import annotations

import csv
import io
import math
import sys
from pathlib import Path

import numpy as np

from infra.local.training.examples import Floats, Targets
from infra.local.training.program import InputError

TARGET = "cultivar"
FEATURES = (
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity_of_ash",
    "magnesium",
    "total_phenols",
    "flavanoids",
    "nonflavanoid_phenols",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280/od315_of_diluted_wines",
    "proline",
)
COLUMNS = (*FEATURES, TARGET)
FEWEST_ROWS = 40


def wine_csv() -> str:
    """The bundled wine data set as the CSV text that `arrived` expects."""
    from sklearn.datasets import load_wine  # noqa: PLC0415  slow, and reading a table does without

    features, cultivars = load_wine(return_X_y=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        [*map(float, row), int(cultivar)] for row, cultivar in zip(features, cultivars, strict=True)
    )
    return text.getvalue()


def read_table(path: Path) -> tuple[Floats, Targets]:
    """Features and classes of the CSV file at `path`.

    Raises `InputError` with the column and the line of what is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not CSV in UTF-8: {error}") from error
    if not rows:
        raise InputError(f"{path} is empty; its first line must name the columns {', '.join(COLUMNS)}")
    places = _places(path, rows[0])
    if len(rows) - 1 < FEWEST_ROWS:
        raise InputError(f"{path} has {len(rows) - 1} rows; at least {FEWEST_ROWS} are needed")
    values = np.array(
        [
            [_number(path, number, row, places[column], column) for column in COLUMNS]
            for number, row in enumerate(rows[1:], start=2)
        ]
    )
    classes, targets = np.unique(values[:, -1], return_inverse=True)
    if len(classes) == 1:
        raise InputError(f"{path} holds one {TARGET} only: there is nothing to tell apart")
    return values[:, :-1], targets


def _places(path: Path, header: list[str]) -> dict[str, int]:
    names = [name.strip() for name in header]
    missing = [column for column in COLUMNS if column not in names]
    unknown = [name for name in names if name not in COLUMNS]
    problems = []
    if missing:
        problems.append(f"lacks {', '.join(missing)}")
    if unknown:
        problems.append(f"has unknown {', '.join(map(repr, unknown))}")
    if len(set(names)) < len(names):
        problems.append("names a column twice")
    if problems:
        raise InputError(f"the columns of {path} are not as expected: it {'; '.join(problems)}")
    return {column: names.index(column) for column in COLUMNS}


def _number(path: Path, line: int, row: list[str], place: int, column: str) -> float:
    if len(row) != len(COLUMNS):
        raise InputError(f"{path}, line {line}: {len(row)} values instead of {len(COLUMNS)}")
    try:
        number = float(row[place])
    except ValueError as error:
        raise InputError(f"{path}, line {line}: {column} is not a number: {row[place]!r}") from error
    if not math.isfinite(number):
        raise InputError(f"{path}, line {line}: {column} is not a finite number: {row[place]!r}")
    return number


if __name__ == "__main__":
    sys.stdout.write(wine_csv())
