"""The documents of the settings in force: `settings/current`, and each version as `settings/{version}`.

`settings/deployed` is the file that the functions were deployed with, for whoever looks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from poolqueue.records.names import SCHEMA

COLLECTION = "settings"
CURRENT = f"{COLLECTION}/current"
DEPLOYED = f"{COLLECTION}/deployed"
KEPT_VERSIONS = 50


@dataclass(frozen=True, kw_only=True)
class SettingsVersion:
    """Settings as they were applied. Versions count from 1; 0 is the file that the functions are deployed
    with. `command` is the id of the command that brought them, and `published` when that was.
    """

    version: int
    text: str
    digest: str
    author: str
    reason: str
    at: datetime
    command: str = ""
    published: datetime | None = None


def version_path(version: int) -> str:
    return f"{COLLECTION}/{version}"


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_current(applied: SettingsVersion) -> dict[str, Any]:
    return {**_fields(applied), "at": applied.at}


def write_version(applied: SettingsVersion) -> dict[str, Any]:
    """`applied_at` is indexed, so that versions are listed, and they alone."""
    return {**_fields(applied), "applied_at": applied.at}


def _fields(applied: SettingsVersion) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": applied.version,
        "text": applied.text,
        "digest": applied.digest,
        "author": applied.author,
        "reason": applied.reason,
        "command": applied.command,
        "published": applied.published,
    }


def read_settings_version(fields: Mapping[str, Any]) -> SettingsVersion:
    return SettingsVersion(
        version=fields["version"],
        text=fields.get("text", ""),
        digest=fields["digest"],
        author=fields["author"],
        reason=fields["reason"],
        at=fields["applied_at"] if "applied_at" in fields else fields["at"],
        command=fields.get("command", ""),
        published=fields.get("published"),
    )
