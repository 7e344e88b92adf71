"""`poolctl usage`: the replica-hours that teams used in a month, for charge-back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from poolqueue.cli.arguments import Database, InJson, Location, Project, SettingsFile
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output, session
from poolqueue.cli.plain import aligned
from poolqueue.cli.session import Options
from poolqueue.cli.tables import plain_table
from poolqueue.scheduling.usage import month_of
from poolqueue.viewing.as_json import as_text
from poolqueue.viewing.text import safe
from poolqueue.viewing.usage import MONTH, Row, read_month, row_fields, rows_of

COLUMNS = ("attempts", "hours", "running")
MEANING = (
    "hours: replica-hours of attempts that ended, from their start to their end, in this month of UTC. "
    "running: of those that still run, so far; they come to hours when they end."
)
FIELDS = (
    "team", "persistent_resource", "machine", "attempts_ended", "replica_hours", "replica_hours_running",
)  # fmt: skip
Month = Annotated[
    str | None, typer.Option("--month", "-m", help="Month of UTC, else this one.", metavar="YYYY-MM")
]
InCsv = Annotated[bool, typer.Option("--csv", help="Comma-separated values, for a spreadsheet.")]


def usage(
    context: typer.Context,
    *,
    month: Month = None,
    team: Annotated[str | None, typer.Option("--team", "-t", help="Only this team's.")] = None,
    in_json: InJson = False,
    in_csv: InCsv = False,
    settings: SettingsFile = None,
    project: Project = None,
    location: Location = None,
    database: Database = None,
) -> None:
    """Tell how many replica-hours each team used in a month, by persistent resource and kind of machine.

    It is kept for good, though jobs that ended are deleted after a time (retention).
    """
    options = Options(settings_file=settings, project=project, location=location, database=database)
    with session(context, options) as (opened, output):
        now = opened.outside.now()
        if month is not None and MONTH.fullmatch(month) is None:
            raise Failure(f"--month {month}: give it as {month_of(now)}", Exit.USAGE)
        if in_json and in_csv:
            raise Failure("--json or --csv? Give one of them", Exit.USAGE)
        chosen = month or month_of(now)
        rows = rows_of(read_month(opened.reader(), chosen, now=now), team=team)
        _show(output, chosen, rows, in_json=in_json, in_csv=in_csv)


def _show(output: Output, month: str, rows: Sequence[Row], *, in_json: bool, in_csv: bool) -> None:
    if in_json:
        output.lines([as_text({"month": month, "usage": [row_fields(row) for row in rows]})])
    elif in_csv:
        output.lines(csv_lines(month, rows))
    elif output.is_plain:
        output.lines(usage_lines(rows))
    elif rows:
        output.show(Text(month, style="bold"), usage_table(rows), "", Text(MEANING, style="dim"))
    if not rows:
        output.note(f"nothing that ran in {month} is recorded")


def csv_lines(month: str, rows: Iterable[Row]) -> list[str]:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["month", *FIELDS])
    writer.writerows([month, *row_fields(row).values()] for row in rows)
    return file.getvalue().splitlines()


def usage_table(rows: Sequence[Row]) -> RenderableType:
    """With a sum for each team that has several rows."""
    table = plain_table()
    for name in ("team", "resource", "machine"):
        table.add_column(name, overflow="fold")
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for team in dict.fromkeys(row.team for row in rows):
        own = [row for row in rows if row.team == team]
        for row in own:
            table.add_row(*map(Text, _cells(row)))
        if len(own) > 1:
            attempts = sum(row.attempts for row in own)
            hours, going = sum(row.hours for row in own), sum(row.going_hours for row in own)
            numbers = (f"{attempts:,}", f"{hours:,.1f}", f"{going:,.1f}")
            table.add_row(Text(safe(team)), Text("all"), "", *map(Text, numbers), style="bold")
    return table


def usage_lines(rows: Iterable[Row]) -> list[str]:
    return aligned([("team", "resource", "machine", *COLUMNS), *map(_cells, rows)])


def _cells(row: Row) -> tuple[str, ...]:
    numbers = (f"{row.attempts:,}", f"{row.hours:,.1f}", f"{row.going_hours:,.1f}")
    return (safe(row.team), safe(row.resource.id), safe(row.machine), *numbers)
