"""The options and arguments that commands of `poolctl` share."""

from __future__ import annotations

from typing import Annotated

import typer

EXIT_CODES = (
    "Exit codes: 0 done, 1 refused or not known (diff: it differs; doctor: something is bad; watch and "
    "logs --follow: the job did not succeed), 2 wrong usage or settings, 3 no answer in time, "
    "4 Firestore, Pub/Sub or Cloud Logging cannot be reached or used."
)

WAIT_SECONDS = 30.0

_WHERE = "Where the installation is"

SettingsFile = Annotated[
    str | None,
    typer.Option(
        "--settings", help="Settings file, else POOL_QUEUE_SETTINGS.", rich_help_panel=_WHERE, metavar="FILE"
    ),
]
Project = Annotated[
    str | None,
    typer.Option(help="Project, else GOOGLE_CLOUD_PROJECT or the settings'.", rich_help_panel=_WHERE),
]
Location = Annotated[
    str | None, typer.Option(help="One region, else all of the settings.", rich_help_panel=_WHERE)
]
Database = Annotated[
    str | None,
    typer.Option(help="Firestore database, else POOL_QUEUE_DATABASE.", rich_help_panel=_WHERE),
]
ResourceFilter = Annotated[
    str | None, typer.Option("--resource", "-r", help="Only this persistent resource: its id or full name.")
]
InJson = Annotated[bool, typer.Option("--json", help="JSON, for scripts.")]
Reason = Annotated[str, typer.Option(help="Why; it is recorded and shown.", metavar="TEXT")]
Author = Annotated[str | None, typer.Option(help="Who asks, else USER@HOST.")]
Topic = Annotated[str | None, typer.Option(help="Command topic, else the administrators' one.")]
Wait = Annotated[float, typer.Option(help="Seconds to wait for the result.", min=0, max=3600)]
PoolOption = Annotated[str | None, typer.Option(help="One pool of it, else all.")]
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="Settings file (YAML).")]
ResourceArgument = Annotated[
    str, typer.Argument(metavar="RESOURCE", help="Persistent resource: its id or full name.")
]
