"""The commands of `poolctl` about one job, and their options."""

from __future__ import annotations

from typing import Annotated

import typer

from poolqueue.cli import explaining
from poolqueue.cli.arguments import Database, InJson, Project, SettingsFile
from poolqueue.cli.output import session
from poolqueue.cli.session import Options


def explain(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB_ID", help="The job's id.")],
    *,
    team: Annotated[
        str | None, typer.Option("--team", "-t", help="Whose job, if several teams have one of this id.")
    ] = None,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Tell why a job waits, what could let it start, and the smallest changes that would start it at once.

    All of it is worked out now, by the code that decides; nothing is changed.
    """
    options = Options(settings_file=settings, project=project, database=database)
    with session(context, options) as (opened, output):
        explaining.explain(opened, output, job_id, team=team, in_json=in_json)
