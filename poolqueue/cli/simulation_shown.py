"""Draws the figures of simulations: as tables, as plain lines, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from poolqueue.cli.plain import aligned
from poolqueue.cli.tables import plain_table
from poolqueue.simulation.metrics import By, Figures, Waits
from poolqueue.viewing.text import safe, short_time

Parts = Mapping[str, Mapping[str, Waits]]
"""Per policy, the waits of each user, group, team or size."""

MOST_PARTS_DRAWN = 10
NAME_LIMIT = 24
DAY_SECONDS = 86_400
MANY_DAYS = 100
MANY = 100
VERY_MANY = 1_000_000
UNKNOWN = "(unknown)"

_WAITS = {
    "mean_wait_s": "mean",
    "p50_wait_s": "p50",
    "p90_wait_s": "p90",
    "p95_wait_s": "p95",
    "max_wait_s": "max",
}
_PARTS = {name: title for name, title in _WAITS.items() if name != "p95_wait_s"}  # names need the room


# --- for a terminal --------------------------------------------------------------------------------------


def figures_table(found: Mapping[str, Figures]) -> Table:
    """A row per policy."""
    table = plain_table()
    table.add_column("policy", no_wrap=True)
    add_waits_columns(table)
    table.add_column("used", justify="right", no_wrap=True)
    for policy, each in found.items():
        table.add_row(policy, *waits_cells(each), f"{each.utilisation:.1%}")
    return table


def parts_table(found: Parts, by: By) -> Table:
    """For each of the first parts a row per policy."""
    table = plain_table()
    table.add_column(by.value, min_width=len(UNKNOWN))
    table.add_column("jobs", justify="right", no_wrap=True)
    table.add_column("policy", no_wrap=True)
    add_waits_columns(table, _PARTS)
    for part in list(next(iter(found.values())))[:MOST_PARTS_DRAWN]:
        title, jobs = _name(part), f"{next(iter(found.values()))[part].jobs:,}"
        for policy, parts in found.items():
            name = Text(title, no_wrap=True, overflow="ellipsis")
            table.add_row(name, jobs, policy, *waits_cells(parts[part], _PARTS))
            title = jobs = ""
    return table


def add_waits_columns(table: Table, columns: Mapping[str, str] = _WAITS) -> None:
    for title in (*columns.values(), "slowdown"):
        table.add_column(title, justify="right", no_wrap=True)


def waits_cells(waits: Waits, columns: Iterable[str] = _WAITS) -> Iterable[str]:
    """For the columns that `add_waits_columns` adds."""
    yield from (_span(getattr(waits, name)) for name in columns)
    yield _ratio(waits.mean_bounded_slowdown)


def _span(seconds: float) -> str:
    """In at most six characters."""
    days = seconds / DAY_SECONDS
    return short_time(timedelta(seconds=seconds)) if days < MANY_DAYS else f"{days:.0f}d"


def _ratio(value: float) -> str:
    """In at most seven characters."""
    if value < MANY:
        return f"{value:.1f}"
    return f"{value:,.0f}" if value < VERY_MANY else f"{value:.1e}"


def _name(part: str) -> str:
    return safe(part, limit=NAME_LIMIT) or UNKNOWN


# --- for pipes and programs ------------------------------------------------------------------------------


def figures_lines(found: Mapping[str, Figures]) -> list[str]:
    rows = [{"policy": policy, **figures_fields(each)} for policy, each in found.items()]
    return rows_as_lines(rows)


def parts_lines(found: Parts, by: By) -> list[str]:
    rows = [
        {by.value: safe(part) or UNKNOWN, "policy": policy, **figures_fields(parts[part])}
        for part in next(iter(found.values()))
        for policy, parts in found.items()
    ]
    return rows_as_lines(rows)


def figures_fields(found: Waits) -> dict[str, Any]:
    """Seconds to the millisecond, ratios to six digits."""
    digits = {"mean_bounded_slowdown": 6, "utilisation": 6}
    return {name: round(value, digits.get(name, 3)) for name, value in asdict(found).items()}


def parts_fields(parts: Mapping[str, Waits]) -> dict[str, Any]:
    return {part: figures_fields(waits) for part, waits in parts.items()}


def rows_as_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return aligned([list(rows[0]), *([str(value) for value in row.values()] for row in rows)])
