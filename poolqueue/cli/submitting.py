"""What `poolctl submit` does: publish a request to its team's topic, or only tell what would become of it."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import typer

from poolqueue.cli.dry_run import Asked, DryRun, Trial, Variations
from poolqueue.cli.dry_run_shown import (
    NOTHING_DONE,
    facts_of,
    problem_told,
    trial_fields,
    trials_lines,
    trials_table,
)
from poolqueue.cli.facts_shown import facts_grid, facts_lines
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output
from poolqueue.cli.session import Session
from poolqueue.config import Settings, Team
from poolqueue.dead_letters import problem_fields
from poolqueue.messages import BadRequest, parse_request
from poolqueue.requests.gcloud_flags import GcloudFlagsError, custom_job_from_gcloud_flags
from poolqueue.viewing.as_json import as_line, as_text

ID_BYTES = 4
ANYWHERE = "anywhere"  # stands for a project or location that only settings know


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A request as it is given: a file, `-`, or flags of gcloud; whose it is says its team or topic."""

    given: Sequence[str]
    team: str | None = None
    topic: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


def attributes_of(given: Sequence[str]) -> dict[str, str]:
    """Of `NAME=VALUE`s. Raises `Failure`."""
    pairs = [each.partition("=") for each in given]
    if bad := [each for each, (name, sign, _) in zip(given, pairs, strict=True) if not (name and sign)]:
        raise Failure(f"--attribute {bad[0]}: give NAME=VALUE", Exit.USAGE)
    return {name: value for name, _, value in pairs}


def submit(
    session: Session, output: Output, submission: Submission, *, in_json: bool = False
) -> tuple[str | None, str]:
    """Publish it, and tell the job's id; what is malformed is told, not published. Its team, and its id."""
    asked = _asked(session, submission)
    settings = session.found.settings
    team = None if settings is None else _team(settings, submission)
    topic = _topic(session, submission, team)
    request = parse_request(
        asked.data,
        asked.attributes,
        default_job_id=asked.default_job_id,
        project=(team and team.project) or session.project,
        location=(team and team.location) or (settings.location if settings is not None else ANYWHERE),
        default_priority=None if team is None else team.default_priority,
    )
    if isinstance(request, BadRequest):
        if in_json:
            output.lines([as_line({"problems": [problem_fields(each) for each in request.problems]})])
        for problem in () if in_json else request.problems:
            output.tell(problem_told(problem), style="red")
        raise Failure("the request is malformed: nothing was published", Exit.REFUSED)
    is_named = request.job_id != asked.default_job_id
    attributes = asked.attributes if is_named else {**asked.attributes, "job_id": request.job_id}
    session.publisher().publish(topic, asked.data, attributes)
    if in_json:
        named = None if team is None else team.name
        output.lines([as_line({"team": named, "job_id": request.job_id, "topic": topic})])
        return named, request.job_id
    whose = "" if team is None else f" of team {team.name}"
    output.tell(f"published as job {request.job_id}{whose}", style="green")
    output.note(f"look at it: poolctl explain {request.job_id}" + (f" --team {team.name}" if team else ""))
    return (None if team is None else team.name), request.job_id


def dry_run(
    session: Session, output: Output, submission: Submission, variations: Variations, *, in_json: bool
) -> None:
    """Tell what would become of it. Ends with 1 if it would be refused as it was asked for."""
    settings = session.found.settings
    if settings is None:
        told = "by which rules? Nobody has put settings in force: give the settings file (--settings)"
        raise Failure(told, Exit.USAGE)
    now = session.outside.now()
    run = DryRun(
        reader=session.reader(anywhere=True), settings=settings, team=_team(settings, submission), now=now
    )
    trials = run.trials(_asked(session, submission), variations)
    _show(output, trials, now, in_json=in_json)
    if not trials[0].is_accepted:
        raise typer.Exit(Exit.REFUSED)


def _show(output: Output, trials: Sequence[Trial], now: datetime, *, in_json: bool) -> None:
    if in_json:
        output.lines([as_text({"trials": [trial_fields(trial) for trial in trials]})])
        return
    facts = [*facts_of(trials[0], now)]
    has_variations = len(trials) > 1
    if output.is_plain:
        output.lines([*facts_lines(facts), *(["", *trials_lines(trials, now)] if has_variations else [])])
    else:
        output.show(facts_grid(facts))
        if has_variations:
            output.show("", trials_table(trials, now))
    output.note(NOTHING_DONE)


def _asked(session: Session, submission: Submission) -> Asked:
    made = f"{session.outside.now():%Y%m%d-%H%M%S}-{secrets.token_hex(ID_BYTES)}"
    return Asked(data=_data(session, submission), attributes=submission.attributes, default_job_id=made)


def _data(session: Session, submission: Submission) -> bytes:
    """What is published. Raises `Failure`."""
    first, *rest = submission.given
    if first.startswith("--") or rest:
        return _from_flags(session, submission)
    return _read(first)


def _from_flags(session: Session, submission: Submission) -> bytes:
    """Flags say where gcloud would make the custom job; here its topic does."""
    try:
        made = custom_job_from_gcloud_flags(submission.given)
    except GcloudFlagsError as error:
        raise Failure(str(error), Exit.USAGE) from error
    settings = session.found.settings
    if settings is not None:
        team = _team(settings, submission)
        places = {
            "--region": team.location or settings.location,
            "--project": team.project or settings.project,
        }
        for flag, place in places.items():
            given = made[flag.removeprefix("--")]
            if given not in {None, place}:
                told = f"{flag} {given}: jobs of team {team.name} run in {place}; leave it out"
                raise Failure(told, Exit.USAGE)
    return json.dumps(made["custom_job"]).encode()


def _read(path: str) -> bytes:
    """Raises `Failure` when the file cannot be read."""
    try:
        if path == "-":
            return sys.stdin.buffer.read()
        with open(path, "rb") as file:  # noqa: PTH123 - as Unix tools name files
            return file.read()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", Exit.USAGE) from error


def _team(settings: Settings, submission: Submission) -> Team:
    """Raises `Failure` when it is not said whose request it is."""
    if submission.topic is not None:
        short = submission.topic.rsplit("/", 1)[-1]
        team = settings.team_of_topic(short)
        if team is None:
            raise Failure(f"--topic {submission.topic}: it belongs to no team", Exit.USAGE)
        return team
    names = ", ".join(team.name for team in settings.teams)
    if submission.team is not None:
        named = settings.team_named(submission.team)
        if named is None:
            raise Failure(f"--team {submission.team}: no such team; there are {names}", Exit.USAGE)
        return named
    if len(settings.teams) > 1:
        raise Failure(f"whose request? Give --team, one of {names}", Exit.USAGE)
    return settings.teams[0]


def _topic(session: Session, submission: Submission, team: Team | None) -> str:
    """The full name of the topic given, or of the team's first one."""
    given = submission.topic or (team.topics[0] if team is not None else None)
    if given is None:
        raise Failure("to which topic? Give --topic: the settings in force are not known", Exit.USAGE)
    return given if given.startswith("projects/") else f"projects/{session.project}/topics/{given}"
