"""Draws what came of a search for enough replicas: as a table, as plain lines, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rich.table import Table

from poolqueue.cli.simulation_shown import add_waits_columns, figures_fields, rows_as_lines, waits_cells
from poolqueue.cli.tables import plain_table
from poolqueue.simulation.sizing import Sizing
from poolqueue.viewing.text import safe, short_time


def sizing_sentence(sizing: Sizing, pool: str, limit: timedelta) -> str:
    name, most = safe(pool), short_time(limit)
    if sizing.enough is None:
        told = f"no number of replicas of {name} keeps the p90 wait of its jobs within {most}"
        return f"{told}: they wait for other pools, too"
    p90 = short_time(timedelta(seconds=sizing.tried[sizing.enough].p90_wait_s))
    return f"{sizing.enough:,} replicas of {name} keep the p90 wait of its jobs within {most} (it is {p90})"


def sizing_table(sizing: Sizing) -> Table:
    """A row per number of replicas that was tried."""
    table = plain_table()
    table.add_column("replicas", justify="right", no_wrap=True)
    add_waits_columns(table)
    for replicas, waits in sizing.tried.items():
        style = "bold green" if replicas == sizing.enough else ""
        table.add_row(f"{replicas:,}", *waits_cells(waits), style=style)
    return table


def sizing_lines(found: Mapping[str, Sizing]) -> list[str]:
    rows = [
        {"policy": policy, "replicas": replicas, **figures_fields(waits)}
        for policy, sizing in found.items()
        for replicas, waits in sizing.tried.items()
    ]
    return rows_as_lines(rows)


def sizing_fields(sizing: Sizing, pool: str, limit: timedelta) -> dict[str, Any]:
    return {
        "pool": pool,
        "p90_wait_limit_s": limit.total_seconds(),
        "replicas": sizing.enough,
        "tried": [
            {"replicas": replicas, **figures_fields(waits)} for replicas, waits in sizing.tried.items()
        ],
    }
