"""The report as it is shown in a terminal: custom jobs, pools over time, findings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from infra.local.checker.copies import job_of
from infra.local.checker.report import CustomJobLife, PoolKey, Report, Step

EIGHTHS = " ▁▂▃▄▅▆▇█"
HIGHEST_PICTURE = 8  # lines; a larger pool is drawn to scale
NARROWEST_TIMELINE = 16
LONGEST_JOB_NAME = 28
SHORT_JOB_NAME = 18
COLUMN_GAP = 2
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
        console.print(_jobs(report.lives[:most_jobs], window, console))
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
    custom_jobs = _counted(len(report.lives), "custom job")
    foreign = f", {len(report.foreign)} foreign" if report.foreign else ""
    text = Text.assemble((custom_jobs, "bold"), f" of {_counted(len(report.jobs), 'job')}{foreign}")
    text.append(f" in {window.seconds:.1f} s from {window.began:%Y-%m-%d %H:%M:%S} UTC", "dim")
    return text


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _jobs(lives: Sequence[CustomJobLife], window: _Window, console: Console) -> Table:
    """One row for each custom job, with a timeline if there is room, with short names if there is little."""
    plain = _job_table(lives, window)
    left_over = console.width - _full_width(plain, console) - COLUMN_GAP
    if left_over >= NARROWEST_TIMELINE:
        return _job_table(lives, window, timeline_columns=left_over)
    return plain if left_over + COLUMN_GAP >= 0 else _job_table(lives, window, is_narrow=True)


def _full_width(table: Table, console: Console) -> int:
    """The width that the table would take if the terminal were as wide."""
    return Measurement.get(console, console.options.update(max_width=1_000), table).maximum


def _job_table(
    lives: Sequence[CustomJobLife], window: _Window, *, timeline_columns: int = 0, is_narrow: bool = False
) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, COLUMN_GAP, 0, 0))
    longest_name = SHORT_JOB_NAME if is_narrow else LONGEST_JOB_NAME
    table.add_column("job", overflow="ellipsis", no_wrap=True, max_width=longest_name)
    if not is_narrow:
        table.add_column("custom job", style="dim", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for heading in ("replicas", "created", "started", "ended", "ran"):
        table.add_column(heading, justify="right", no_wrap=True)
    if timeline_columns:
        table.add_column("░ waits █ runs", no_wrap=True, overflow="crop")
    for life in lives:
        row: list[RenderableType] = [
            "/".join(job_of(life.labels) or ("foreign", life.display_name)),
            *([] if is_narrow else [f"…{life.custom_job[-6:]}"]),
            Text(life.state.lower() or "new", STATE_STYLES.get(life.state, "")),
            str(sum(life.demands.values())),
            *(_second(moment, window) for moment in (life.created, life.started, life.ended)),
            _duration(life.run_time),
        ]
        table.add_row(*row, *([_timeline(life, window, timeline_columns)] if timeline_columns else []))
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
    return Group(Text(_counted(len(report.findings), "finding"), "bold red"), table)
