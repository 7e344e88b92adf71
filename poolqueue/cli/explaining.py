"""What `poolctl explain` does: find a job, and say why it waits or what became of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from poolqueue.cli.as_json import as_text
from poolqueue.cli.explained import Explained, facts_grid, facts_lines, facts_of
from poolqueue.cli.explained_json import explained_fields
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output
from poolqueue.cli.reading import DETAILS_LIMIT
from poolqueue.cli.session import Session
from poolqueue.cli.viewing import Snapshot, ended_view, expected_of, resource_view
from poolqueue.records import ResourceName, job_path, read_job
from poolqueue.scheduling.jobs import Job, State, job_key
from poolqueue.scheduling.reasons import Explainer
from poolqueue.scheduling.smallest import HIGHEST_PRIORITY


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
        return Explained(job=ended_view(job), now=now)
    return explained_in(snapshot, job, now=now, highest_priority=_highest_priority(session, job.team))


def explained_in(snapshot: Snapshot, job: Job, *, now: datetime, highest_priority: int) -> Explained:
    """As the snapshot of its resource has it, where it may be on its way between queue and reservation."""
    view = resource_view(replace(snapshot, estimates=0), now=now)
    shown = next((each for each in (*view.holding, *view.waiting) if each.key == job.key), ended_view(job))
    line = next((each for each in snapshot.waiting if each.key == job.key), None)
    if line is None:
        return Explained(job=shown, now=now)
    board = snapshot.board(now)
    explainer = Explainer(board, now=now, slots=snapshot.slots)
    explanation = explainer.explain(line, highest_priority=highest_priority)
    expected = expected_of(snapshot, board, now=now, of={line.key}).get(line.key)
    shown = replace(shown, expected=expected)
    return Explained(job=shown, now=now, explanation=explanation, names=board.names)


def _highest_priority(session: Session, team: str) -> int:
    settings = session.found.settings
    named = None if settings is None else settings.team_named(team)
    return HIGHEST_PRIORITY if named is None else named.priority.maximum
