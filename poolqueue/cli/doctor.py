"""`poolctl doctor`: looks at everything that the queue needs, and says what to do about what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta

import typer
from rich.table import Table
from rich.text import Text

from poolqueue.cli.arguments import Database, InJson, Location, Project, SettingsFile
from poolqueue.cli.failures import Exit, failure_of
from poolqueue.cli.output import Output, session
from poolqueue.cli.plain import aligned
from poolqueue.cli.session import Options, Session
from poolqueue.config import Settings, differences
from poolqueue.config.settings import Timing
from poolqueue.ports import Query, StoreUnavailable
from poolqueue.records.names import SCHEMA
from poolqueue.viewing.as_json import as_text
from poolqueue.viewing.health import Check, Verdict, bad, good, odd, of_records
from poolqueue.viewing.text import safe

TOLD_LIMIT = 400
DELETED_WITHIN = timedelta(days=3)  # Firestore promises a day, mostly
_STYLES = {Verdict.GOOD: "green", Verdict.ODD: "yellow", Verdict.BAD: "red", Verdict.UNKNOWN: "dim"}

# A query of each kind that is asked (poolqueue/adapters/queries.py), and what it is for.
_QUERIES = {
    "new jobs": Query(collection="jobs", where={"inbox": "doctor"}, limit=1),
    "ended jobs": Query(collection="jobs", newest_first="ended_at", select=("ended_at",), limit=1),
    "resources": Query(collection="resources", where={"region": "doctor"}, limit=1),
    "dead letters": Query(collection="dead_letters", newest_first="at", select=("at",), limit=1),
    "settings": Query(collection="settings", newest_first="applied_at", select=("applied_at",), limit=1),
    "usage": Query(collection="usage", where={"month": "doctor"}, limit=1),
}


def doctor(
    context: typer.Context,
    *,
    in_json: InJson = False,
    settings: SettingsFile = None,
    project: Project = None,
    location: Location = None,
    database: Database = None,
) -> None:
    """Check credentials, Firestore, topics, permissions, clock, sweeps, settings and stuck jobs.

    Nothing is published or written. Ends with 1 if something is bad, and says what to do about it.
    """
    options = Options(settings_file=settings, project=project, location=location, database=database)
    with session(context, options) as (opened, output):
        checks = [*examine(opened)]
        _show(output, checks, in_json=in_json)
        if any(check.verdict is Verdict.BAD for check in checks):
            raise typer.Exit(Exit.REFUSED)


def examine(session: Session) -> Iterator[Check]:
    """One after the other; where Firestore cannot be read, nothing is told of what it holds."""
    yield _place(session)
    reached = _reached(session, "Firestore", lambda: _store(session))
    yield reached
    if reached.verdict is Verdict.BAD:
        return
    yield _settings(session)
    settings = session.found.settings
    yield from _topics(session, settings)
    yield _indexes(session)
    if session.regions:
        yield from _records(session, settings.timing if settings is not None else Timing())
    yield from _letters(session)
    if settings is not None and not _is_local(session):
        yield _retention(session, settings)


def _place(session: Session) -> Check:
    environment = session.environment
    emulators = (environment.firestore_emulator_host, environment.pubsub_emulator_host)
    if not any(emulators):
        return good("installation", f"project {session.project}, database {environment.database}")
    told = f"local: project {session.project}, Firestore at {emulators[0]}, Pub/Sub at {emulators[1]}"
    if all(emulators):
        return good("installation", told)
    return bad("installation", told, "set both FIRESTORE_EMULATOR_HOST and PUBSUB_EMULATOR_HOST, or neither")


def _is_local(session: Session) -> bool:
    return session.environment.firestore_emulator_host is not None


def _reached(session: Session, name: str, look: Callable[[], Check]) -> Check:
    """What `look` finds, or why it could not be asked, with the remedy."""
    try:
        return look()
    except Exception as error:
        failure = failure_of(error, session.environment, session.project)
        if failure is None:
            raise
        found, _, remedy = failure.message.partition(": ")
        return bad(name, found, remedy or "look at the network, and try again")


def _store(session: Session) -> Check:
    before = session.outside.monotonic()
    session.documents().read(["settings/current"])
    seconds = session.outside.monotonic() - before
    return good("Firestore", f"may be read; answered in {seconds:.2f} s")


def _settings(session: Session) -> Check:
    found = session.found
    if found.unreadable is not None:
        told = f"version {found.version} in force cannot be read by this poolctl: {found.unreadable}"
        return bad("settings", told, "install the poolctl of the release that is deployed")
    if found.settings is None:
        return bad("settings", "none are in force", "deploy the functions, or give the file (--settings)")
    if found.text is None:
        told = "no function has told which settings are in force; those of the file are taken for them"
        return odd("settings", told, "a sweep tells them: see below whether sweeps come")
    told = f"version {found.version} in force, of installation {found.settings.installation}"
    drift = [] if session.file is None else differences(found.settings, session.file)
    if drift:
        file = session.environment.settings_file
        return odd(
            "settings",
            f"{told}; the file {file} differs in {len(drift)} fields",
            f"look: poolctl diff {file}; then apply it, or save those in force: poolctl settings > {file}",
        )
    return good("settings", told + ("" if session.file is None else "; the file is the same"))


def _topics(session: Session, settings: Settings | None) -> Iterator[Check]:
    """Whether the one who asks may publish: an operator needs no more than the command topic."""
    if settings is None:
        return
    commands = [*settings.admin_command_topics]
    others = [topic for team in settings.teams for topic in (*team.topics, *team.command_topics)]
    names = list(dict.fromkeys([*commands, *others]))
    full = {f"projects/{session.project}/topics/{name}": name for name in names}

    def look() -> Check:
        states = session.outside.topics(session.environment, [*full])
        missing = [full[topic] for topic, state in states.items() if state == "missing"]
        closed = [full[topic] for topic, state in states.items() if state == "forbidden"]
        if missing:
            return bad("topics", f"missing: {', '.join(missing)}", "run Terraform, or correct the settings")
        if closed:
            told = f"you may not publish to {', '.join(closed)}"
            return odd("topics", told, "to steer or submit there, ask for roles/pubsub.publisher on it")
        return good("topics", f"{len(full)} are there, and you may publish to them")

    yield _reached(session, "topics", look)


def _indexes(session: Session) -> Check:
    failed = []
    for name, query in _QUERIES.items():
        try:
            session.documents().find(query)
        except StoreUnavailable:
            raise
        except Exception as error:
            if failure_of(error, session.environment, session.project) is None:
                raise
            failed.append(name)
    if failed:
        told = f"queries are refused of {', '.join(failed)}"
        return bad("indexes", told, "run Terraform (infra/firestore.tf); an index takes minutes to be built")
    return good("indexes", f"all {len(_QUERIES)} kinds of queries are answered")


def _records(session: Session, timing: Timing) -> Iterator[Check]:
    reader = session.reader()
    where = [f"{project}.{location}" for project, location in reader.regions]
    documents = [
        each.fields
        for region in where
        for each in session.documents().find(
            Query(collection="resources", where={"region": region}, select=("schema",), limit=500)
        )
        if each.fields
    ]
    newer = [fields for fields in documents if fields["schema"] > SCHEMA]
    if newer:
        told = f"{len(newer)} records are of a later schema than {SCHEMA}"
        yield bad("schema", told, "install the poolctl of the release that is deployed")
        return
    yield good("schema", f"records are of schema {SCHEMA}")
    yield from of_records(reader.known(), timing, is_local=_is_local(session), now=session.outside.now())


def _letters(session: Session) -> Iterator[Check]:
    query = Query(collection="dead_letters", newest_first="at", select=("at",), limit=100)
    since = session.outside.now() - timedelta(days=1)
    found = [each for each in session.documents().find(query) if each.fields and each.fields["at"] > since]
    if not found:
        yield good("dead letters", "none in the last 24 hours")
    else:
        number = f"{len(found)}" + (" or more" if len(found) == query.limit else "")
        yield odd("dead letters", f"{number} in the last 24 hours", "see why: poolctl dead-letters")


def _retention(session: Session, settings: Settings) -> Check:
    """A job that ought to be deleted by now, if there is one."""
    until = session.outside.now() - settings.retention - DELETED_WITHIN
    query = Query(collection="jobs", newest_first="ended_at", until=until, select=("expires_at",), limit=1)
    left = [each for each in session.documents().find(query) if each.fields]
    if not left:
        return good("retention", "nothing is left that ought to be deleted")
    if any("expires_at" not in (each.fields or {}) for each in left):
        told = "jobs that ended before this release have no expiry, and stay"
        return odd("retention", told, "delete them, or leave them")
    remedy = "is the policy active? gcloud firestore fields ttls list; run Terraform (infra/firestore.tf)"
    return odd("retention", f"jobs that ended before {until:%Y-%m-%d} are not deleted", remedy)


# --- showing ---------------------------------------------------------------------------------------------


def _show(output: Output, checks: Sequence[Check], *, in_json: bool) -> None:
    if in_json:
        output.lines([as_text({"checks": [_fields(check) for check in checks]})])
    elif output.is_plain:
        output.lines(check_lines(checks))
    else:
        output.show(check_table(checks))
    bads = sum(check.verdict is Verdict.BAD for check in checks)
    odds = sum(check.verdict is Verdict.ODD for check in checks)
    if bads or odds:
        output.note(f"{bads} bad, {odds} odd", style="red" if bads else "yellow")


def check_table(checks: Iterable[Check]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for check in checks:
        style = _STYLES[check.verdict]
        told = Text(safe(check.found, limit=TOLD_LIMIT), overflow="fold")
        grid.add_row(Text(check.verdict.value, style=style), Text(check.name, style="bold"), told)
        if check.remedy:
            grid.add_row(
                "", "", Text(f"-> {safe(check.remedy, limit=TOLD_LIMIT)}", style=style, overflow="fold")
            )
    return grid


def check_lines(checks: Iterable[Check]) -> list[str]:
    return aligned(
        [
            (
                check.verdict.value,
                check.name,
                safe(check.found, limit=TOLD_LIMIT)
                + (f" -> {safe(check.remedy, limit=TOLD_LIMIT)}" if check.remedy else ""),
            )
            for check in checks
        ]
    )


def _fields(check: Check) -> dict[str, str]:
    return {
        "check": check.name,
        "verdict": check.verdict.value,
        "found": check.found,
        "remedy": check.remedy,
    }
