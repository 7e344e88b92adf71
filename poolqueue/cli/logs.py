"""`poolctl logs`: what a job's attempt wrote, once or until the job has ended."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from poolqueue import wiring
from poolqueue.cli.arguments import Database, InJson, Project, SettingsFile
from poolqueue.cli.explaining import find_job
from poolqueue.cli.failures import Exit, Failure, failure_of
from poolqueue.cli.looks import Looks
from poolqueue.cli.output import Output, session
from poolqueue.cli.session import Options, Session
from poolqueue.ports import SERVICE, LogEntries, LogEntry, LogsUnavailable
from poolqueue.scheduling.jobs import Job, Outcome, State
from poolqueue.viewing import wording
from poolqueue.viewing.as_json import as_line, as_text
from poolqueue.viewing.attempts import attempts_of
from poolqueue.viewing.links import custom_job_link, log_link
from poolqueue.viewing.logs import (
    AttemptLog,
    LogLine,
    LogTail,
    attempt_log,
    entry_fields,
    lines_of,
    plain_line,
)

SHOWN = 200
MOST = 10_000
EVERY_SECONDS = 5.0
# The service's last line may come so long after we know of the end.
LAST_LINE_SECONDS = 20.0
# Kinds of trouble that pass by themselves; the others need somebody to act.
_PASSING = {None, "silent"}
KEPT = "Cloud Logging keeps entries for 30 days, unless the log bucket or an exclusion says otherwise"

_STYLES = {
    "DEBUG": "dim",
    "WARNING": "yellow",
    "ERROR": "red",
    "CRITICAL": "bold red",
    "ALERT": "bold red",
    "EMERGENCY": "bold red",
}
_UNTOLD = {"DEFAULT", "INFO"}
_WRITERS = ("cyan", "magenta", "green", "blue", "bright_cyan", "bright_magenta")


@dataclass(frozen=True, kw_only=True)
class Asked:
    job_id: str
    team: str | None
    attempt: int | None
    lines: int
    in_json: bool


def logs(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB_ID", help="The job's id.")],
    *,
    attempt: Annotated[
        int | None,
        typer.Option("--attempt", help="That of its attempts, else the latest.", min=1, metavar="N"),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job (or the attempt) has ended.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", help="The latest so many entries.", min=1, max=MOST, metavar="N")
    ] = SHOWN,
    every: Annotated[
        float,
        typer.Option(help="With --follow: seconds between two looks.", min=1, max=3600, metavar="SECONDS"),
    ] = EVERY_SECONDS,
    team: Annotated[
        str | None, typer.Option("--team", "-t", help="Whose job, if several teams have one of this id.")
    ] = None,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    database: Database = None,
) -> None:
    """Show what a job wrote to its log, each line with who wrote it, and where all of it is.

    With --follow it waits for a start, goes on with the next attempt, and ends with the job, as watch does.
    """
    options = Options(settings_file=settings, project=project, database=database)
    asked = Asked(job_id=job_id, team=team, attempt=attempt, lines=lines, in_json=in_json)
    with session(context, options) as (opened, output):
        if follow:
            _Following(opened, output, asked).follow(every)
        else:
            _show_once(opened, output, asked)


def _show_once(session: Session, output: Output, asked: Asked) -> None:
    job = find_job(session, asked.job_id, asked.team)
    log = _existing(job, asked)
    try:
        found = session.logs().latest(log.custom_job, since=log.since, limit=asked.lines)
    except LogsUnavailable as error:
        raise _failure(error, session, log) from error
    if asked.in_json:
        entries = [entry_fields(each) for each in found.each]
        output.lines([as_text({**_head_fields(job, log), "are_all": found.are_all, "entries": entries})])
        return
    output.note(_head(job, log), style="bold")
    if not found.are_all:
        output.note(f"the latest {asked.lines:,} entries; --lines N for more", style="dim")
    if not found.each:
        output.note(_nothing_yet(log), style="yellow")
    _print(output, found.each, session.outside.now())


def _existing(job: Job, asked: Asked) -> AttemptLog:
    """Raises `Failure` where no attempt, or not that one, has become a custom job."""
    log = attempt_log(job, asked.attempt)
    if log is not None:
        return log
    name = wording.name(job.job_id)
    if job.array is not None:
        told = f"an array has no log of its own: name one of its members, such as {name}.0"
    elif asked.attempt is not None:
        known = ", ".join(str(each.number) for each in attempts_of(job).each if each.custom_job is not None)
        told = f"no log is known of attempt {asked.attempt} of {name}; of these it is: {known or 'none'}"
    elif job.state is State.ENDED:
        told = (
            f"job {name} has no log: it ended before a custom job was made of it; see poolctl explain {name}"
        )
    else:
        told = (
            f"job {name} has no log: no custom job was made of it yet; see poolctl explain {name}, "
            "or wait with --follow"
        )
    raise Failure(told, Exit.REFUSED)


def _nothing_yet(log: AttemptLog) -> str:
    if log.ended is None:
        return "no entries yet: Vertex AI writes the first when it prepares the machines; wait with --follow"
    return f"no entries: the attempt ended {log.ended:%Y-%m-%d %H:%M} UTC. {KEPT}"


def _failure(error: LogsUnavailable, session: Session, log: AttemptLog) -> Failure:
    """With the log's address, for whoever may see it in a browser."""
    project = log.custom_job.split("/")[1]
    told = failure_of(error, session.environment, project)
    assert told is not None
    why = "" if error.__cause__ is None else f" ({error.__cause__})"
    return Failure(f"{told.message}; the log in the console: {log_link(log.custom_job)}{why}", told.code)


# --- following -------------------------------------------------------------------------------------------


@dataclass
class _Following:
    session: Session
    output: Output
    asked: Asked
    _log: AttemptLog | None = field(default=None, init=False)
    _tail: LogTail | None = field(default=None, init=False)
    _waits: str = field(default="", init=False)

    def follow(self, every: float) -> None:
        looks = Looks(self.session, self.output, every, draws=False)
        gives_up: float | None = None
        job: Job | None = None
        for now in looks:
            with looks.looking(now):
                job = find_job(self.session, self.asked.job_id, self.asked.team)
                self._look(job, now)
            if looks.trouble is not None or job is None or not self._is_over(job):
                continue
            gives_up = gives_up or self.session.outside.monotonic() + LAST_LINE_SECONDS
            all_is_told = self._tail is None or self._tail.has_ended
            if all_is_told or self.session.outside.monotonic() >= gives_up:
                break
        if job is not None and not self._succeeded(job):
            raise typer.Exit(Exit.REFUSED)

    def _look(self, job: Job, now: datetime) -> None:
        log = attempt_log(job, self.asked.attempt)
        if log is None:
            self._wait(job)
            return
        if self._log is not None and self._log.custom_job != log.custom_job:
            self._show(self._log, job, now)
            self._tail = None
        self._show(log, job, now)

    def _wait(self, job: Job) -> None:
        if job.state is State.ENDED or job.array is not None or self._is_past(job):
            _existing(job, self.asked)
        why = job.state.value if job.reason is None else f"{job.state.value}: {job.reason.value}"
        if why != self._waits:
            self.output.note(f"no custom job yet ({why}): waiting for it", style="yellow")
        self._waits = why

    def _is_past(self, job: Job) -> bool:
        return self.asked.attempt is not None and self.asked.attempt < job.attempt

    def _show(self, log: AttemptLog, job: Job, now: datetime) -> None:
        try:
            found = self._found(log)
        except LogsUnavailable as error:
            if wiring.fault_of(error) not in _PASSING:
                raise _failure(error, self.session, log) from error
            raise
        if self._tail is None:
            self._log, self._tail = log, LogTail(log.since)
            self._begin(log, job, found)
        fresh = self._tail.fresh(found, now)
        if self.asked.in_json:
            self.output.lines([as_line({"attempt": log.attempt, **entry_fields(each)}) for each in fresh])
        else:
            _print(self.output, fresh, now)

    def _found(self, log: AttemptLog) -> LogEntries:
        logs = self.session.logs()
        if self._tail is None:
            return logs.latest(log.custom_job, since=log.since, limit=self.asked.lines)
        return logs.earliest(log.custom_job, since=self._tail.since, limit=MOST)

    def _begin(self, log: AttemptLog, job: Job, found: LogEntries) -> None:
        if self.asked.in_json:
            self.output.lines([as_line(_head_fields(job, log))])
            return
        self.output.note(_head(job, log), style="bold")
        if not found.are_all:
            self.output.note(f"from the latest {self.asked.lines:,} entries on", style="dim")
        if not found.each:
            self.output.note("no entries yet: waiting for them", style="dim")

    def _is_over(self, job: Job) -> bool:
        log = attempt_log(job, self.asked.attempt)
        is_asked_one_over = self.asked.attempt is not None and log is not None and log.ended is not None
        return is_asked_one_over or job.state is State.ENDED

    def _succeeded(self, job: Job) -> bool:
        log = None if self.asked.attempt is None else attempt_log(job, self.asked.attempt)
        how = job.outcome if log is None else log.how
        return how == Outcome.SUCCEEDED


# --- in words --------------------------------------------------------------------------------------------


def _head(job: Job, log: AttemptLog) -> str:
    return f"attempt {log.attempt} of {job.team}/{wording.name(job.job_id)}: {log_link(log.custom_job)}"


def _head_fields(job: Job, log: AttemptLog) -> dict[str, Any]:
    return {
        "team": job.team,
        "job_id": job.job_id,
        "attempt": log.attempt,
        "custom_job": custom_job_link(log.custom_job),
        "log": log_link(log.custom_job),
    }


def _print(output: Output, entries: Sequence[LogEntry], now: datetime) -> None:
    lines = lines_of(entries)
    if output.is_plain:
        output.lines(plain_line(line) for line in lines)
    else:
        output.flow(_coloured(lines, now))


def _coloured(lines: Iterable[LogLine], now: datetime) -> Iterable[Text]:
    for line in lines:
        style = _STYLES.get(line.severity, "")
        at = f"{line.at:%H:%M:%S}" if line.at.date() == now.date() else f"{line.at:%Y-%m-%d %H:%M:%S}"
        severity = "" if line.severity in _UNTOLD else f"{line.severity} "
        shown = Text().append(f"{at} ", style="dim")
        shown.append(f"{line.writer:<13} ", style=_writer_style(line.writer))
        yield shown.append(f"{severity}{line.text}", style=style)


def _writer_style(writer: str) -> str:
    """The same for a replica each time."""
    return "dim" if writer == SERVICE else _WRITERS[zlib.crc32(writer.encode()) % len(_WRITERS)]
