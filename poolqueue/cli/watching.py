"""`poolctl watch`: a job until it has ended, or what runs and waits; in place, or a line per change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from poolqueue.cli.arguments import Database, InJson, Location, Project, ResourceFilter, SettingsFile
from poolqueue.cli.explaining import explained_job, find_job, move_fields, move_told
from poolqueue.cli.facts_shown import facts_grid
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.listing import Wanted, live_jobs
from poolqueue.cli.looks import Looks
from poolqueue.cli.output import Output, session
from poolqueue.cli.session import Options, Session, named_resource
from poolqueue.cli.tables import counts_line, jobs_table
from poolqueue.scheduling.jobs import Job, Move, Outcome, State
from poolqueue.viewing import wording
from poolqueue.viewing.as_json import as_line, job_fields
from poolqueue.viewing.explained import Fact, facts_of
from poolqueue.viewing.views import JobView

EVERY_SECONDS = 2.0
ROWS = 30
RECORDED_WITHIN_SECONDS = 60.0

Every = Annotated[
    float, typer.Option("--every", help="Seconds between two looks.", min=0.5, max=3600, metavar="SECONDS")
]


def watch(
    context: typer.Context,
    job_id: Annotated[
        str | None, typer.Argument(metavar="[JOB_ID]", help="This job, until it has ended.")
    ] = None,
    *,
    resource: ResourceFilter = None,
    team: Annotated[str | None, typer.Option("--team", "-t", help="Only this team's.")] = None,
    every: Every = EVERY_SECONDS,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    location: Location = None,
    database: Database = None,
) -> None:
    """Watch a job until it has ended, or the jobs that hold replicas and wait, until interrupted.

    In a terminal it is drawn in place, else there is a line for each change. A job that did not succeed ends
    it with 1.
    """
    options = Options(settings_file=settings, project=project, location=location, database=database)
    with session(context, options) as (opened, output):
        if job_id is not None:
            watch_job(opened, output, job_id, team=team, every=every, in_json=in_json)
        else:
            _watch_all(opened, output, resource, team, every=every, in_json=in_json)


# --- a job -----------------------------------------------------------------------------------------------


def watch_job(
    session: Session, output: Output, job_id: str, *, team: str | None, every: float, in_json: bool,
    is_new: bool = False,
) -> None:  # fmt: skip
    """Until it has ended. One that was just published may take a moment to be recorded."""
    looks = Looks(session, output, every)
    told = 0
    job: Job | None = None
    facts: Sequence[Fact] = ()
    waits_until = session.outside.monotonic() + (RECORDED_WITHIN_SECONDS if is_new else 0.0)
    with _drawing(output, in_json=in_json) as draw:
        for now in looks:
            with looks.looking(now):
                job = _found(session, job_id, team, give_up=session.outside.monotonic() >= waits_until)
                if job is not None and draw is not None:
                    facts = [*facts_of(explained_job(session, job))]
            if job is not None and draw is None:
                fresh = [move for move in job.history if move.sequence > told]
                output.lines([_in_json(job, m) if in_json else move_told(m) for m in fresh])
                told = max([told, *(move.sequence for move in fresh)])
            elif draw is not None:
                draw.update(_job_picture(job, facts, looks.footer(now)), refresh=True)
            if job is not None and job.state is State.ENDED and looks.trouble is None:
                break
    if job is not None and job.outcome is not Outcome.SUCCEEDED:
        raise typer.Exit(Exit.REFUSED)


def _found(session: Session, job_id: str, team: str | None, *, give_up: bool) -> Job | None:
    try:
        return find_job(session, job_id, team)
    except Failure as failure:
        if give_up or failure.code is not Exit.REFUSED:
            raise
        return None


def _job_picture(job: Job | None, facts: Sequence[Fact], footer: Text) -> RenderableType:
    if job is None:
        return Group(Text("not recorded yet"), footer)
    history = [Text(move_told(move), overflow="fold") for move in job.history[-ROWS:]]
    return Group(*history, "", facts_grid(facts), "", footer)


def _in_json(job: Job, move: Move) -> str:
    return as_line({"team": job.team, "job_id": job.job_id, **move_fields(move)})


# --- all of them -----------------------------------------------------------------------------------------


def _watch_all(
    session: Session, output: Output, resource: str | None, team: str | None, *, every: float, in_json: bool
) -> None:
    looks = Looks(session, output, every)
    known: dict[str, tuple[State, str]] = {}
    named, reader = named_resource(resource), session.reader()
    picture: RenderableType = Text("no jobs")
    with _drawing(output, in_json=in_json) as draw:
        for now in looks:
            with looks.looking(now):
                views = reader.resources(now=now, only=named, details=ROWS)
                listing = live_jobs(views, Wanted(team=team), limit=ROWS)
                if draw is None:
                    output.lines(_changes(known, listing.chosen, now, in_json=in_json))
                    known = {job.key: (job.state, wording.reason(job)) for job in listing.chosen}
                parts = [jobs_table(listing.shown)] if listing.shown else []
                more = [Text(f"… and {listing.more:,} more", style="dim")] if listing.more else []
                picture = Group(counts_line(listing.chosen), *parts, *more)
            if draw is not None:
                draw.update(Group(picture, "", looks.footer(now)), refresh=True)


def _changes(
    known: dict[str, tuple[State, str]], jobs: Sequence[JobView], now: datetime, *, in_json: bool
) -> Iterator[str]:
    """A line for each job that is new, is in another state or waits for another kind of reason, and one for
    each that has left.
    """
    at = f"{now:%Y-%m-%d %H:%M:%S}"
    for job in jobs:
        before = known.get(job.key)
        if before is not None and before[0] is job.state:
            continue
        if in_json:
            yield as_line({"at": now.isoformat(), **job_fields(job)})
        else:
            yield f"{at}  {_name(job.key)}  {wording.state(job)}  {wording.reason(job)}".rstrip()
    for key in known.keys() - {job.key for job in jobs}:
        team, _, job_id = key.partition(".")
        if in_json:
            yield as_line({"at": now.isoformat(), "team": team, "job_id": job_id, "state": "gone"})
        else:
            yield f"{at}  {_name(key)}  gone: ended, or moved (poolctl explain {wording.name(job_id)})"


def _name(key: str) -> str:
    return wording.name(key.replace(".", "/", 1))


@contextmanager
def _drawing(output: Output, *, in_json: bool) -> Iterator[Live | None]:
    """A picture that is drawn in place; none in a pipe or file, or for a program."""
    if output.is_plain or in_json:
        yield None
        return
    with output.live() as live:
        yield live
