"""What `poolctl explain` does: find a job, and say why it waits or what became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from poolqueue.cli.facts_shown import facts_grid, facts_lines
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output
from poolqueue.cli.plain import jobs_lines
from poolqueue.cli.session import Session
from poolqueue.cli.tables import jobs_table
from poolqueue.records import ResourceName, job_path, read_job
from poolqueue.scheduling.arrays import member_id, member_of
from poolqueue.scheduling.jobs import Job, Move, State, job_key
from poolqueue.scheduling.smallest import HIGHEST_PRIORITY
from poolqueue.viewing.array_members import first_members
from poolqueue.viewing.as_json import as_text, job_fields
from poolqueue.viewing.explained import Explained, explained_alone, explained_in, facts_of
from poolqueue.viewing.explained_json import explained_fields
from poolqueue.viewing.links import custom_job_link, log_link
from poolqueue.viewing.making import member_view
from poolqueue.viewing.reading import DETAILS_LIMIT
from poolqueue.viewing.text import safe
from poolqueue.viewing.views import JobView

NOTE_LIMIT = 300


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


def show_job(session: Session, output: Output, job_id: str, *, team: str | None, in_json: bool) -> None:
    job = find_job(session, job_id, team)
    explained = explained_job(session, job)
    members = _members(session, job, explained.now)
    if in_json:
        more = {"history": [move_fields(move) for move in job.history], **_links(job)}
        more |= {"members": [job_fields(each) for each in members]} if job.array is not None else {}
        output.lines([as_text({**explained_fields(explained), **more})])
        return
    facts = [*facts_of(explained)]
    for word, link in _links(job).items():
        facts += [] if link is None else [(word.replace("_", " "), link)]
    facts += [("" if number else "history", move_told(move)) for number, move in enumerate(job.history)]
    if output.is_plain:
        output.lines([*facts_lines(facts), *(jobs_lines(members) if members else [])])
    else:
        output.show(facts_grid(facts))
        if members:
            output.show("", jobs_table(members))


def _members(session: Session, job: Job, now: datetime) -> list[JobView]:
    """Of an array the first few, those that failed before the others."""
    if job.array is None:
        return []
    keys = [job_key(job.team, member_id(job.job_id, n)) for n in first_members(job.array)]
    found = session.documents().read([job_path(key) for key in keys])
    return [member_view(read_job(each.fields), now=now) for each in found if each.fields]


def _links(job: Job) -> dict[str, str | None]:
    return {"custom_job": custom_job_link(job.custom_job), "log": log_link(job.custom_job)}


def move_told(move: Move) -> str:
    """`2026-11-25 18:00:03  queued  needs_replicas: small: needs 2, 1 free`."""
    state = move.state.value if move.outcome is None else move.outcome.value
    reason = "" if move.reason is None else f"{move.reason.value}: "
    note = safe(move.note or "", limit=NOTE_LIMIT)
    return f"{move.at:%Y-%m-%d %H:%M:%S}  {state:<10} {reason}{note}".rstrip(" :")


def move_fields(move: Move) -> dict[str, Any]:
    return {
        "sequence": move.sequence,
        "at": move.at.isoformat(),
        "state": move.state.value,
        "attempt": move.attempt,
        "outcome": move.outcome and move.outcome.value,
        "reason": move.reason and move.reason.value,
        "note": move.note,
        "command": move.command,
    }


def find_job(session: Session, job_id: str, team: str | None) -> Job:
    """The job of that id, of the team given or of the only one that has it. Raises `Failure`."""
    teams = [team] if team is not None else _teams(session)
    paths = [job_path(job_key(each, job_id)) for each in teams]
    found = [read_job(each.fields) for each in session.documents().read(paths) if each.fields]
    if not found:
        _tell_of_member(session, teams, job_id)
        whose = f"team {teams[0]} has" if len(teams) == 1 else f"none of the teams {', '.join(teams)} has"
        raise Failure(f"{whose} no job {job_id}; see poolctl jobs", Exit.REFUSED)
    if len(found) > 1:
        several = ", ".join(job.team for job in found)
        raise Failure(f"several teams have a job {job_id}: give --team, one of {several}", Exit.USAGE)
    return found[0]


def _tell_of_member(session: Session, teams: list[str], job_id: str) -> None:
    """A member of an array that has no job of its own. Raises `Failure` with what is known of it."""
    member = member_of(job_id)
    if member is None:
        return
    array_id, number = member
    paths = [job_path(job_key(each, array_id)) for each in teams]
    found = [read_job(each.fields) for each in session.documents().read(paths) if each.fields]
    for array in (job.array for job in found if job.array is not None and number < job.array.size):
        outcome = next((each for each, numbers in array.ended.items() if numbers >> number & 1), None)
        how = "waits in the line of its array" if outcome is None else f"{outcome} together with others"
        raise Failure(
            f"{job_id} has no job of its own: it {how}; see poolctl explain {array_id}", Exit.REFUSED
        )


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
