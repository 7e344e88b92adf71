"""`poolctl stats`: how good estimates have been, per persistent resource."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from poolqueue.cli.arguments import Database, InJson, Location, Project, ResourceFilter, SettingsFile
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output, session
from poolqueue.cli.plain import aligned
from poolqueue.cli.session import Options, named_resource
from poolqueue.cli.tables import plain_table
from poolqueue.scheduling.scorecard import (
    UNCORRECTED,
    accuracy,
    correction,
    overdue,
)
from poolqueue.viewing.accuracy import ResourceStats, read_stats, stats_fields
from poolqueue.viewing.as_json import as_text
from poolqueue.viewing.text import safe, short_time

COLUMNS = ("scored", "p50", "p90", "error", "open", "overdue", "withdrawn", "corrected")
MEANING = (
    "p50 and p90: the part of the latest forecasts whose jobs started by the time told. "
    "They ought to be 50% and 90%."
)
NOTHING = "no forecast was scored yet: a job that waits at a sweep is forecast, if its estimate has a basis"


def stats(
    context: typer.Context,
    *,
    resource: ResourceFilter = None,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    location: Location = None,
    database: Database = None,
) -> None:
    """Tell how good the estimates of starts have been: how often they covered the real one, and the error."""
    options = Options(settings_file=settings, project=project, location=location, database=database)
    with session(context, options) as (opened, output):
        found = read_stats(opened.reader(), named_resource(resource), now=opened.outside.now())
        if resource is not None and not found:
            raise Failure(f"no job ever named the persistent resource {resource}", Exit.REFUSED)
        _show(output, found, in_json=in_json)


def _show(output: Output, found: Sequence[ResourceStats], *, in_json: bool) -> None:
    if in_json:
        output.lines([as_text({"resources": [stats_fields(each) for each in found]})])
        return
    if output.is_plain:
        output.lines(stats_lines(found))
    else:
        output.show(stats_table(found))
    if not any(each.card.scores for each in found):
        output.note(NOTHING)


def stats_table(found: Iterable[ResourceStats]) -> RenderableType:
    table = plain_table()
    table.add_column("resource", overflow="fold")
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for each in found:
        table.add_row(*map(Text, _cells(each)))
    return Group(table, "", Text(MEANING, style="dim"))


def stats_lines(found: Iterable[ResourceStats]) -> list[str]:
    return aligned([("resource", *COLUMNS), *map(_cells, found)])


def _cells(each: ResourceStats) -> tuple[str, ...]:
    """In the order of the columns; `-` where nothing was scored, or learned, yet."""
    card, its = each.card, accuracy(each.card)
    factors = correction(card)
    scored = ("0", "-", "-", "-")
    if its is not None:
        error = short_time(timedelta(seconds=its.median_error_seconds))
        scored = (f"{its.scored:,}", f"{its.coverage_p50:.0%}", f"{its.coverage_p90:.0%}", error)
    return (
        safe(each.name.id),
        *scored,
        f"{len(card.open):,}",
        f"{overdue(card, now=each.now):,}",
        f"{card.totals.withdrawn:,}",
        "-" if factors == UNCORRECTED else f"x{factors.p50:.2g}/x{factors.p90:.2g}",
    )
