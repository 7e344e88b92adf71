"""Finds the settings in force as Firestore tells of them, or the next best that is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poolqueue.config import Settings, SettingsError, parse_settings
from poolqueue.ports import Documents, Query
from poolqueue.records import SettingsVersion, read_settings_version
from poolqueue.records.settings import COLLECTION, CURRENT, DEPLOYED, version_path

_TOLD = ("version", "digest", "author", "reason", "command", "applied_at")


@dataclass(frozen=True, kw_only=True)
class Found:
    """`applied` is what was applied last, if anything was. `deployed` is the text of the file that the
    functions are deployed with, as a sweep has noted it. `settings` are those in force: of the one, else of
    the other, else of the file that is named here. `unreadable` says why what was applied is not among them.
    """

    applied: SettingsVersion | None = None
    deployed: str | None = None
    settings: Settings | None = None
    unreadable: str | None = None

    @property
    def version(self) -> int:
        return 0 if self.applied is None else self.applied.version

    @property
    def text(self) -> str | None:
        return self.deployed if self.applied is None else self.applied.text


def find_settings(documents: Documents, *, file: Settings | None, project: str) -> Found:
    current, deployed = (each.fields for each in documents.read([CURRENT, DEPLOYED]))
    text = None if deployed is None else str(deployed["text"])
    applied = None if current is None else read_settings_version(current)
    settings, unreadable = _settings(applied.text if applied is not None else text, project)
    return Found(applied=applied, deployed=text, settings=settings or file, unreadable=unreadable)


def versions(documents: Documents, *, limit: int) -> list[SettingsVersion]:
    """What was applied, the latest first, without the texts."""
    found = documents.find(Query(collection=COLLECTION, newest_first="applied_at", select=_TOLD, limit=limit))
    return [read_settings_version(each.fields) for each in found if each.fields is not None]


def version_numbered(documents: Documents, number: int) -> SettingsVersion | None:
    fields: Mapping[str, Any] | None = documents.read([version_path(number)])[0].fields
    return None if fields is None else read_settings_version(fields)


def _settings(text: str | None, project: str) -> tuple[Settings | None, str | None]:
    if text is None:
        return None, None
    try:
        return parse_settings(text, project=project), None
    except SettingsError as error:
        return None, str(error)
