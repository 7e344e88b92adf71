"""What the commands of `poolctl` do, once it is known where the installation is and what was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from poolqueue import wiring
from poolqueue.cli.asking import Answer, answer_fields, publish, wait_for_answer
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.listing import Listing, Wanted, ended_jobs, live_jobs
from poolqueue.cli.output import Output
from poolqueue.cli.plain import dead_letters_lines, jobs_lines, pools_lines
from poolqueue.cli.saving import save
from poolqueue.cli.session import Session, named_resource
from poolqueue.cli.tables import (
    counts_line,
    dead_letters_table,
    estimates_line,
    jobs_table,
    pools_table,
    reasons_table,
)
from poolqueue.config import Environment, load_settings
from poolqueue.dead_letters import DeadLetter, latest
from poolqueue.requests.naming import ID_RULE, is_id
from poolqueue.scheduling.arrays import member_of
from poolqueue.scheduling.forecast import JOBS_LIMIT
from poolqueue.scheduling.jobs import State
from poolqueue.viewing import as_json
from poolqueue.viewing.reading import DETAILS_LIMIT
from poolqueue.viewing.views import ResourceView

ENDED_WINDOW = 1_000


# --- showing ---------------------------------------------------------------------------------------------


def show_live_jobs(
    session: Session,
    output: Output,
    wanted: Wanted,
    *,
    resource: str | None,
    limit: int,
    in_json: bool,
) -> None:
    # State and priority are exact only where the job's document was read: all that a filter could want are.
    is_narrow = wanted != Wanted(team=wanted.team)
    details = DETAILS_LIMIT if is_narrow else limit
    estimates = (limit if wanted == Wanted() else JOBS_LIMIT) if wanted.state in {None, State.QUEUED} else 0
    views = _views(session, output, resource, details=details, estimates=estimates)
    listing = live_jobs(views, wanted, limit=limit)
    if in_json:
        output.lines([_listing_as_json(listing)])
        return
    if output.is_plain:
        output.lines(jobs_lines(listing.shown))
    else:
        output.show(counts_line(listing.chosen))
        output.show(*([jobs_table(listing.shown)] if listing.shown else []))
    if listing.more:
        left = f"{listing.more_holding:,} that hold replicas and {listing.more_waiting:,} that wait"
        left += f" and {listing.more_held:,} that are held" if listing.more_held else ""
        output.note(f"… and {listing.more:,} more ({left}); --limit shows more")
    if any(view.more_arrivals for view in views):
        output.note("… and more new jobs, which the next admission cycles take into the queue")
    if listing.waiting and not output.is_plain:
        output.show("", reasons_table(listing.waiting))
        output.show(*([told] if (told := estimates_line(listing.shown)) else []))


def show_ended_jobs(
    session: Session, output: Output, wanted: Wanted, *, resource: str | None, limit: int, in_json: bool
) -> None:
    is_filtered = resource is not None or wanted != Wanted()
    window = max(limit, ENDED_WINDOW) if is_filtered else limit
    named = named_resource(resource)
    id_ = named if named is None or isinstance(named, str) else named.id
    reader = session.reader(anywhere=True)
    read = reader.ended(limit=window)
    if any(member_of(job.job_id) is not None for job in read) and window < ENDED_WINDOW:
        window = ENDED_WINDOW
        read = reader.ended(limit=window)
    listing = ended_jobs(read, wanted, resource=id_, limit=limit)
    if in_json:
        output.lines([_listing_as_json(listing)])
    elif output.is_plain:
        output.lines(jobs_lines(listing.shown))
    elif listing.shown:
        output.show(jobs_table(listing.shown))
    if not listing.shown:
        output.note("no job has ended yet" if not read else "no job that ended is one of these")
    if listing.members and not in_json:
        output.note(f"{listing.members:,} members of arrays are left out: see poolctl explain ARRAY")
    if window >= ENDED_WINDOW and len(read) == window and len(listing.chosen) < limit:
        output.note(f"looked at the {window:,} jobs that ended last")


def show_pools(session: Session, output: Output, *, resource: str | None, in_json: bool) -> None:
    views = _views(session, output, resource, details=0)
    if in_json:
        text = as_json.as_text({"resources": [as_json.resource_fields(view) for view in views]})
        output.lines([text])
        return
    for number, view in enumerate(views):
        output.lines([""] if number else [])
        if output.is_plain:
            output.lines(pools_lines(view))
        else:
            output.show(pools_table(view))


def show_dead_letters(
    session: Session, output: Output, *, limit: int, directory: Path | None, in_json: bool
) -> None:
    letters = latest(session.documents(), limit=limit, with_content=directory is not None)
    if in_json:
        text = as_json.as_text({"dead_letters": [as_json.dead_letter_fields(letter) for letter in letters]})
        output.lines([text])
    elif output.is_plain:
        output.lines(dead_letters_lines(letters))
    elif letters:
        output.show(dead_letters_table(letters))
    if not letters:
        output.note("every message could be used so far")
    if directory is not None:
        for letter in letters:
            _save(output, letter, directory)


def _save(output: Output, letter: DeadLetter, directory: Path) -> None:
    try:
        message, script = save(letter, directory)
    except OSError as error:
        raise Failure(f"--save {directory}: {error.strerror}", Exit.USAGE) from error
    if script is not None:
        output.note(f"saved {message}; to publish it again: sh {script}")
    elif letter.is_cut:
        output.note(f"saved the beginning of a message of {letter.size:,} bytes: {message}")
    else:
        output.note(f"saved {message}; which came from no topic that it could be published to as it is")


def check_settings(output: Output, file: str, *, project: str | None, in_json: bool) -> None:
    """Everything that a function checks when it starts."""
    environment = Environment(settings_file=file, project=project)
    settings = load_settings(environment)
    triggers = wiring.load_triggers_of(environment, settings).triggers
    regions = ["/".join(region) for region in settings.regions()]
    teams = [team.name for team in settings.teams]
    if in_json:
        names = [trigger.name for trigger in triggers]
        fields = {
            "installation": settings.installation,
            "teams": teams,
            "triggers": names,
            "regions": regions,
        }
        output.lines([as_json.as_text(fields)])
        return
    told = f"teams {', '.join(teams)}; triggers {len(triggers)}; regions {', '.join(regions)}"
    output.tell(f"good: installation {settings.installation}; {told}", style="green")


def _views(
    session: Session, output: Output, resource: str | None, *, details: int, estimates: int = 0
) -> Sequence[ResourceView]:
    reader = session.reader()
    if session.found.unreadable is not None:
        told = f"this poolctl cannot read the settings in force, version {session.found.version}"
        output.note(f"{told}: reasons are by other rules", style="yellow")
    views = reader.resources(
        now=session.outside.now(), only=named_resource(resource), details=details, estimates=estimates
    )
    if views:
        return views
    where = ", ".join("/".join(region) for region in session.regions)
    if resource is not None:
        told = f"no job ever named the persistent resource {resource}; looked in {where}"
        raise Failure(told, Exit.REFUSED)
    output.note(f"no persistent resource is known in {where}: the first job that names one makes it known")
    return ()


def _listing_as_json(listing: Listing) -> str:
    return as_json.as_text({"jobs": [as_json.job_fields(job) for job in listing.shown], "more": listing.more})


# --- asking ----------------------------------------------------------------------------------------------


def carry_out(
    session: Session,
    output: Output,
    body: Mapping[str, str | int],
    *,
    topic: str | None,
    wait: float,
    with_fields: Mapping[str, Any] | None = None,
) -> None:
    """Publish a command and tell its result; as JSON, beside such fields, if they are given. Ends with the
    code that says what became of it.
    """
    publish(session, body, topic=topic)
    id_ = str(body["id"])
    try:
        answer = _await(session, output, id_, wait=wait)
    except BaseException:
        output.note(f"the command is published and takes its course; look again: poolctl result {id_}")
        raise
    if with_fields is not None:
        output.lines([as_json.as_text({**with_fields, "command": answer_fields(id_, answer)})])
    _tell(output, id_, answer, topic=session.topic(topic), in_json=with_fields is not None)


def show_result(session: Session, output: Output, id_: str, *, wait: float, in_json: bool) -> None:
    """Tell the result of a command published earlier."""
    if not is_id(id_):
        raise Failure(f"{id_!r} is no command's id: they are {ID_RULE}", Exit.USAGE)
    answer = _await(session, output, id_, wait=wait)
    if in_json:
        output.lines([as_json.as_text(answer_fields(id_, answer))])
    _tell(output, id_, answer, topic=None, in_json=in_json)


def _await(session: Session, output: Output, id_: str, *, wait: float) -> Answer | None:
    with output.notes.status(f"command {id_}: waiting up to {wait:.0f} s for its result"):
        return wait_for_answer(session.documents(), id_, session.outside, seconds=wait)


def _tell(output: Output, id_: str, answer: Answer | None, *, topic: str | None, in_json: bool) -> None:
    match answer:
        case Answer(result="done") if in_json:
            return
        case Answer(result="done", message=message, warnings=warnings):
            output.tell(f"done: {message}", style="green")
            _warn(output, warnings)
        case Answer(result=str()) if in_json:
            raise typer.Exit(Exit.REFUSED)
        case Answer(result=str(), message=message, warnings=warnings):
            for line in f"refused: {message}".splitlines():
                output.tell(line, style="red")
            _warn(output, warnings)
            raise typer.Exit(Exit.REFUSED)
        case Answer():
            raise Failure(f"still being carried out; look again: poolctl result {id_}", Exit.NO_ANSWER)
        case None:
            functions = "" if topic is None else f" (is job_commanded deployed, and subscribed to {topic}?)"
            told = f"nobody has taken the command yet{functions}; look again: poolctl result {id_}"
            raise Failure(told, Exit.NO_ANSWER)


def _warn(output: Output, warnings: Sequence[str]) -> None:
    for warning in warnings:
        output.note(f"note: {warning}", style="yellow")
