"""Where an installation is, as options, settings file and environment say it, and the way to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from poolqueue import wiring
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.reading import Reader
from poolqueue.config import Environment, Settings, load_settings, read_environment, refuse_mixture
from poolqueue.ports import Documents, Publisher
from poolqueue.records import ResourceName
from poolqueue.requests.naming import resource_name

PUBLISH_SECONDS = 10.0
COMMAND_TOPIC = "job-commands"


def _publisher(environment: Environment) -> Publisher:
    return wiring.publisher(environment, timeout_seconds=PUBLISH_SECONDS)


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What a command needs from outside; a test gives its own as the `obj` of the command's context."""

    environment: Callable[[], Environment] = read_environment
    documents: Callable[[Environment, str], Documents] = wiring.open_documents
    publisher: Callable[[Environment], Publisher] = _publisher
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options that all commands share."""

    settings_file: str | None = None
    project: str | None = None
    location: str | None = None
    database: str | None = None


@dataclass(frozen=True, kw_only=True)
class Session:
    """One installation. `settings` is None where `--project` and `--location` alone say where it is."""

    outside: Outside
    environment: Environment
    project: str
    regions: tuple[tuple[str, str], ...] = ()
    settings: Settings | None = field(default=None, repr=False)

    @classmethod
    def of(cls, outside: Outside, options: Options) -> Session:
        """Raises `SettingsError` or `Failure` when it is not said where to look."""
        environment = _environment(outside.environment(), options)
        settings = None if environment.settings_file is None else load_settings(environment)
        project = environment.project or (settings.project if settings is not None else None)
        if project is None:
            told = "which project? Give --project, GOOGLE_CLOUD_PROJECT, or a settings file (--settings)"
            raise Failure(told, Exit.USAGE)
        return cls(
            outside=outside,
            environment=environment,
            project=project,
            settings=settings,
            regions=_regions(settings, options, project),
        )

    def documents(self) -> Documents:
        return self.outside.documents(self.environment, self.project)

    def publisher(self) -> Publisher:
        return self.outside.publisher(self.environment)

    def reader(self, *, anywhere: bool = False) -> Reader:
        """Raises `Failure` when no region is known, unless what is read lies `anywhere`."""
        if not self.regions and not anywhere:
            told = "which region? Give --location, or a settings file (--settings or POOL_QUEUE_SETTINGS)"
            raise Failure(told, Exit.USAGE)
        documents = self.documents()
        if self.settings is None:
            return Reader(documents=documents, regions=self.regions)
        return Reader.of(documents, self.settings, regions=self.regions)

    def topic(self, given: str | None) -> str:
        """The full name of the command topic: the one given, or the administrators'."""
        if given is not None and given.startswith("projects/"):
            return given
        topics = self.settings.admin_command_topics if self.settings is not None else ()
        name = given or next(iter(topics), COMMAND_TOPIC)
        return f"projects/{self.project}/topics/{name}"


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


def _regions(settings: Settings | None, options: Options, project: str) -> tuple[tuple[str, str], ...]:
    """Those of the settings, unless a location (or a project) is given: then that one alone."""
    if options.location is not None:
        return ((project, options.location),)
    if settings is None:
        return ()
    if options.project is not None:
        return ((project, settings.location),)
    return tuple(settings.regions())
