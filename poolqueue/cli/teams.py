"""`poolctl teams`: what each team has of each persistent resource, and what it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from poolqueue.cli.arguments import Database, InJson, Location, Project, ResourceFilter, SettingsFile
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output, session
from poolqueue.cli.plain import aligned
from poolqueue.cli.session import Options, Session, named_resource
from poolqueue.cli.tables import plain_table
from poolqueue.records import ResourceName
from poolqueue.scheduling.pools import Pauses
from poolqueue.viewing.as_json import as_text
from poolqueue.viewing.teams import TeamPool, TeamView, team_views
from poolqueue.viewing.text import safe

COLUMNS = ("share", "used", "holds", "waiting", "pools")
MEANING = (
    "share: by weight. used: part of what these teams used lately; who used less than its share goes first. "
    "holds: part of the resource now. pools: replicas held, of the most that may be (guaranteed)."
)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    name: ResourceName
    teams: Sequence[TeamView]
    pauses: Pauses


def teams(
    context: typer.Context,
    *,
    resource: ResourceFilter = None,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    location: Location = None,
    database: Database = None,
) -> None:
    """Show each team's share, what it used lately and holds now, its quotas, and how many jobs wait."""
    options = Options(settings_file=settings, project=project, location=location, database=database)
    with session(context, options) as (opened, output):
        found = _look(opened, resource)
        if resource is not None and not found:
            raise Failure(f"no job ever named the persistent resource {resource}", Exit.REFUSED)
        _show(output, found, in_json=in_json)


def _look(session: Session, resource: str | None) -> list[_Seen]:
    reader, now = session.reader(), session.outside.now()
    known = session.found.settings
    names = [] if known is None else [team.name for team in known.teams]
    found = []
    for name in reader.names(named_resource(resource)):
        snapshot = reader.snapshot(name, now=now)
        if snapshot is not None:
            views = team_views(snapshot.board(now), names, now=now)
            found.append(_Seen(name=name, teams=views, pauses=snapshot.resource.pauses))
    return found


def _show(output: Output, found: Sequence[_Seen], *, in_json: bool) -> None:
    if in_json:
        output.lines([as_text({"resources": [_fields(each) for each in found]})])
        return
    if output.is_plain:
        rows = [(safe(each.name.id), *_cells(team, each.pauses)) for each in found for team in each.teams]
        output.lines(aligned([("resource", "team", *COLUMNS), *rows]))
        return
    for number, each in enumerate(found):
        output.show(*([""] if number else []), _table(each))
    output.show("", Text(MEANING, style="dim"))


def _table(seen: _Seen) -> RenderableType:
    table = plain_table()
    table.add_column("team", overflow="fold")
    for name in COLUMNS[:-1]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(COLUMNS[-1], overflow="fold")
    for team in seen.teams:
        style = "yellow" if team.name in seen.pauses.teams else ""
        table.add_row(*(Text(cell) for cell in _cells(team, seen.pauses)), style=style)
    return Group(Text(safe(seen.name.id), style="bold"), table)


def _cells(team: TeamView, pauses: Pauses) -> tuple[str, ...]:
    pools = ", ".join(_pool(each) for each in team.pools if each.held or each.guaranteed or each.maximum)
    pause = pauses.teams.get(team.name)
    paused = "" if pause is None else f"paused by {safe(pause.author)}: {safe(pause.reason)}"
    told = "; ".join(filter(None, (paused, pools)))
    return (
        safe(team.name),
        f"{team.share:.0%}",
        f"{team.used:.0%}",
        f"{team.holds:.0%}",
        f"{team.waiting:,}",
        told,
    )


def _pool(pool: TeamPool) -> str:
    """`small 2/6 (1)`."""
    most = "" if pool.maximum is None else f"/{pool.maximum}"
    guaranteed = f" ({pool.guaranteed})" if pool.guaranteed else ""
    return f"{safe(pool.pool)} {pool.held}{most}{guaranteed}"


def _fields(seen: _Seen) -> dict[str, Any]:
    return {
        "persistent_resource": seen.name.full,
        "teams": [_team_fields(team, seen.pauses) for team in seen.teams],
    }


def _team_fields(team: TeamView, pauses: Pauses) -> dict[str, Any]:
    pause = pauses.teams.get(team.name)
    return {
        "team": team.name,
        "weight": team.weight,
        "share": round(team.share, 4),
        "used": round(team.used, 4),
        "holds": round(team.holds, 4),
        "waiting": team.waiting,
        "paused": None if pause is None else {"author": pause.author, "reason": pause.reason},
        "pools": [
            {
                "pool": each.pool,
                "held": each.held,
                "guaranteed": each.guaranteed,
                "maximum": each.maximum,
            }
            for each in team.pools
        ],
    }
