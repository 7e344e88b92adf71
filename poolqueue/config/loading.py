"""The settings file that functions are deployed with."""

from __future__ import annotations

from pathlib import Path

from poolqueue.config.environment import Environment
from poolqueue.config.parsing import SettingsError, parse_settings
from poolqueue.config.settings import Settings


def load_settings(environment: Environment) -> Settings:
    """The settings file, with the project filled in from the environment. Raises `SettingsError`."""
    return parse_settings(read_settings_text(environment), project=environment.project)


def read_settings_text(environment: Environment) -> str:
    """The settings file as it is written. Raises `SettingsError` when there is none."""
    if environment.settings_file is None:
        raise SettingsError("POOL_QUEUE_SETTINGS is not set: give it the path of the settings file (YAML)")
    path = Path(environment.settings_file)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"POOL_QUEUE_SETTINGS={path}: {reason}; give a readable file") from error
