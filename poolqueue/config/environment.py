"""The environment, which nothing else reads: where things are, never what the rules are."""

from __future__ import annotations

import os
from collections.abc import Mapping

from poolqueue.config.parsing import SettingsError
from poolqueue.config.values import Model


class Environment(Model):
    """What the environment says: where things are, never what the rules are."""

    project: str | None = None
    database: str = "(default)"
    settings_file: str | None = None
    vertex_endpoint: str | None = None
    logging_endpoint: str | None = None
    firestore_emulator_host: str | None = None
    pubsub_emulator_host: str | None = None
    topic: str | None = None

    @property
    def is_local(self) -> bool:
        """Is it a system on one machine?"""
        local = (
            self.vertex_endpoint,
            self.logging_endpoint,
            self.firestore_emulator_host,
            self.pubsub_emulator_host,
        )
        return any(local)


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    source = os.environ if variables is None else variables
    environment = Environment(
        project=source.get("GOOGLE_CLOUD_PROJECT"),
        database=source.get("POOL_QUEUE_DATABASE", "(default)"),
        settings_file=source.get("POOL_QUEUE_SETTINGS"),
        vertex_endpoint=source.get("POOL_QUEUE_VERTEX_ENDPOINT"),
        logging_endpoint=source.get("POOL_QUEUE_LOGGING_ENDPOINT"),
        firestore_emulator_host=source.get("FIRESTORE_EMULATOR_HOST"),
        pubsub_emulator_host=source.get("PUBSUB_EMULATOR_HOST"),
        topic=source.get("POOL_QUEUE_TOPIC"),
    )
    refuse_mixture(environment)
    return environment


def refuse_mixture(environment: Environment) -> None:
    """A local endpoint with a real project, or the reverse, is a mistake that must not run."""
    is_real = environment.project is not None and not environment.project.startswith("demo-")
    if environment.is_local and is_real:
        raise SettingsError(
            f"GOOGLE_CLOUD_PROJECT is {environment.project!r}, but an emulator or the stand-in is set: "
            "use a project id that begins with demo-, or unset FIRESTORE_EMULATOR_HOST, "
            "PUBSUB_EMULATOR_HOST, POOL_QUEUE_VERTEX_ENDPOINT and POOL_QUEUE_LOGGING_ENDPOINT"
        )
