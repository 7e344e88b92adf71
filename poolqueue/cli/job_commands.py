"""The commands of `poolctl` about one job, and their options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from poolqueue.cli import explaining, submitting
from poolqueue.cli.arguments import Database, InJson, Location, Project, SettingsFile
from poolqueue.cli.dry_run import Variations
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.option_groups import expanded
from poolqueue.cli.output import session
from poolqueue.cli.session import Options
from poolqueue.cli.simulation_arguments import Resized, resized
from poolqueue.cli.watching import EVERY_SECONDS, watch_job

_VARIED = "With --dry-run: tried beside what was asked for, each alone, repeatable"

Whose = Annotated[
    str | None, typer.Option("--team", "-t", help="Whose job, if several teams have one of this id.")
]


@dataclass(frozen=True, kw_only=True)
class Varied:
    """What a dry run tries beside what was asked for."""

    replicas: Annotated[
        list[int] | None,
        typer.Option(
            "--replicas", help="So many replicas in all.", min=1, metavar="N", rich_help_panel=_VARIED
        ),
    ] = None
    on: Annotated[
        list[str] | None,
        typer.Option(
            "--resource", "-r", help="At this persistent resource.", metavar="NAME", rich_help_panel=_VARIED
        ),
    ] = None
    pool: Annotated[
        list[str] | None,
        typer.Option("--pool", help="On machines of this pool.", metavar="POOL", rich_help_panel=_VARIED),
    ] = None
    priority: Annotated[
        list[int] | None,
        typer.Option("--priority", help="With this priority.", metavar="N", rich_help_panel=_VARIED),
    ] = None
    grow: Annotated[
        list[Resized] | None,
        typer.Option(
            "--grow",
            help="With so many more replicas in a pool.",
            metavar="POOL=N",
            parser=resized,
            rich_help_panel=_VARIED,
        ),
    ] = None

    @property
    def variations(self) -> Variations:
        return Variations(
            replicas=self.replicas or (),
            resources=self.on or (),
            pools=self.pool or (),
            priorities=self.priority or (),
            grown=tuple((each.pool, each.replicas) for each in self.grow or ()),
        )


def explain(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB_ID", help="The job's id.")],
    *,
    team: Whose = None,
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


def job(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB_ID", help="The job's id.")],
    *,
    team: Whose = None,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Show everything about one job: what `explain` says, its history, and where its log is."""
    options = Options(settings_file=settings, project=project, database=database)
    with session(context, options) as (opened, output):
        explaining.show_job(opened, output, job_id, team=team, in_json=in_json)


@expanded
def submit(
    context: typer.Context,
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE | -- FLAGS",
            help="Job request, as it is published (- is standard input), or flags of gcloud after --.",
        ),
    ],
    *,
    team: Annotated[
        str | None, typer.Option("--team", "-t", help="Whose request, if there are several teams.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Its topic, else the team's first one.")] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option("--attribute", "-a", help="Message attribute.", metavar="NAME=VALUE"),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--watch", "-w", help="Then watch the job until it has ended.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would become of it.")] = False,
    varied: Varied,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    location: Location = None,
    database: Database = None,
) -> None:
    """Publish a job request, or tell with --dry-run what would become of it if it were published now.

    After -- it takes the flags of `gcloud ai custom-jobs create` instead of a file; what else the request
    is to say (job_id, priority, ...) is given by --attribute.

    The dry run runs the policy forward, with the job and without it. What --replicas, --resource, --pool,
    --priority and --grow change is tried beside what was asked for, each alone; all of them may be repeated.
    """
    options = Options(settings_file=settings, project=project, location=location, database=database)
    with session(context, options) as (opened, output):
        attributes = submitting.attributes_of(attribute or ())
        asked = submitting.Submission(given=given, team=team, topic=topic, attributes=attributes)
        if dry_run:
            if follow:
                raise Failure("--watch: a dry run leaves nothing to watch", Exit.USAGE)
            submitting.dry_run(opened, output, asked, varied.variations, in_json=in_json)
            return
        if varied.variations != Variations():
            raise Failure("what is varied is only tried: add --dry-run", Exit.USAGE)
        whose, job_id = submitting.submit(opened, output, asked, in_json=in_json)
        if follow:
            every = EVERY_SECONDS
            watch_job(opened, output, job_id, team=whose, every=every, in_json=in_json, is_new=True)
