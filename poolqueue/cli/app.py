"""The commands of `poolctl` and their options; each reads as what it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from poolqueue.cli.actions import (
    check_settings,
    show_dead_letters,
    show_ended_jobs,
    show_live_jobs,
    show_pools,
    show_result,
)
from poolqueue.cli.arguments import (
    EXIT_CODES,
    Database,
    FileArgument,
    InJson,
    Location,
    Project,
    ResourceFilter,
    SettingsFile,
    Wait,
)
from poolqueue.cli.doctor import doctor
from poolqueue.cli.job_commands import explain, job, submit
from poolqueue.cli.listing import Wanted
from poolqueue.cli.logs import logs
from poolqueue.cli.output import session, telling
from poolqueue.cli.session import Options
from poolqueue.cli.settings_commands import apply, diff, show_settings
from poolqueue.cli.simulating import Asked, Machines, simulate_history, simulate_trace
from poolqueue.cli.simulation_arguments import (
    ByWhat,
    Capacity,
    FindReplicas,
    FirmAfter,
    History,
    HistoryOf,
    P90Wait,
    PlotFile,
    Policies,
    PoolsFile,
    Resizes,
    RunTimes,
    TraceFile,
)
from poolqueue.cli.stats import stats
from poolqueue.cli.steer_commands import (
    cancel,
    change,
    drain,
    hold,
    pause,
    priority,
    release,
    requeue,
    resume,
    retry,
    stop,
    unpause,
)
from poolqueue.cli.teams import teams
from poolqueue.cli.usage import usage
from poolqueue.cli.watching import watch
from poolqueue.scheduling.jobs import State
from poolqueue.simulation.run import RunTimesMode

SHOWN = 50

app = typer.Typer(
    name="poolctl",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Show and steer the queue in front of Vertex AI persistent resources.",
    epilog=EXIT_CODES,
)


@app.command(epilog=EXIT_CODES)
def jobs(
    context: typer.Context,
    *,
    resource: ResourceFilter = None,
    team: Annotated[str | None, typer.Option("--team", "-t", help="Only this team's.")] = None,
    state: Annotated[State | None, typer.Option("--state", "-s", help="Only in this state.")] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Only ids that match, such as 'nightly-*'.", metavar="PATTERN"),
    ] = None,
    priority: Annotated[
        int | None, typer.Option("--priority", "-p", help="Only of this priority or higher.", metavar="N")
    ] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Those that ended, the latest first.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="Rows shown of each kind.")
    ] = SHOWN,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    location: Location = None,
    database: Database = None,
) -> None:
    """List the jobs that hold replicas or wait for them, in the order in which they are considered.

    Why a job waits is worked out now, by the code that decides. --ended lists those that ended.
    """
    options = Options(settings_file=settings, project=project, location=location, database=database)
    wanted = Wanted(team=team, state=state, name=name, least_priority=priority)
    with session(context, options) as (opened, output):
        if ended or state is State.ENDED:
            wanted = replace(wanted, state=None)
            show_ended_jobs(opened, output, wanted, resource=resource, limit=limit, in_json=in_json)
        else:
            show_live_jobs(opened, output, wanted, resource=resource, limit=limit, in_json=in_json)


@app.command(epilog=EXIT_CODES)
def pools(
    context: typer.Context,
    *,
    resource: ResourceFilter = None,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    location: Location = None,
    database: Database = None,
) -> None:
    """Show each persistent resource: its pools, what holds their replicas, and what waits for them."""
    options = Options(settings_file=settings, project=project, location=location, database=database)
    with session(context, options) as (opened, output):
        show_pools(opened, output, resource=resource, in_json=in_json)


@app.command("dead-letters", epilog=EXIT_CODES)
def dead_letters(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="How many.")] = SHOWN,
    save: Annotated[
        Path | None,
        typer.Option(
            help="Write each message to a file here, and a script that publishes it.", metavar="DIR"
        ),
    ] = None,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """List the messages that could not be used, the latest first, with what was wrong.

    What a message holds is not shown, for it may hold secrets; --save writes it to files of yours.
    """
    options = Options(settings_file=settings, project=project, database=database)
    with session(context, options) as (opened, output):
        show_dead_letters(opened, output, limit=limit, directory=save, in_json=in_json)


@app.command("check-settings", epilog=EXIT_CODES)
def check(
    file: FileArgument,
    *,
    project: Annotated[str | None, typer.Option(help="Project, where the settings name none.")] = None,
    in_json: InJson = False,
) -> None:
    """Check a settings file, and the triggers file that it names, as functions do when they start."""
    with telling() as output:
        check_settings(output, file, project=project, in_json=in_json)


@app.command(epilog=EXIT_CODES)
def simulate(
    context: typer.Context,
    *,
    trace: TraceFile = None,
    history: History = None,
    resource: HistoryOf = None,
    capacity: Capacity = None,
    pools: PoolsFile = None,
    resize: Resizes = None,
    policy: Policies = None,
    run_times: RunTimes = RunTimesMode.LEARNED,
    firm_after: FirmAfter = None,
    by: ByWhat = None,
    find_replicas: FindReplicas = None,
    p90_wait: P90Wait = None,
    plot: PlotFile = None,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Run scheduling policies over recorded jobs in virtual time, and compare how long jobs would wait.

    The jobs are those of a trace, or with --history those that ended in your own installation.
    """
    replicas = {each.pool: each.replicas for each in resize or ()}
    machines = Machines(capacity=capacity, pools=pools, replicas=replicas)
    asked = Asked(
        policies=policy or (),
        run_times=run_times,
        firm_after=firm_after,
        by=by,
        plot=plot,
        find=find_replicas,
        p90_wait=p90_wait,
        in_json=in_json,
    )
    if history is None:
        with telling() as output:
            simulate_trace(trace, machines, output, asked)
        return
    options = Options(settings_file=settings, project=project, database=database)
    with session(context, options) as (opened, output):
        simulate_history(opened, history, machines, output, asked, trace=trace, resource=resource)


app.command("job", epilog=EXIT_CODES)(job)
app.command("logs", epilog=EXIT_CODES)(logs)
app.command("explain", epilog=EXIT_CODES)(explain)
app.command("submit", epilog=EXIT_CODES)(submit)
app.command("stats", epilog=EXIT_CODES)(stats)
app.command("usage", epilog=EXIT_CODES)(usage)
app.command("watch", epilog=EXIT_CODES)(watch)
app.command("teams", epilog=EXIT_CODES)(teams)
app.command("doctor", epilog=EXIT_CODES)(doctor)
app.command("settings", epilog=EXIT_CODES)(show_settings)
app.command("diff", epilog=EXIT_CODES)(diff)
app.command("apply", epilog=EXIT_CODES)(apply)


for steering in (
    cancel,
    hold,
    release,
    priority,
    change,
    retry,
    requeue,
    drain,
    stop,
    resume,
    pause,
    unpause,
):
    app.command(epilog=EXIT_CODES)(steering)


@app.command(epilog=EXIT_CODES)
def result(
    context: typer.Context,
    command_id: Annotated[str, typer.Argument(metavar="COMMAND_ID", help="As the command told it.")],
    *,
    wait: Wait = 0.0,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Tell what became of a command that was not answered in time."""
    options = Options(settings_file=settings, project=project, database=database)
    with session(context, options) as (opened, output):
        show_result(opened, output, command_id, wait=wait, in_json=in_json)
