"""Settings: one YAML file and a few environment variables. The only place that reads the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_LOCATION = r"^[a-z][a-z0-9-]{0,39}$"
_PROJECT = r"^[a-z0-9][a-z0-9.:-]{0,99}$"
_TOPIC = r"^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$"
_RESOURCE_ID = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
_NOT_A_DURATION = "not a duration: write it as 90s, 30m, 24h or 7d"
WEEK = timedelta(days=7)
YEAR = timedelta(days=366)
FUNCTION_TIMEOUT = timedelta(seconds=540)  # infra/functions.tf; a test compares
OTHER_TOPICS = ("job-ended", "dead-letters")  # whose names are no setting


class SettingsError(ValueError):
    """The settings cannot be used. The message names every field that is wrong, and what would be right."""


def _duration(value: Any) -> Any:
    """`90s`, `30m`, `24h`, `7d`, or a number of seconds."""
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=_seconds(value))
    except OverflowError as error:
        raise ValueError("no duration is that long") from error


def _seconds(value: Any) -> float:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return float(match[1]) * _UNITS[match[2]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(_NOT_A_DURATION)


def _image_prefix(value: str) -> str:
    """Of a whole name: `.../my-project` would allow the images of `my-project-evil`, too."""
    if not value.endswith(("/", ":", "@")):
        raise ValueError(
            "does not end in /, : or @: end a folder in /, and name one image with : or @ after it"
        )
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0), le=YEAR)]
Name = Annotated[str, Field(pattern=_NAME)]
Location = Annotated[str, Field(pattern=_LOCATION)]
Project = Annotated[str, Field(pattern=_PROJECT)]
Topic = Annotated[str, Field(pattern=_TOPIC)]
ResourceId = Annotated[str, Field(pattern=_RESOURCE_ID)]
ImagePrefix = Annotated[str, AfterValidator(_image_prefix)]


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
    `resources` are full names, or ids in the team's own project and location. An image prefix ends in `/`,
    `:` or `@`, so that it cannot be the beginning of another name.
    """

    name: Name
    topics: tuple[Topic, ...] = Field(min_length=1)
    command_topics: tuple[Topic, ...] = ()
    project: Project | None = None
    location: Location | None = None
    priority: PriorityBounds = PriorityBounds()
    resources: tuple[str, ...] | None = None
    service_accounts: tuple[str, ...] | None = None
    image_prefixes: tuple[ImagePrefix, ...] | None = None
    networks: tuple[str, ...] | None = None
    default_timeout: Duration = timedelta(days=1)
    max_timeout: Duration = Field(default=WEEK, le=WEEK)

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

    @model_validator(mode="after")
    def _an_invocation_ends_before_it_is_killed(self) -> Timing:
        if self.call_timeout >= self.invocation:
            raise ValueError("call_timeout is not below invocation: lower it")
        if self.invocation + self.call_timeout > FUNCTION_TIMEOUT:
            raise ValueError(
                f"invocation and call_timeout are together longer than the {FUNCTION_TIMEOUT.seconds}s "
                "that a function may run: lower one of them"
            )
        return self


class Settings(_Model):
    """All settings of one installation. `installation` labels every custom job that it creates."""

    installation: Name
    project: Project
    location: Location
    teams: tuple[Team, ...] = Field(min_length=1)
    admin_command_topics: tuple[Topic, ...] = ("job-commands",)
    outcomes_topic: Topic = "job-outcomes"
    sweeps_topic: Topic = "sweeps"
    resources: tuple[str, ...] | None = None
    resource_settings: Mapping[ResourceId, ResourceSettings] = Field(default_factory=dict)
    resource_defaults: ResourceSettings = ResourceSettings()
    pacing: Pacing = Pacing()
    timing: Timing = Timing()
    triggers: str | None = None

    @model_validator(mode="after")
    def _topics_have_one_use_each(self) -> Settings:
        uses = [
            *((topic, team.name) for team in self.teams for topic in (*team.topics, *team.command_topics)),
            *((topic, "administrators") for topic in self.admin_command_topics),
            (self.outcomes_topic, "outcomes_topic"),
            (self.sweeps_topic, "sweeps_topic"),
            *((topic, "Pool Queue itself") for topic in OTHER_TOPICS),
        ]
        owned: dict[str, str] = {}
        for topic, owner in uses:
            if topic in owned:
                raise ValueError(f"topic {topic!r} belongs to {owned[topic]!r} and to {owner!r}")
            owned[topic] = owner
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
    except (yaml.YAMLError, ValueError) as error:  # the latter for a number of thousands of digits
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
