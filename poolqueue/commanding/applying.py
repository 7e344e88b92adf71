"""Applies settings: checked by themselves and against reality, then put in force by compare and set.

The new version, its place in the history and the command's result are one commit: a command that is delivered
again finds its result, and a refused one has changed nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from poolqueue.commanding.records import Record, Result, refused
from poolqueue.config import (
    Settings,
    SettingsError,
    differences,
    parse_settings,
    policy_of,
    topology_notes,
)
from poolqueue.cycle.retrying import until_settled
from poolqueue.in_force import InForce
from poolqueue.messages import Command
from poolqueue.ports import Delete, Document, Message, PublishFailed, Write
from poolqueue.reality import Reality, findings, read_reality
from poolqueue.records import ResourceName, SettingsVersion, read_settings_version
from poolqueue.records.settings import (
    KEPT_VERSIONS,
    digest_of,
    version_path,
    write_current,
    write_version,
)
from poolqueue.system import System

TOLD = 100  # differences that a record lists
MESSAGE_TELLS = 5
LONGEST_MESSAGE = 20_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Base:
    """What is in force when a command is carried out: its document, and the settings that it holds."""

    document: Document
    in_force: InForce

    @property
    def settings(self) -> Settings:
        return self.in_force.settings

    @property
    def applied(self) -> SettingsVersion | None:
        return None if self.document.fields is None else read_settings_version(self.document.fields)

    @property
    def version(self) -> int:
        return 0 if self.applied is None else self.applied.version


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """`affected` are the resources on which something may start by the settings of `version`."""

    result: Result
    version: int = 0
    affected: Sequence[ResourceName] = ()


class Applying:
    """One command `apply` within one invocation."""

    def __init__(self, system: System, command: Command, record: Record) -> None:
        assert system.source is not None, "settings that nobody reads cannot be applied"
        self._source = system.source
        self._system = system
        self._command = command
        self._record = record
        self._text = command.settings or ""

    def run(self) -> Result:
        try:
            new = parse_settings(self._text, project=self._system.project)
        except SettingsError as error:
            result = refused(str(error)[:LONGEST_MESSAGE])
            self._record.finish(result)
            return result
        outcome = until_settled(self._system, lambda: self._attempt(new))
        self._ring(outcome)
        return outcome.result

    def _attempt(self, new: Settings) -> _Outcome:
        """Read, decide, commit; a conflict means that another version, or this one's result, is there."""
        document, in_force = self._source.read_now()
        base = _Base(document=document, in_force=in_force)
        outcome, writes = self._decided(base, new)
        finishing = self._record.finishing(outcome.result)
        if finishing is None:
            return _Outcome(result=outcome.result)
        self._system.documents.commit([finishing, *writes])
        self._source.forget()
        return outcome

    def _decided(self, base: _Base, new: Settings) -> tuple[_Outcome, list[Write]]:
        if overtaken := self._overtaken(base):
            return _Outcome(result=overtaken), []
        if base.applied is not None and base.applied.digest == digest_of(self._text):
            message = f"version {base.version} is in force and says the same"
            return _Outcome(result=Result(status="done", message=message)), []
        reality = read_reality(self._system.documents, base.settings, new)
        found = findings(base.settings, new, reality, now=self._system.clock())
        warnings = [str(each) for each in found if not each.refuses]
        if problems := [str(each) for each in found if each.refuses]:
            message = "\n".join(["the settings do not fit what is there:", *(f"  {p}" for p in problems)])
            return _Outcome(result=refused(message, warnings=warnings)), []
        applied = self._version(base)
        warnings += topology_notes(base.settings, new)
        outcome = _Outcome(
            result=_done(applied, base.settings, new, warnings),
            version=applied.version,
            affected=_affected(base.settings, new, reality),
        )
        return outcome, self._writes(base, applied)

    def _overtaken(self, base: _Base) -> Result | None:
        """Somebody else has applied settings since the author looked; or, whatever was looked at, later ones
        than these, which come late.
        """
        wanted = self._command.base_version
        if wanted is None:
            return self._later(base.applied)
        if wanted == base.version:
            return None
        if base.applied is None:
            return refused(f"these settings were made from version {wanted}, and none was applied yet")
        by = f"by {base.applied.author}: {base.applied.reason}"
        message = (
            f"version {base.version} is in force ({by}), and these settings were made from version {wanted};"
            " see poolctl diff, take over what changed, and apply again"
        )
        return refused(message, in_force=base.version)

    def _later(self, applied: SettingsVersion | None) -> Result | None:
        if applied is None or applied.published is None or applied.published <= self._record.published:
            return None
        message = (
            f"overtaken: version {applied.version} (by {applied.author}: {applied.reason}) was published"
            " after these settings and stays; see poolctl diff, take over what changed, and apply again"
        )
        return refused(message, in_force=applied.version)

    def _version(self, base: _Base) -> SettingsVersion:
        return SettingsVersion(
            version=base.version + 1,
            text=self._text,
            digest=digest_of(self._text),
            author=self._command.author,
            reason=self._command.reason,
            at=self._system.clock(),
            command=self._command.id,
            published=self._record.published,
        )

    def _writes(self, base: _Base, applied: SettingsVersion) -> list[Write]:
        """What is in force, its place in the history, and the end of the history's other end."""
        numbers = (applied.version, max(0, applied.version - KEPT_VERSIONS))
        entry, oldest = self._system.documents.read([version_path(number) for number in numbers])
        forgotten = [Delete(path=oldest.path, version=oldest.version)] if oldest.exists else []
        current = base.document.written(write_current(applied))
        return [current, entry.written(write_version(applied)), *forgotten]

    def _ring(self, outcome: _Outcome) -> None:
        """Ask for a cycle of each resource, by a process that knows the new version. What is lost is made up
        for by the sweep.
        """
        topic = self._system.topic(self._system.settings.sweeps_topic)
        messages = [
            Message(
                topic=topic, body=json.dumps({"resource": name.full, "settings": outcome.version}).encode()
            )
            for name in outcome.affected
        ]
        try:
            self._system.publisher.publish_all(messages)
        except PublishFailed as error:
            log.warning("settings_not_told", extra={"version": outcome.version, "error": str(error)})


def _done(applied: SettingsVersion, old: Settings, new: Settings, warnings: Sequence[str]) -> Result:
    changes = [str(each) for each in differences(old, new)]
    told = "; ".join(changes[:MESSAGE_TELLS]) or "nothing that takes effect differs"
    more = f"; and {len(changes) - MESSAGE_TELLS} more" if len(changes) > MESSAGE_TELLS else ""
    return Result(
        status="done",
        message=f"version {applied.version} is in force: {told}{more}",
        details={"version": applied.version, "changes": changes[:TOLD], "warnings": list(warnings)[:TOLD]},
    )


def _affected(old: Settings, new: Settings, reality: Reality) -> list[ResourceName]:
    """Where jobs wait that may start by other rules now."""
    return [
        name
        for name, resource in reality.resources.items()
        if resource.waiting
        and (policy_of(old, name.id) != policy_of(new, name.id) or old.pacing != new.pacing)
    ]
