"""What `poolctl diff`, `apply` and `settings` do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import typer

from poolqueue.cli.actions import carry_out
from poolqueue.cli.asking import command_body
from poolqueue.cli.comparing import Comparison, compared, read_file
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output
from poolqueue.cli.session import Session
from poolqueue.cli.settings_json import comparison_fields, settings_fields, version_fields
from poolqueue.cli.settings_shown import (
    comparison_lines,
    comparison_parts,
    history_lines,
    history_table,
    in_force_line,
    version_line,
)
from poolqueue.messages import CommandKind
from poolqueue.records import SettingsVersion
from poolqueue.records.settings import KEPT_VERSIONS
from poolqueue.viewing.as_json import as_text
from poolqueue.viewing.found import version_numbered, versions
from poolqueue.viewing.text import safe

LINE_LIMIT = 10_000


def diff(session: Session, output: Output, path: str, *, in_json: bool) -> None:
    """Ends with 1 if anything differs that takes effect."""
    comparison = _compared(session, path)
    if in_json:
        output.lines([as_text(comparison_fields(comparison))])
    else:
        _show(session, output, comparison)
    if comparison.differences:
        raise typer.Exit(Exit.REFUSED)


@dataclass(frozen=True, kw_only=True)
class How:
    """`is_sure`: without asking; `is_forced`: whatever is in force by then."""

    reason: str
    author: str | None = None
    is_sure: bool = False
    is_forced: bool = False
    topic: str | None = None
    wait: float
    in_json: bool = False


def apply(session: Session, output: Output, path: str, how: How) -> None:
    """Show what changes, ask, publish, and wait for the result."""
    comparison = _compared(session, path)
    if not how.in_json:
        _show(session, output, comparison)
    version = comparison.found.version
    if comparison.found.applied is not None and comparison.is_same_text:
        if how.in_json:
            output.lines([as_text({**comparison_fields(comparison), "command": None})])
            return
        output.tell(f"done: version {version} is in force and says the same", style="green")
        return
    base = None if how.is_forced else version
    asked = {"settings": comparison.text, "base_version": base, "reason": how.reason}
    body = command_body(CommandKind.APPLY, asked, author=how.author)
    if not how.is_sure:
        _ask(session, version)
    fields = comparison_fields(comparison) if how.in_json else None
    carry_out(session, output, body, topic=how.topic, wait=how.wait, with_fields=fields)


def show(session: Session, output: Output, *, version: int | None, in_json: bool) -> None:
    """The text of what is in force, or of a version, as it was applied; whence it comes beside it."""
    found, now = session.found, session.outside.now()
    applied = found.applied if version is None else _numbered(session, version)
    text = found.text or "" if applied is None else applied.text
    if in_json:
        output.lines([as_text(settings_fields(applied, text))])
        return
    output.note(in_force_line(found, now) if applied is None else f"version {version_line(applied, now)}")
    if version is None and found.applied is not None and found.deployed not in {None, found.text}:
        output.note("the file that the functions are deployed with differs from it", style="yellow")
    _show_text(output, text)


def show_history(session: Session, output: Output, *, in_json: bool) -> None:
    found = versions(session.documents(), limit=KEPT_VERSIONS)
    if in_json:
        output.lines([as_text({"versions": [version_fields(each) for each in found]})])
    elif output.is_plain:
        output.lines(history_lines(found))
    elif found:
        output.show(history_table(found))
    if not found:
        output.note("nothing was applied yet")
    elif len(found) == KEPT_VERSIONS:
        output.note(f"the last {KEPT_VERSIONS} versions are kept")


def _compared(session: Session, path: str) -> Comparison:
    text = read_file(path)
    return compared(
        session.found,
        text,
        session.documents(),
        project=session.project,
        now=session.outside.now(),
    )


def _show(session: Session, output: Output, comparison: Comparison) -> None:
    output.note(in_force_line(comparison.found, session.outside.now()), style="dim")
    if output.is_plain:
        output.lines(comparison_lines(comparison))
    else:
        output.show(*comparison_parts(comparison))


def _show_text(output: Output, text: str) -> None:
    """In a pipe as it is, so that it can be applied again; on a terminal it cannot do harm."""
    lines: Sequence[str] = text.splitlines()
    output.lines(lines if output.is_plain else [safe(line, limit=LINE_LIMIT) for line in lines])


def _ask(session: Session, version: int) -> None:
    answer = session.outside.confirm(f"Apply it in place of version {version}?")
    if answer is None:
        raise Failure("nobody is there to be asked: look at poolctl diff, and give --yes", Exit.USAGE)
    if not answer:
        raise Failure("not applied", Exit.REFUSED)


def _numbered(session: Session, version: int) -> SettingsVersion:
    found = version_numbered(session.documents(), version)
    if found is None:
        told = f"there is no version {version}; the last {KEPT_VERSIONS} are kept: poolctl settings --history"
        raise Failure(told, Exit.REFUSED)
    return found
