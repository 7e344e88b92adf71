"""Where an installation is, as options, settings file and environment say it, and the way to it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import typer

from poolqueue import wiring
from poolqueue.cli.failures import Exit, Failure
from poolqueue.config import Environment, Settings, load_settings, read_environment, refuse_mixture
from poolqueue.ports import Documents, Logs, Publisher, StoreUnavailable
from poolqueue.records import ResourceName
from poolqueue.requests.naming import resource_name
from poolqueue.viewing.found import Found, find_settings
from poolqueue.viewing.reading import Reader

PUBLISH_SECONDS = 10.0
COMMAND_TOPIC = "job-commands"


def _publisher(environment: Environment) -> Publisher:
    return wiring.publisher(environment, timeout_seconds=PUBLISH_SECONDS)


def _confirm(question: str) -> bool | None:
    """The answer of whoever sits at the terminal; None if nobody does."""
    return typer.confirm(question, err=True) if sys.stdin.isatty() else None


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What a command needs from outside; a test gives its own as the `obj` of the command's context."""

    environment: Callable[[], Environment] = read_environment
    documents: Callable[[Environment, str], Documents] = wiring.open_documents
    publisher: Callable[[Environment], Publisher] = _publisher
    topics: Callable[[Environment, list[str]], Mapping[str, str]] = wiring.topic_states
    logs: Callable[[Environment], Logs] = wiring.logs
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    confirm: Callable[[str], bool | None] = _confirm


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options that all commands share."""

    settings_file: str | None = None
    project: str | None = None
    location: str | None = None
    database: str | None = None


@dataclass(frozen=True, kw_only=True)
class Session:
    """One installation. `file` are the settings of the file that is named here, if one is: they say where the
    installation is. Its rules are the settings in force, which Firestore knows.
    """

    outside: Outside
    environment: Environment
    options: Options
    project: str
    file: Settings | None = field(default=None, repr=False)

    @classmethod
    def of(cls, outside: Outside, options: Options) -> Session:
        """Raises `SettingsError` or `Failure` when it is not said where to look."""
        environment = _environment(outside.environment(), options)
        file = None if environment.settings_file is None else load_settings(environment)
        project = environment.project or (file.project if file is not None else None)
        if project is None:
            told = "which project? Give --project, GOOGLE_CLOUD_PROJECT, or a settings file (--settings)"
            raise Failure(told, Exit.USAGE)
        return cls(outside=outside, environment=environment, options=options, project=project, file=file)

    @cached_property
    def found(self) -> Found:
        """The settings in force, read once."""
        return find_settings(self.documents(), file=self.file, project=self.project)

    @property
    def regions(self) -> tuple[tuple[str, str], ...]:
        """Those of the settings, unless a location (or a project) is given: then that one alone."""
        if self.options.location is not None:
            return ((self.project, self.options.location),)
        settings = self.found.settings
        if settings is None:
            return ()
        if self.options.project is not None:
            return ((self.project, settings.location),)
        return tuple(settings.regions())

    @cached_property
    def _documents(self) -> Documents:
        return self.outside.documents(self.environment, self.project)

    def documents(self) -> Documents:
        return self._documents

    def publisher(self) -> Publisher:
        return self.outside.publisher(self.environment)

    @cached_property
    def _logs(self) -> Logs:
        return self.outside.logs(self.environment)

    def logs(self) -> Logs:
        """Raises `Failure` on one machine whose logs nothing serves: Google is not asked for those."""
        if self.environment.is_local and self.environment.logging_endpoint is None:
            told = "where are the logs of this local system? Set POOL_QUEUE_LOGGING_ENDPOINT to its stand-in"
            raise Failure(told, Exit.USAGE)
        return self._logs

    def reader(self, *, anywhere: bool = False) -> Reader:
        """Raises `Failure` when no region is known, unless what is read lies `anywhere`."""
        regions = self.regions
        if not regions and not anywhere:
            told = "which region? Give --location, or a settings file (--settings or POOL_QUEUE_SETTINGS)"
            raise Failure(told, Exit.USAGE)
        if self.found.settings is None:
            return Reader(documents=self.documents(), regions=regions)
        return Reader.of(self.documents(), self.found.settings, regions=regions)

    def topic(self, given: str | None) -> str:
        """The full name of the command topic: the one given, or the administrators'."""
        if given is not None and given.startswith("projects/"):
            return given
        return f"projects/{self.project}/topics/{given or self._administrators()}"

    def _administrators(self) -> str:
        """A command can be published, and is carried out later, though Firestore does not answer now."""
        try:
            settings = self.found.settings
        except StoreUnavailable:
            settings = self.file
        return next(iter(settings.admin_command_topics if settings is not None else ()), COMMAND_TOPIC)


def named_resource(given: str | None) -> ResourceName | str | None:
    """A persistent resource's full name, or its id to be looked for in every region. Raises `Failure`."""
    if given is None:
        return None
    name = resource_name(given)
    if name is None:
        told = "no persistent resource's name: give its id, or projects/P/locations/L/persistentResources/ID"
        raise Failure(f"--resource: {told}", Exit.USAGE)
    if name.project is None or name.location is None:
        return name.id
    return ResourceName(project=name.project, location=name.location, id=name.id)


def _environment(found: Environment, options: Options) -> Environment:
    given = {
        "settings_file": options.settings_file,
        "project": options.project,
        "database": options.database,
    }
    changes = {key: value for key, value in given.items() if value is not None}
    environment = found.model_copy(update=changes)
    refuse_mixture(environment)
    return environment
