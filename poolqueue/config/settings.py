"""All settings of one installation, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from poolqueue.config.resources import ResourceSettings
from poolqueue.config.teams import Team
from poolqueue.config.values import Duration, Location, Model, Name, Project, ResourceId, Retention, Topic

FUNCTION_TIMEOUT = timedelta(seconds=540)  # infra/functions.tf; a test compares
OTHER_TOPICS = ("job-ended", "dead-letters")  # whose names are no setting


class Pacing(Model):
    """Requests to Vertex AI that we allow ourselves a minute, per project and region (its default is 60)."""

    creates_per_minute: int = Field(default=50, ge=1, le=100_000)


class Timing(Model):
    """How long things may take."""

    call_timeout: Duration = timedelta(seconds=60)
    submit_within: Duration = timedelta(seconds=60)
    quiet_period: Duration = timedelta(minutes=5)
    bell_lease: Duration = timedelta(seconds=60)
    invocation: Duration = timedelta(seconds=480)
    linger: Duration = timedelta(seconds=30)
    confirm_end: Duration = timedelta(seconds=15)
    await_dependencies: Duration = timedelta(seconds=10)
    announce_grace: Duration = timedelta(minutes=2)

    @model_validator(mode="after")
    def _an_invocation_ends_before_it_is_killed(self) -> Self:
        if self.call_timeout >= self.invocation:
            raise ValueError("call_timeout is not below invocation: lower it")
        if self.invocation + self.call_timeout > FUNCTION_TIMEOUT:
            raise ValueError(
                f"invocation and call_timeout are together longer than the {FUNCTION_TIMEOUT.seconds}s "
                "that a function may run: lower one of them"
            )
        return self


class Settings(Model):
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
    retention: Retention = timedelta(days=30)
    triggers: str | None = None

    @model_validator(mode="after")
    def _topics_have_one_use_each(self) -> Self:
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
    def _teams_have_names_of_their_own(self) -> Self:
        names = [team.name for team in self.teams]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(
                f"two teams are called {', '.join(sorted(twice))}: rename one, or give it both topics"
            )
        return self

    @model_validator(mode="after")
    def _quotas_are_of_known_teams(self) -> Self:
        names = {team.name for team in self.teams}
        parts = {"resource_defaults": self.resource_defaults} | {
            f"resource_settings.{id_}": own for id_, own in self.resource_settings.items()
        }
        for path, part in parts.items():
            if unknown := sorted(part.quotas.keys() - names):
                raise ValueError(
                    f"{path}.quotas: there is no team {', '.join(unknown)}; "
                    f"name one of {', '.join(sorted(names))}"
                )
        return self

    def team_of_topic(self, topic: str) -> Team | None:
        return next((team for team in self.teams if topic in team.topics), None)

    def team_named(self, name: str) -> Team | None:
        return next((team for team in self.teams if team.name == name), None)

    def of_resource(self, resource_id: str) -> ResourceSettings:
        """What is set for that resource, and for the rest what is set for all."""
        own = self.resource_settings.get(resource_id)
        return self.resource_defaults if own is None else own.over(self.resource_defaults)

    def regions(self) -> list[tuple[str, str]]:
        """Every project and region that a team's jobs go to by default."""
        pairs = [(team.project or self.project, team.location or self.location) for team in self.teams]
        return list(dict.fromkeys([(self.project, self.location), *pairs]))
