"""The commands of `poolctl` that steer jobs, pools and teams, and their options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

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
from poolqueue.cli.option_groups import expanded
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


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What all of these take: who asks, how the answer is waited for, and where the installation is."""

    author: Author = None
    topic: Topic = None
    wait: Wait = WAIT_SECONDS
    in_json: InJson = False
    settings: SettingsFile = None
    project: Project = None
    database: Database = None

    @property
    def options(self) -> Options:
        return Options(settings_file=self.settings, project=self.project, database=self.database)

    def how(self, reason: str) -> How:
        return How(reason=reason, author=self.author, topic=self.topic, wait=self.wait, in_json=self.in_json)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What may be changed of a job."""

    to: NewPriority = None
    deadline: Deadline = None
    max_wait: MaxWait = None
    alternative: Alternatives = None

    def given(self) -> Mapping[str, Any]:
        return terms_of(
            priority=self.to,
            deadline=self.deadline,
            max_wait=self.max_wait,
            alternatives=self.alternative,
        )


# --- jobs ------------------------------------------------------------------------------------------------


@expanded
def cancel(
    context: typer.Context, job_ids: JobIds, *, reason: Reason, team: TeamOfJobs = None, asking: Asking
) -> None:
    """Cancel jobs, whether they wait, are being submitted or run."""
    _of_jobs(context, CommandKind.CANCEL, job_ids, asking, reason, team=team)


@expanded
def hold(
    context: typer.Context, job_ids: JobIds, *, reason: Reason, team: TeamOfJobs = None, asking: Asking
) -> None:
    """Keep waiting jobs from starting until they are released; they keep their place, and time goes on."""
    _of_jobs(context, CommandKind.HOLD, job_ids, asking, reason, team=team)


@expanded
def release(
    context: typer.Context,
    job_ids: JobIds,
    *,
    reason: Reason = "released",
    team: TeamOfJobs = None,
    asking: Asking,
) -> None:
    """Let held jobs start again."""
    _of_jobs(context, CommandKind.RELEASE, job_ids, asking, reason, team=team)


@expanded
def priority(
    context: typer.Context,
    job_ids: JobIds,
    to: Annotated[int, typer.Argument(metavar="N", help="The new priority, within the team's bounds.")],
    *,
    reason: Reason,
    team: TeamOfJobs = None,
    asking: Asking,
) -> None:
    """Give waiting jobs another priority; higher goes first."""
    _of_jobs(context, CommandKind.CHANGE, job_ids, asking, reason, team=team, priority=to)


@expanded
def change(
    context: typer.Context,
    job_ids: JobIds,
    *,
    reason: Reason,
    terms: Terms,
    team: TeamOfJobs = None,
    asking: Asking,
) -> None:
    """Change priority, deadline, longest wait or alternatives of waiting jobs; what is not named stays."""
    _of_jobs(context, CommandKind.CHANGE, job_ids, asking, reason, team=team, **terms.given())


@expanded
def retry(
    context: typer.Context,
    job_ids: JobIds,
    *,
    reason: Reason,
    terms: Terms,
    team: TeamOfJobs = None,
    asking: Asking,
) -> None:
    """Let jobs that ended wait again, as if they had just arrived: a new attempt of the same job."""
    _of_jobs(context, CommandKind.RETRY, job_ids, asking, reason, team=team, **terms.given())


@expanded
def requeue(
    context: typer.Context,
    job_ids: JobIds,
    *,
    reason: Reason,
    held: Annotated[bool, typer.Option("--hold", help="And hold them from then on.")] = False,
    team: TeamOfJobs = None,
    asking: Asking,
) -> None:
    """Put running jobs back in the queue, at their place: what they have done since their start is lost."""
    _of_jobs(context, CommandKind.REQUEUE, job_ids, asking, reason, team=team, hold=True if held else None)


def _of_jobs(
    context: typer.Context,
    kind: CommandKind,
    job_ids: Sequence[str],
    asking: Asking,
    reason: str,
    **fields: Any,
) -> None:
    with session(context, asking.options) as (opened, output):
        steer_jobs(opened, output, kind, job_ids, asking.how(reason), **fields)


# --- pools -----------------------------------------------------------------------------------------------


@expanded
def drain(
    context: typer.Context,
    resource: ResourceArgument,
    *,
    reason: Reason,
    pool: PoolOption = None,
    asking: Asking,
) -> None:
    """Admit nothing more to a persistent resource or one of its pools; what runs there goes on."""
    with session(context, asking.options) as (opened, output):
        target = {"persistent_resource": resource, "pool": pool}
        steer(opened, output, CommandKind.DRAIN, [target], asking.how(reason))


@expanded
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
    asking: Asking,
) -> None:
    """Drain a persistent resource or one of its pools, and put what runs there back in the queue."""
    running = "cancel" if cancels else "requeue"
    with session(context, asking.options) as (opened, output):
        if not sure:
            confirm(opened, f"Admit nothing more to {pool or resource}, and {running} all that runs there?")
        target = {"persistent_resource": resource, "pool": pool, "running": running}
        steer(opened, output, CommandKind.STOP, [target], asking.how(reason))


@expanded
def resume(
    context: typer.Context,
    resource: ResourceArgument,
    *,
    pool: PoolOption = None,
    reason: Reason = "resumed",
    asking: Asking,
) -> None:
    """Admit jobs again to what was drained or stopped."""
    with session(context, asking.options) as (opened, output):
        target = {"persistent_resource": resource, "pool": pool}
        steer(opened, output, CommandKind.RESUME, [target], asking.how(reason))


# --- teams -----------------------------------------------------------------------------------------------


@expanded
def pause(context: typer.Context, team: TeamArgument, *, reason: Reason, asking: Asking) -> None:
    """Admit nothing more of a team, anywhere; what runs goes on, and what is published waits."""
    with session(context, asking.options) as (opened, output):
        steer(opened, output, CommandKind.PAUSE, [{"team": team}], asking.how(reason))


@expanded
def unpause(
    context: typer.Context, team: TeamArgument, *, reason: Reason = "unpaused", asking: Asking
) -> None:
    """Admit jobs of a team again."""
    with session(context, asking.options) as (opened, output):
        steer(opened, output, CommandKind.UNPAUSE, [{"team": team}], asking.how(reason))
