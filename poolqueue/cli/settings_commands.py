"""The commands of `poolctl` about settings, and their options."""

from __future__ import annotations

from typing import Annotated

import typer

from poolqueue.cli import settling
from poolqueue.cli.arguments import (
    WAIT_SECONDS,
    Author,
    Database,
    FileArgument,
    InJson,
    Project,
    Reason,
    SettingsFile,
    Topic,
    Wait,
)
from poolqueue.cli.output import session
from poolqueue.cli.session import Options


def diff(
    context: typer.Context,
    file: FileArgument,
    *,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Tell what would change if a settings file were applied, and what would speak against it.

    It ends with 0 if nothing that takes effect differs, with 1 if something does.
    """
    options = Options(settings_file=settings, project=project, database=database)
    with session(context, options) as (opened, output):
        settling.diff(opened, output, file, in_json=in_json)


def apply(
    context: typer.Context,
    file: FileArgument,
    *,
    reason: Reason,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Even if somebody else applies settings meanwhile.")
    ] = False,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Put a settings file in force, after showing what changes and asking."""
    options = Options(settings_file=settings, project=project, database=database)
    with session(context, options) as (opened, output):
        how = settling.How(
            reason=reason,
            author=author,
            is_sure=yes,
            is_forced=force,
            topic=topic,
            wait=wait,
            in_json=in_json,
        )
        settling.apply(opened, output, file, how)


def show_settings(
    context: typer.Context,
    *,
    history: Annotated[bool, typer.Option("--history", help="The versions, the latest first.")] = False,
    version: Annotated[int | None, typer.Option(help="This version's text.", min=1)] = None,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Show the settings in force, as they were applied: fit to be edited and applied again."""
    options = Options(settings_file=settings, project=project, database=database)
    with session(context, options) as (opened, output):
        if history:
            settling.show_history(opened, output, in_json=in_json)
        else:
            settling.show(opened, output, version=version, in_json=in_json)
