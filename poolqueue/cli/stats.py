"""`poolctl stats`: how good estimates have been, per persistent resource."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

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
from poolqueue.scheduling.usage import month_of
from poolqueue.viewing.accuracy import ResourceStats, read_stats, stats_fields
from poolqueue.viewing.as_json import as_text
from poolqueue.viewing.text import safe, short_time
from poolqueue.viewing.usage import HOUR, Paid, paid_fields, paid_of, read_month

COLUMNS = ("scored", "p50", "p90", "error", "open", "overdue", "withdrawn", "corrected")
MEANING = (
    "p50 and p90: the part of the latest forecasts whose jobs started by the time told. "
    "They ought to be 50% and 90%."
)
PAID_COLUMNS = ("paid h", "busy", "idle h")
PAID_MEANING = (
    "Paid are replica-hours that sweeps saw, busy those with jobs, ours or others'; idle are those "
    "that idled while jobs waited for replicas, of whatever pool."
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
    """Tell how good the estimates of starts have been: how often they covered the real one, and the error.

    And what became of the replicas that are paid for this month: how many idled while jobs waited.
    """
    options = Options(settings_file=settings, project=project, location=location, database=database)
    with session(context, options) as (opened, output):
        found = read_stats(opened.reader(), named_resource(resource), now=opened.outside.now())
        if resource is not None and not found:
            raise Failure(f"no job ever named the persistent resource {resource}", Exit.REFUSED)
        now = opened.outside.now()
        known = {each.name for each in found}
        months = [each for each in read_month(opened.reader(), month_of(now), now=now) if each.name in known]
        _show(output, found, paid_of(months), month_of(now), in_json=in_json)


def _show(
    output: Output, found: Sequence[ResourceStats], paid: Sequence[Paid], month: str, *, in_json: bool
) -> None:
    if in_json:
        output.lines([as_text({"month": month, "resources": [_fields(each, paid) for each in found]})])
        return
    if output.is_plain:
        output.lines([*stats_lines(found), *(["", *paid_lines(paid)] if paid else [])])
    else:
        output.show(stats_table(found), *(["", paid_table(paid, month)] if paid else []))
    if not any(each.card.scores for each in found):
        output.note(NOTHING)


def _fields(each: ResourceStats, paid: Iterable[Paid]) -> dict[str, Any]:
    own = [paid_fields(one) for one in paid if one.resource == each.name]
    return {**stats_fields(each), "replicas": own}


def paid_table(paid: Sequence[Paid], month: str) -> RenderableType:
    table = plain_table()
    table.add_column("resource", overflow="fold")
    table.add_column("machine", overflow="fold")
    for column in PAID_COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for each in paid:
        table.add_row(*map(Text, _paid_cells(each)))
    since = min((each.since for each in paid if each.since is not None), default=None)
    began = "" if since is None else f", recorded since {since:%Y-%m-%d %H:%M} UTC"
    return Group(table, "", Text(f"In {month}{began}. {PAID_MEANING}", style="dim"))


def paid_lines(paid: Iterable[Paid]) -> list[str]:
    return aligned([("resource", "machine", *PAID_COLUMNS), *map(_paid_cells, paid)])


def _paid_cells(each: Paid) -> tuple[str, ...]:
    its = each.metered
    part = its.busy / its.paid if its.paid else 0.0
    hours = (f"{its.paid / HOUR:,.1f}", f"{part:.0%}", f"{its.wanted / HOUR:,.1f}")
    return (safe(each.resource.id), safe(each.machine), *hours)


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
