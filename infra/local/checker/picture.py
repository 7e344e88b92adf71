"""The report as it is shown in a terminal: custom jobs, pools over time, findings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from infra.local.checker.copies import job_of
from infra.local.checker.report import CustomJobLife, PoolKey, Report, Step

EIGHTHS = " ▁▂▃▄▅▆▇█"
HIGHEST_PICTURE = 6
NARROWEST_TIMELINE = 16
OTHER_COLUMNS = 84  # what the table needs beside the timeline
STATE_STYLES = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "CANCELLED": "yellow",
    "EXPIRED": "red",
    "RUNNING": "cyan",
}


def show(report: Report, console: Console, *, most_jobs: int | None = None) -> None:
    """Print everything; at most `most_jobs` custom jobs, the first ones created."""
    if report.began is None or report.stopped is None:
        console.print("[bold]The journal is empty.[/]")
    else:
        window = _Window(began=report.began, stopped=report.stopped)
        console.print(_heading(report, window))
        console.print(_jobs(report.lives[:most_jobs], window, console.width))
        if most_jobs is not None and len(report.lives) > most_jobs:
            console.print(f"[dim]… and {len(report.lives) - most_jobs} more; --all shows them[/]")
        for pool in sorted(report.pools):
            console.print()
            console.print(_pool(report, pool, window, console.width))
    console.print()
    console.print(_findings(report))


class _Window:
    """The time that the journal covers, and where a moment of it lies."""

    def __init__(self, *, began: datetime, stopped: datetime) -> None:
        self.began = began
        self.seconds = max((stopped - began).total_seconds(), 1e-6)

    def since_begin(self, moment: datetime) -> float:
        return (moment - self.began).total_seconds()

    def column(self, moment: datetime, columns: int) -> int:
        return min(columns - 1, int(self.since_begin(moment) / self.seconds * columns))


def _heading(report: Report, window: _Window) -> Text:
    count = len(report.lives)
    foreign = f", {len(report.foreign)} foreign" if report.foreign else ""
    text = Text.assemble((f"{count} custom jobs", "bold"), f" of {len(report.jobs)} jobs{foreign}")
    text.append(f" in {window.seconds:.1f} s from {window.began:%Y-%m-%d %H:%M:%S} UTC", "dim")
    return text


def _jobs(lives: Sequence[CustomJobLife], window: _Window, width: int) -> Table:
    columns = width - OTHER_COLUMNS
    has_timeline = columns >= NARROWEST_TIMELINE
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("job", overflow="ellipsis", no_wrap=True, max_width=30)
    table.add_column("custom job", style="dim", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for heading in ("replicas", "created", "started", "ended", "ran"):
        table.add_column(heading, justify="right", no_wrap=True)
    if has_timeline:
        table.add_column("░ waits  █ runs", no_wrap=True)
    for life in lives:
        row: list[RenderableType] = [
            "/".join(job_of(life.labels) or ("foreign", life.display_name)),
            f"…{life.custom_job[-6:]}",
            Text(life.state.lower() or "new", STATE_STYLES.get(life.state, "")),
            str(sum(life.demands.values())),
            *(_second(moment, window) for moment in (life.created, life.started, life.ended)),
            _duration(life.run_time),
        ]
        table.add_row(*row, *([_timeline(life, window, columns)] if has_timeline else []))
    return table


def _second(moment: datetime | None, window: _Window) -> str:
    return f"{window.since_begin(moment):.1f}" if moment else "-"


def _duration(duration: timedelta | None) -> str:
    return f"{duration.total_seconds():.1f} s" if duration is not None else "-"


def _timeline(life: CustomJobLife, window: _Window, columns: int) -> Text:
    first = window.column(life.created, columns)
    last = window.column(life.ended, columns) if life.ended else columns - 1
    runs_from = window.column(life.started, columns) if life.started else last + 1
    text = Text(" " * first)
    text.append("░" * (min(runs_from, last + 1) - first), "dim")
    text.append("█" * (last + 1 - runs_from), STATE_STYLES.get(life.state, "cyan"))
    return text


def _pool(report: Report, key: PoolKey, window: _Window, width: int) -> RenderableType:
    resource, pool = key
    steps = report.pools[key]
    capacity = max(step.capacity for step in steps)
    peak = report.peak_occupancy(resource, pool)
    used = report.utilisation(resource, pool)
    heading = Text.assemble(
        (pool, "bold"),
        (f" of {resource}", "dim"),
        f"  peak {peak} of {capacity}",
        f", {used:.0%} in use over time" if used is not None else "",
    )
    top = max(peak, capacity, 1)
    margin = len(str(top)) + 2
    columns = max(10, width - margin - 1)
    most, capacities = _by_column(steps, window, columns)
    lines: list[Text] = [heading]
    rows = min(top, HIGHEST_PICTURE)
    for row in range(rows, 0, -1):
        label = str(math.ceil(top * row / rows))
        line = Text(f"{label:>{margin - 2}} ┤", "dim")
        for taken, limit in zip(most, capacities, strict=True):
            line.append(*_cell(taken, limit, top=top, row=row, rows=rows))
        lines.append(line)
    lines.append(Text(" " * (margin - 1) + "└" + "─" * columns, "dim"))
    end = f"{window.seconds:.1f} s"
    lines.append(Text(" " * margin + "0 s" + end.rjust(columns - 3), "dim"))
    return Group(*lines)


def _by_column(steps: Sequence[Step], window: _Window, columns: int) -> tuple[list[int], list[int]]:
    """For each column of the picture, the most replicas taken in its time, and the capacity at its end."""
    most, capacities = [0] * columns, [0] * columns
    ends = [later.at for later in steps[1:]]
    for step, end in zip(steps, [*ends, None], strict=True):
        first = window.column(step.at, columns)
        last = window.column(end, columns) if end else columns - 1
        for column in range(first, last + 1):
            most[column] = max(most[column], step.taken)
            capacities[column] = step.capacity
    return most, capacities


def _cell(taken: int, limit: int, *, top: int, row: int, rows: int) -> tuple[str, str]:
    """One character of the picture and its style: filled as far as replicas are taken, dotted where free."""
    filled = taken / top * rows - (row - 1)
    style = "red" if taken > limit else "green" if taken < limit else "yellow"
    if filled > 0:
        return EIGHTHS[max(1, min(8, round(filled * 8)))], style
    return ("·", "dim") if limit / top * rows > row - 1 else (" ", "")


def _findings(report: Report) -> RenderableType:
    if not report.findings:
        return Text("Nothing found: all is as it should be.", "bold green")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("at", style="dim", no_wrap=True)
    table.add_column("finding", style="bold red", no_wrap=True)
    table.add_column("detail", overflow="fold")
    for finding in report.findings:
        at = f"{finding.at:%H:%M:%S.%f}"[:-3] if finding.at else ""
        table.add_row(at, str(finding.kind).replace("_", " "), Text(finding.detail))
    return Group(Text(f"{len(report.findings)} findings", "bold red"), table)
