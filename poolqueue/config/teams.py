"""A team: the topics that belong to it, where its jobs go by default, what they may have, and its weight."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from poolqueue.config.retries import RetrySettings
from poolqueue.config.values import WEEK, Duration, ImagePrefix, Location, Model, Name, Project, Topic
from poolqueue.scheduling.retries import NO_RETRIES, Retries

USUAL_PRIORITY = 50


class PriorityBounds(Model):
    minimum: int = Field(default=0, ge=0, le=100)
    maximum: int = Field(default=100, ge=0, le=100)

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError("the minimum priority is above the maximum: lower it or raise the other")
        return self


class Team(Model):
    """A team: the topics that belong to it, where its jobs go by default, and what they may have.

    An allow-list that is left out allows anything; an empty one allows nothing but leaving the field out.
    `resources` are full names, or ids in the team's own project and location. An image prefix ends in `/`,
    `:` or `@`, so that it cannot be the beginning of another name. `weight` is the team's part of what is
    not guaranteed to anybody. `max_waiting` bounds its jobs that wait for one persistent resource;
    `default_priority`, `max_wait` and `retries` are for requests that say nothing else.
    """

    name: Name
    topics: tuple[Topic, ...] = Field(min_length=1)
    command_topics: tuple[Topic, ...] = ()
    project: Project | None = None
    location: Location | None = None
    priority: PriorityBounds = PriorityBounds()
    default_priority: int | None = Field(default=None, ge=0, le=100)
    resources: tuple[str, ...] | None = None
    service_accounts: tuple[str, ...] | None = None
    image_prefixes: tuple[ImagePrefix, ...] | None = None
    networks: tuple[str, ...] | None = None
    default_timeout: Duration = timedelta(days=1)
    max_timeout: Duration = Field(default=WEEK, le=WEEK)
    weight: float = Field(default=1.0, gt=0, le=1000)
    max_waiting: int | None = Field(default=None, ge=1, le=1_000_000)
    max_wait: Duration | None = None
    retries: RetrySettings | None = None

    def usual_retries(self) -> Retries:
        """Those of its jobs whose requests say nothing of them."""
        return NO_RETRIES if self.retries is None else self.retries.retries()

    @model_validator(mode="after")
    def _timeouts_are_in_order(self) -> Self:
        if self.default_timeout > self.max_timeout:
            raise ValueError("default_timeout is longer than max_timeout: lower it or raise max_timeout")
        return self

    @model_validator(mode="after")
    def _the_default_priority_is_allowed(self) -> Self:
        low, high = self.priority.minimum, self.priority.maximum
        if self.default_priority is not None and not low <= self.default_priority <= high:
            raise ValueError(f"default_priority is not one of the team's priorities, {low} to {high}")
        return self
