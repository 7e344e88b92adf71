"""What a handler, a cycle or a sweep is given: the ports, the settings, the clock and chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, Self

from poolqueue.announced import AnnouncedChanges
from poolqueue.config import Settings
from poolqueue.in_force import SettingsSource
from poolqueue.learned_run_times import LearnedRunTimes
from poolqueue.ports import Documents, Observer, Publisher, Submitter


class Known(Protocol):
    """As much of an installation as a request is held against."""

    @property
    def settings(self) -> Settings: ...
    @property
    def documents(self) -> Documents: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...


@dataclass(frozen=True, kw_only=True)
class System:
    """One installation as one process sees it. `token` gives a new random name at each call.

    The topics lie in `project`, which need not be that of the settings, where jobs run. `settings` stay as
    they are; what is in force by now is taken up where an invocation, or a round of a cycle, begins.
    """

    settings: Settings
    project: str
    documents: Documents
    publisher: Publisher
    submitter: Submitter
    observer: Observer
    clock: Callable[[], datetime]
    token: Callable[[], str]
    sleep: Callable[[float], None]
    announced: AnnouncedChanges = field(default_factory=AnnouncedChanges)
    source: SettingsSource | None = None
    run_times: LearnedRunTimes = field(default_factory=LearnedRunTimes)

    def refreshed(self, *, at_least: int = 0) -> Self:
        """The same system with the settings in force, which are of version `at_least` if there is one."""
        if self.source is None:
            return self
        settings = self.source.in_force(at_least=at_least).settings
        return self if settings is self.settings else replace(self, settings=settings)

    def deadline(self) -> datetime:
        """Until when an invocation that begins now may work."""
        return self.clock() + self.settings.timing.invocation

    def topic(self, name: str) -> str:
        return f"projects/{self.project}/topics/{name}"

    def within(self, seconds: float) -> datetime:
        return self.clock() + timedelta(seconds=seconds)

    def publish(self, topic: str, body: bytes, attributes: Mapping[str, str]) -> None:
        self.publisher.publish(self.topic(topic), body, attributes)
