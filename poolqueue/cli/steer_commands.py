"""The commands of `poolctl` that steer jobs, pools and teams, and their options."""

from __future__ import annotations

from typing import Annotated

import typer

from poolqueue.cli.arguments import (
    WAIT_SECONDS,
    Author,
    Database,
    InJson,
    PoolOption,
    Project,
    Reason,
    ResourceArgument,
    SettingsFile,
    Topic,
    Wait,
)
from poolqueue.cli.output import session
from poolqueue.cli.session import Options
from poolqueue.cli.steering import How, confirm, steer, steer_jobs, terms_of
from poolqueue.messages import CommandKind

JobIds = Annotated[list[str], typer.Argument(metavar="JOB_ID...", help="Ids of jobs.")]
TeamOfJobs = Annotated[
    str | None, typer.Option("--team", "-t", help="Whose jobs, if there are several teams.")
]
TeamArgument = Annotated[str, typer.Argument(metavar="TEAM", help="The team's name.")]
Deadline = Annotated[
    str | None, typer.Option(help="When it must have ended, with its zone; or none.", metavar="TIME")
]
MaxWait = Annotated[
    str | None, typer.Option(help="For how long it may wait, such as 8h; or none.", metavar="DURATION")
]
Alternatives = Annotated[
    list[str] | None,
    typer.Option(
        "--alternative",
        help="Where else it may run, after which wait: a resource or any, in order; or none.",
        metavar="NAME[=AFTER]",
    ),
]
NewPriority = Annotated[int | None, typer.Option("--priority", help="Another priority.", metavar="N")]
Sure = Annotated[bool, typer.Option("--yes", "-y", help="Without asking.")]


def cancel(
    context: typer.Context,
    job_ids: JobIds,
    *,
    reason: Reason,
    team: TeamOfJobs = None,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Cancel jobs, whether they wait, are being submitted or run."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    with session(context, _options(settings, project, database)) as (opened, output):
        steer_jobs(opened, output, CommandKind.CANCEL, job_ids, how, team=team)


def hold(
    context: typer.Context,
    job_ids: JobIds,
    *,
    reason: Reason,
    team: TeamOfJobs = None,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Keep waiting jobs from starting until they are released; they keep their place, and time goes on."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    with session(context, _options(settings, project, database)) as (opened, output):
        steer_jobs(opened, output, CommandKind.HOLD, job_ids, how, team=team)


def release(
    context: typer.Context,
    job_ids: JobIds,
    *,
    reason: Reason = "released",
    team: TeamOfJobs = None,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Let held jobs start again."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    with session(context, _options(settings, project, database)) as (opened, output):
        steer_jobs(opened, output, CommandKind.RELEASE, job_ids, how, team=team)


def priority(
    context: typer.Context,
    job_ids: JobIds,
    to: Annotated[int, typer.Argument(metavar="N", help="The new priority, within the team's bounds.")],
    *,
    reason: Reason,
    team: TeamOfJobs = None,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Give waiting jobs another priority; higher goes first."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    with session(context, _options(settings, project, database)) as (opened, output):
        steer_jobs(opened, output, CommandKind.CHANGE, job_ids, how, team=team, priority=to)


def change(
    context: typer.Context,
    job_ids: JobIds,
    *,
    reason: Reason,
    to: NewPriority = None,
    deadline: Deadline = None,
    max_wait: MaxWait = None,
    alternative: Alternatives = None,
    team: TeamOfJobs = None,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Change priority, deadline, longest wait or alternatives of waiting jobs; what is not named stays."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    terms = terms_of(priority=to, deadline=deadline, max_wait=max_wait, alternatives=alternative)
    with session(context, _options(settings, project, database)) as (opened, output):
        steer_jobs(opened, output, CommandKind.CHANGE, job_ids, how, team=team, **terms)


def retry(
    context: typer.Context,
    job_ids: JobIds,
    *,
    reason: Reason,
    to: NewPriority = None,
    deadline: Deadline = None,
    max_wait: MaxWait = None,
    alternative: Alternatives = None,
    team: TeamOfJobs = None,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Let jobs that ended wait again, as if they had just arrived: a new attempt of the same job."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    terms = terms_of(priority=to, deadline=deadline, max_wait=max_wait, alternatives=alternative)
    with session(context, _options(settings, project, database)) as (opened, output):
        steer_jobs(opened, output, CommandKind.RETRY, job_ids, how, team=team, **terms)


def requeue(
    context: typer.Context,
    job_ids: JobIds,
    *,
    reason: Reason,
    held: Annotated[bool, typer.Option("--hold", help="And hold them from then on.")] = False,
    team: TeamOfJobs = None,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Put running jobs back in the queue, at their place: what they have done since their start is lost."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    with session(context, _options(settings, project, database)) as (opened, output):
        kind, then = CommandKind.REQUEUE, True if held else None
        steer_jobs(opened, output, kind, job_ids, how, team=team, hold=then)


# --- pools -----------------------------------------------------------------------------------------------


def drain(
    context: typer.Context,
    resource: ResourceArgument,
    *,
    reason: Reason,
    pool: PoolOption = None,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Admit nothing more to a persistent resource or one of its pools; what runs there goes on."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    with session(context, _options(settings, project, database)) as (opened, output):
        target = {"persistent_resource": resource, "pool": pool}
        steer(opened, output, CommandKind.DRAIN, [target], how)


def stop(
    context: typer.Context,
    resource: ResourceArgument,
    *,
    reason: Reason,
    pool: PoolOption = None,
    cancels: Annotated[
        bool, typer.Option("--cancel", help="Cancel what runs there, instead of requeueing it.")
    ] = False,
    sure: Sure = False,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Drain a persistent resource or one of its pools, and put what runs there back in the queue."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    with session(context, _options(settings, project, database)) as (opened, output):
        running = "cancel" if cancels else "requeue"
        if not sure:
            confirm(opened, f"Admit nothing more to {pool or resource}, and {running} all that runs there?")
        target = {"persistent_resource": resource, "pool": pool, "running": running}
        steer(opened, output, CommandKind.STOP, [target], how)


def resume(
    context: typer.Context,
    resource: ResourceArgument,
    *,
    pool: PoolOption = None,
    reason: Reason = "resumed",
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Admit jobs again to what was drained or stopped."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    with session(context, _options(settings, project, database)) as (opened, output):
        target = {"persistent_resource": resource, "pool": pool}
        steer(opened, output, CommandKind.RESUME, [target], how)


# --- teams -----------------------------------------------------------------------------------------------


def pause(
    context: typer.Context,
    team: TeamArgument,
    *,
    reason: Reason,
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Admit nothing more of a team, anywhere; what runs goes on, and what is published waits."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    with session(context, _options(settings, project, database)) as (opened, output):
        steer(opened, output, CommandKind.PAUSE, [{"team": team}], how)


def unpause(
    context: typer.Context,
    team: TeamArgument,
    *,
    reason: Reason = "unpaused",
    author: Author = None,
    topic: Topic = None,
    wait: Wait = WAIT_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Admit jobs of a team again."""
    how = How(reason=reason, author=author, topic=topic, wait=wait, in_json=in_json)
    with session(context, _options(settings, project, database)) as (opened, output):
        steer(opened, output, CommandKind.UNPAUSE, [{"team": team}], how)


def _options(settings: str | None, project: str | None, database: str | None) -> Options:
    return Options(settings_file=settings, project=project, database=database)
