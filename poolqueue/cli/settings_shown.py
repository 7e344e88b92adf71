"""Settings in words: what differs, what is in force since when, and its history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from poolqueue.cli.comparing import Comparison
from poolqueue.cli.plain import aligned
from poolqueue.cli.tables import plain_table
from poolqueue.config import Difference
from poolqueue.config.differences import shown
from poolqueue.records import SettingsVersion
from poolqueue.viewing.found import Found
from poolqueue.viewing.text import clock_time, safe

VALUE_LIMIT = 1_000
REASON_LIMIT = 160
HISTORY_COLUMNS = ("version", "time", "author", "reason")
SAME = "nothing that takes effect differs"


# --- differences -----------------------------------------------------------------------------------------


def comparison_parts(comparison: Comparison) -> Iterator[RenderableType]:
    """For a terminal: a heading per part of the settings, a line per field, then what speaks against it."""
    for part, group in groupby(comparison.differences, key=lambda each: each.part):
        yield _heading(part, fields := list(group))
        yield _fields(part, fields)
    if not comparison.differences:
        yield Text(SAME, style="green")
    if remarks := [*_remarks(comparison)]:
        grid = Table.grid(padding=(0, 1, 0, 0))
        for kind, text in remarks:
            style = "red" if kind == _REFUSED else "yellow"
            grid.add_row(Text(kind, style=style, no_wrap=True), Text(safe(text, limit=VALUE_LIMIT)))
        yield Group("", grid)


def comparison_lines(comparison: Comparison) -> list[str]:
    """For a pipe: a line per field and per remark."""
    rows = [
        (safe(each.part), safe(each.field), f"{_value(each.old)} -> {_value(each.new)}")
        for each in comparison.differences
    ]
    remarks = [f"{kind} {safe(text, limit=VALUE_LIMIT)}" for kind, text in _remarks(comparison)]
    return [*(aligned(rows) if rows else [SAME]), *remarks]


_REFUSED = "would be refused:"
_NOTE = "note:"


def _remarks(comparison: Comparison) -> Iterator[tuple[str, str]]:
    yield from ((_REFUSED, problem) for problem in comparison.problems)
    yield from ((_NOTE, note) for note in comparison.notes)


def _heading(part: str, fields: Sequence[Difference]) -> Text:
    """A plus for a team that there is not yet, a minus for one that goes."""
    match _whole(part, fields):
        case "new":
            return Text(f"+ {safe(part)}", style="bold green")
        case "old":
            return Text(f"- {safe(part)}", style="bold red")
        case None:
            return Text(safe(part), style="bold")


def _whole(part: str, fields: Sequence[Difference]) -> Literal["old", "new"] | None:
    """Which side alone there is of a team that comes or goes."""
    if not part.startswith("team ") or all(each.field != "name" for each in fields):
        return None
    return "new" if all(each.old is None for each in fields) else "old"


def _fields(part: str, fields: Sequence[Difference]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(max_width=34, overflow="fold")
    grid.add_column(overflow="fold")
    whole = _whole(part, fields)
    for each in fields:
        if whole is None:
            grid.add_row(Text(f"  {safe(each.field)}"), _change(each))
        elif each.field != "name":
            value = Text(_value(getattr(each, whole)), style="green" if whole == "new" else "red")
            grid.add_row(Text(f"  {safe(each.field)}"), value)
    return grid


def _change(each: Difference) -> Text:
    old = (_value(each.old), "dim" if each.old is None else "red")
    new = (_value(each.new), "dim" if each.new is None else "green")
    return Text.assemble(old, " → ", new)


def _value(value: Any) -> str:
    return safe(shown(value), limit=VALUE_LIMIT)


# --- what is in force ------------------------------------------------------------------------------------


def in_force_line(found: Found, now: datetime) -> str:
    """One sentence on what is in force, since when and by whom."""
    if found.applied is not None:
        return f"version {version_line(found.applied, now)}"
    known = "" if found.deployed is not None else ", which no sweep has noted yet"
    return f"nothing was applied yet: in force is the file that the functions are deployed with{known}"


def version_line(version: SettingsVersion, now: datetime) -> str:
    since = clock_time(version.at, now)
    author, reason = safe(version.author, limit=60), safe(version.reason, limit=REASON_LIMIT)
    return f"{version.version}, applied {since} by {author}: {reason}"


def history_table(versions: Iterable[SettingsVersion]) -> Table:
    table = plain_table()
    for name in HISTORY_COLUMNS:
        table.add_column(name, justify="right" if name == "version" else "left")
    for version in versions:
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in _row(version)))
    return table


def history_lines(versions: Iterable[SettingsVersion]) -> list[str]:
    return aligned([HISTORY_COLUMNS, *map(_row, versions)])


def _row(version: SettingsVersion) -> tuple[str, ...]:
    return (
        str(version.version),
        f"{version.at:%Y-%m-%d %H:%M:%SZ}",
        safe(version.author, limit=60),
        safe(version.reason, limit=REASON_LIMIT),
    )
