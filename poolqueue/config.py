"""Settings: one YAML file and a few environment variables. The only place that reads the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
WEEK = timedelta(days=7)


class SettingsError(ValueError):
    """The settings cannot be used. The message names every field that is wrong, and what would be right."""


def _duration(value: Any) -> Any:
    """`90s`, `30m`, `24h`, `7d`, or a number of seconds."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("not a duration: write it as 90s, 30m, 24h or 7d")
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if isinstance(value, timedelta):
        return value
    raise ValueError("not a duration: write it as 90s, 30m, 24h or 7d")


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
Name = Annotated[str, Field(pattern=_NAME)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PriorityBounds(_Model):
    minimum: int = Field(default=0, ge=0, le=100)
    maximum: int = Field(default=100, ge=0, le=100)

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> PriorityBounds:
        if self.minimum > self.maximum:
            raise ValueError("the minimum priority is above the maximum: lower it or raise the other")
        return self


class Team(_Model):
    """A team: the topics that belong to it, where its jobs go by default, and what they may have.

    An allow-list that is left out allows anything; an empty one allows nothing but leaving the field out.
    `resources` are full names, or ids in the team's own project and location.
    """

    name: Name
    topics: tuple[str, ...] = Field(min_length=1)
    command_topics: tuple[str, ...] = ()
    project: str | None = None
    location: str | None = None
    priority: PriorityBounds = PriorityBounds()
    resources: tuple[str, ...] | None = None
    service_accounts: tuple[str, ...] | None = None
    image_prefixes: tuple[str, ...] | None = None
    networks: tuple[str, ...] | None = None
    default_timeout: Duration = timedelta(days=1)
    max_timeout: Duration = WEEK

    @model_validator(mode="after")
    def _timeouts_are_in_order(self) -> Team:
        if self.default_timeout > self.max_timeout:
            raise ValueError("default_timeout is longer than max_timeout: lower it or raise max_timeout")
        return self


class ResourceSettings(_Model):
    """What may differ per persistent resource."""

    max_pending: Duration = timedelta(minutes=30)
    patience: Duration = timedelta(hours=1)


class Pacing(_Model):
    """Requests to Vertex AI that we allow ourselves a minute, per project and region (its default is 60)."""

    creates_per_minute: int = Field(default=50, ge=1, le=100_000)


class Timing(_Model):
    """How long things may take."""

    call_timeout: Duration = timedelta(seconds=60)
    submit_within: Duration = timedelta(seconds=60)
    quiet_period: Duration = timedelta(minutes=5)
    bell_lease: Duration = timedelta(seconds=60)
    invocation: Duration = timedelta(seconds=480)
    linger: Duration = timedelta(seconds=30)
    confirm_end: Duration = timedelta(seconds=15)
    announce_grace: Duration = timedelta(minutes=2)


class Settings(_Model):
    """All settings of one installation. `installation` labels every custom job that it creates."""

    installation: Name
    project: str = Field(min_length=1)
    location: str = Field(min_length=1)
    teams: tuple[Team, ...] = Field(min_length=1)
    admin_command_topics: tuple[str, ...] = ("job-commands",)
    outcomes_topic: str = "job-outcomes"
    requests_topic: str = "job-requests"
    sweeps_topic: str = "sweeps"
    resources: tuple[str, ...] | None = None
    resource_settings: Mapping[str, ResourceSettings] = Field(default_factory=dict)
    resource_defaults: ResourceSettings = ResourceSettings()
    pacing: Pacing = Pacing()
    timing: Timing = Timing()
    triggers: str | None = None

    @model_validator(mode="after")
    def _topics_belong_to_one_team(self) -> Settings:
        owned: dict[str, str] = dict.fromkeys(self.admin_command_topics, "administrators")
        for team in self.teams:
            for topic in (*team.topics, *team.command_topics):
                if topic in owned:
                    raise ValueError(f"topic {topic!r} belongs to {owned[topic]!r} and to {team.name!r}")
                owned[topic] = team.name
        return self

    @model_validator(mode="after")
    def _teams_have_names_of_their_own(self) -> Settings:
        names = [team.name for team in self.teams]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(
                f"two teams are called {', '.join(sorted(twice))}: rename one, or give it both topics"
            )
        return self

    def team_of_topic(self, topic: str) -> Team | None:
        return next((team for team in self.teams if topic in team.topics), None)

    def team_named(self, name: str) -> Team | None:
        return next((team for team in self.teams if team.name == name), None)

    def of_resource(self, resource_id: str) -> ResourceSettings:
        return self.resource_settings.get(resource_id, self.resource_defaults)

    def regions(self) -> list[tuple[str, str]]:
        """Every project and region that a team's jobs go to by default."""
        pairs = [(team.project or self.project, team.location or self.location) for team in self.teams]
        return list(dict.fromkeys([(self.project, self.location), *pairs]))


class Environment(_Model):
    """What the environment says: where things are, never what the rules are."""

    project: str | None = None
    database: str = "(default)"
    settings_file: str | None = None
    vertex_endpoint: str | None = None
    firestore_emulator_host: str | None = None
    pubsub_emulator_host: str | None = None


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    source = os.environ if variables is None else variables
    environment = Environment(
        project=source.get("GOOGLE_CLOUD_PROJECT"),
        database=source.get("POOL_QUEUE_DATABASE", "(default)"),
        settings_file=source.get("POOL_QUEUE_SETTINGS"),
        vertex_endpoint=source.get("POOL_QUEUE_VERTEX_ENDPOINT"),
        firestore_emulator_host=source.get("FIRESTORE_EMULATOR_HOST"),
        pubsub_emulator_host=source.get("PUBSUB_EMULATOR_HOST"),
    )
    refuse_mixture(environment)
    return environment


def refuse_mixture(environment: Environment) -> None:
    """A local endpoint with a real project, or the reverse, is a mistake that must not run."""
    is_local = any(
        (
            environment.vertex_endpoint,
            environment.firestore_emulator_host,
            environment.pubsub_emulator_host,
        )
    )
    if is_local and environment.project is not None and not environment.project.startswith("demo-"):
        raise SettingsError(
            f"GOOGLE_CLOUD_PROJECT is {environment.project!r}, but an emulator or the stand-in is set: "
            "use a project id that begins with demo-, or unset FIRESTORE_EMULATOR_HOST, "
            "PUBSUB_EMULATOR_HOST and POOL_QUEUE_VERTEX_ENDPOINT"
        )


def load_settings(environment: Environment) -> Settings:
    """The settings file, with the project filled in from the environment. Raises `SettingsError`."""
    if environment.settings_file is None:
        raise SettingsError("POOL_QUEUE_SETTINGS is not set: give it the path of the settings file (YAML)")
    path = Path(environment.settings_file)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"POOL_QUEUE_SETTINGS={path}: {error.strerror}; give a readable file") from error
    return parse_settings(text, project=environment.project)


def parse_settings(text: str, *, project: str | None = None) -> Settings:
    """Settings from YAML text. Raises `SettingsError` naming every field that is wrong."""
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"the settings are not YAML: {error}") from error
    if not isinstance(fields, dict):
        raise SettingsError("the settings are not a mapping: begin with `installation: NAME`")
    if project is not None:
        fields.setdefault("project", project)
    try:
        return Settings.model_validate(fields)
    except ValidationError as error:
        lines = [f"  {_path(problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        raise SettingsError("the settings are wrong:\n" + "\n".join(lines)) from error


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(settings)"
