"""What `poolctl explain` does: find a job, and say why it waits or what became of it."""

from __future__ import annotations

from poolqueue.cli.facts_shown import facts_grid, facts_lines
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output
from poolqueue.cli.session import Session
from poolqueue.records import ResourceName, job_path, read_job
from poolqueue.scheduling.jobs import Job, State, job_key
from poolqueue.scheduling.smallest import HIGHEST_PRIORITY
from poolqueue.viewing.as_json import as_text
from poolqueue.viewing.explained import Explained, explained_alone, explained_in, facts_of
from poolqueue.viewing.explained_json import explained_fields
from poolqueue.viewing.reading import DETAILS_LIMIT


def explain(session: Session, output: Output, job_id: str, *, team: str | None, in_json: bool) -> None:
    explained = explained_job(session, find_job(session, job_id, team))
    if in_json:
        output.lines([as_text(explained_fields(explained))])
        return
    facts = [*facts_of(explained)]
    if output.is_plain:
        output.lines(facts_lines(facts))
    else:
        output.show(facts_grid(facts))


def find_job(session: Session, job_id: str, team: str | None) -> Job:
    """The job of that id, of the team given or of the only one that has it. Raises `Failure`."""
    teams = [team] if team is not None else _teams(session)
    paths = [job_path(job_key(each, job_id)) for each in teams]
    found = [read_job(each.fields) for each in session.documents().read(paths) if each.fields]
    if not found:
        whose = f"team {teams[0]} has" if len(teams) == 1 else f"none of the teams {', '.join(teams)} has"
        raise Failure(f"{whose} no job {job_id}; see poolctl jobs", Exit.REFUSED)
    if len(found) > 1:
        several = ", ".join(job.team for job in found)
        raise Failure(f"several teams have a job {job_id}: give --team, one of {several}", Exit.USAGE)
    return found[0]


def _teams(session: Session) -> list[str]:
    settings = session.found.settings
    if settings is None:
        raise Failure("whose job? Give --team: the settings in force are not known", Exit.USAGE)
    return [team.name for team in settings.teams]


def explained_job(session: Session, job: Job) -> Explained:
    now = session.outside.now()
    snapshot = None
    if job.state is not State.ENDED:
        name = ResourceName.from_key(job.resource)
        reader = session.reader(anywhere=True)
        snapshot = reader.snapshot(name, now=now, details=DETAILS_LIMIT, estimates=1)
    if snapshot is None:
        return explained_alone(job, now=now)
    return explained_in(snapshot, job, now=now, highest_priority=_highest_priority(session, job.team))


def _highest_priority(session: Session, team: str) -> int:
    settings = session.found.settings
    named = None if settings is None else settings.team_named(team)
    return HIGHEST_PRIORITY if named is None else named.priority.maximum
