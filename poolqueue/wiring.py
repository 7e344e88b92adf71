"""Where ports meet adapters: builds the one `System` of a process, when it is first needed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from poolqueue.adapters.loading import libraries_loading
from poolqueue.config import (
    Environment,
    Settings,
    SettingsError,
    load_settings,
    read_environment,
    read_settings_text,
)
from poolqueue.in_force import SettingsSource
from poolqueue.log import configure_logging
from poolqueue.page.asks import Teller
from poolqueue.ports import Documents, Logs, Publisher, Subscription
from poolqueue.system import System
from poolqueue.triggers import Triggers, load_triggers

TOKEN_BYTES = 16


@cache
def system() -> System:
    """The system that the environment describes. Raises `SettingsError` when it describes none."""
    configure_logging()
    environment = read_environment()
    with libraries_loading():
        return build_system(environment, settings(), text=read_settings_text(environment))


def build_system(environment: Environment, settings: Settings, *, text: str = "") -> System:
    """The system that works by `settings` until others are applied; `text` is the file they came from."""
    from poolqueue.adapters.vertex import VertexAI  # noqa: PLC0415  as below

    vertex = VertexAI(endpoint=environment.vertex_endpoint)
    project = environment.project or settings.project
    store = documents(environment, settings)
    return System(
        settings=settings,
        source=SettingsSource(store, settings, text=text, project=project, clock=now),
        project=project,
        documents=store,
        publisher=publisher(environment),
        submitter=vertex,
        observer=vertex,
        clock=now,
        token=lambda: secrets.token_hex(TOKEN_BYTES),
        sleep=time.sleep,
    )


@cache
def page() -> Teller:
    """The page of the installation that the environment describes; it needs Firestore alone."""
    configure_logging()
    environment = read_environment()
    with libraries_loading():
        return build_page(environment, settings())


def build_page(environment: Environment, deployed: Settings) -> Teller:
    from poolqueue.page.page import Page  # noqa: PLC0415  the other functions do without all that it shows

    project = environment.project or deployed.project
    store = documents(environment, deployed)
    source = SettingsSource(store, deployed, project=project, clock=now)
    return Page(
        documents=store,
        settings=lambda: source.in_force().settings,
        clock=now,
        monotonic=time.monotonic,
        cpu=time.thread_time,
    )


def now() -> datetime:
    return datetime.now(UTC)


def documents(environment: Environment, settings: Settings) -> Documents:
    return open_documents(environment, environment.project or settings.project)


def open_documents(environment: Environment, project: str) -> Documents:
    # Adapters are imported where a process first needs them: importing `main` stays cheap and does no I/O.
    from poolqueue.adapters.firestore import FirestoreDocuments, create_client  # noqa: PLC0415

    client = create_client(
        project,
        environment.database,
        emulator=environment.firestore_emulator_host,
    )
    return FirestoreDocuments(client)


def publisher(environment: Environment, *, timeout_seconds: float = 30.0) -> Publisher:
    from poolqueue.adapters.pubsub import PubSubPublisher  # noqa: PLC0415  as above

    return PubSubPublisher(emulator_host=environment.pubsub_emulator_host, timeout_seconds=timeout_seconds)


def subscription(environment: Environment, name: str) -> Subscription:
    """The pull subscription of that full name."""
    from poolqueue.adapters.pubsub_pull import PubSubSubscription  # noqa: PLC0415  as above

    return PubSubSubscription(name, emulator_host=environment.pubsub_emulator_host)


def logs(environment: Environment) -> Logs:
    from poolqueue.adapters.logs import CloudLogging  # noqa: PLC0415  as above

    return CloudLogging(endpoint=environment.logging_endpoint)


def topic_states(
    environment: Environment, topics: list[str], *, timeout_seconds: float = 10.0
) -> Mapping[str, str]:
    """Of topics by their full names: `open`, `forbidden` or `missing`. Raises `PublishFailed`."""
    from poolqueue.adapters import pubsub_topics  # noqa: PLC0415  as above

    return pubsub_topics.topic_states(
        topics, emulator=environment.pubsub_emulator_host, timeout_seconds=timeout_seconds
    )


def fault_of(error: BaseException) -> str | None:
    """The kind of trouble with Google Cloud behind `error`, as `adapters.faults` names it, if any."""
    from poolqueue.adapters import faults  # noqa: PLC0415  as above

    return faults.fault_of(error)


@cache
def settings() -> Settings:
    """The settings that the environment names. Raises `SettingsError`."""
    return load_settings(read_environment())


@cache
def triggers() -> Triggers:
    """The triggers file that the settings name, checked. Raises `SettingsError`."""
    return load_triggers_of(read_environment(), settings())


def check_start() -> None:
    """A function with wrong settings or triggers does not start, rather than fail at each message.

    Without a settings file there is nothing to check: then `main` is only imported. Raises `SettingsError`.
    """
    if read_environment().settings_file is not None:
        triggers()


def load_triggers_of(environment: Environment, settings: Settings) -> Triggers:
    """The triggers file beside the settings file, checked against the settings. Raises `SettingsError`."""
    if settings.triggers is None:
        return Triggers()
    base = Path(environment.settings_file or ".").parent
    found = _checked(lambda: load_triggers((base / str(settings.triggers)).read_text(encoding="utf-8")))
    for trigger in found.triggers:
        if trigger.team is not None and settings.team_named(trigger.team) is None:
            raise SettingsError(f"triggers: {trigger.name}: there is no team {trigger.team!r}; name one")
    return found


def _checked(load: Callable[[], Triggers]) -> Triggers:
    try:
        return load()
    except (OSError, ValueError) as error:
        raise SettingsError(f"triggers: {error}") from error
