"""Facts about a job for a terminal and for a pipe."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from poolqueue.cli.plain import aligned
from poolqueue.viewing.explained import Fact

_STYLES = {"reason": "yellow", "remedies": "green"}


def facts_grid(facts: Iterable[Fact]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    style = ""
    for word, told in facts:
        style = _STYLES.get(word, "") if word else style
        grid.add_row(Text(word, style="bold"), Text(told, style=style, overflow="fold"))
    return grid


def facts_lines(facts: Iterable[Fact]) -> list[str]:
    return aligned([*facts])
