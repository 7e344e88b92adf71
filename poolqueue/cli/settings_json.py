"""Settings, their versions and differences as JSON for scripts."""

from __future__ import annotations

from typing import Any

from poolqueue.cli.comparing import Comparison
from poolqueue.records import SettingsVersion
from poolqueue.viewing.as_json import time_text


def comparison_fields(comparison: Comparison) -> dict[str, Any]:
    """`base_version` is the version compared with, 0 for the deployed file."""
    return {
        "base_version": comparison.found.version,
        "equal": not comparison.differences,
        "differences": [
            {"part": each.part, "field": each.field, "old": each.old, "new": each.new}
            for each in comparison.differences
        ],
        "problems": list(comparison.problems),
        "notes": list(comparison.notes),
    }


def settings_fields(applied: SettingsVersion | None, text: str) -> dict[str, Any]:
    return {**({"version": 0} if applied is None else version_fields(applied)), "text": text}


def version_fields(version: SettingsVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "applied_at": time_text(version.at),
        "author": version.author,
        "reason": version.reason,
        "command": version.command,
        "digest": version.digest,
    }
