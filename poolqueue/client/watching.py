"""Where a client sees what became of a job: its record in Firestore, or the outcomes of a subscription."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from poolqueue.client.composing import Composed
from poolqueue.client.errors import NotConfigured, NotReadable
from poolqueue.client.outcomes import OutcomeReader
from poolqueue.client.place import Outside, Place
from poolqueue.client.report import JobReport, report_of
from poolqueue.client.troubles import reading
from poolqueue.config import Settings
from poolqueue.ports import Document, Documents
from poolqueue.records import ResourceName, job_path, read_job
from poolqueue.scheduling.jobs import Job, Outcome, job_key
from poolqueue.viewing.found import find_settings

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
PULL_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Published:
    """A request of ours: its content, and the message that carried it."""

    composed: Composed
    message_id: str

    @property
    def refused_id(self) -> str:
        """The id under which it is recorded if its own belongs to another request."""
        return f"{self.composed.job_id}.refused-{hashlib.sha256(self.message_id.encode()).hexdigest()[:8]}"


class Watch(Protocol):
    """Tells of one job. Both raise `NotReadable`."""

    def look(self) -> JobReport: ...

    def pauses(self) -> Iterator[float]:
        """How long to wait between looks, in seconds; without end."""
        ...


@dataclass
class Installation:
    """The queue's records, read when they are first needed. `given_team` spares reading whose topic it is."""

    place: Place
    outside: Outside
    given_team: str | None = None
    _settings: Settings | None = field(default=None, init=False)

    @cached_property
    def documents(self) -> Documents:
        return self.outside.documents(self.place.environment, self.place.project)

    def settings(self) -> Settings | None:
        """Those in force, read once they are there."""
        if self._settings is None:
            found = find_settings(self.documents, file=None, project=self.place.project)
            self._settings = found.settings
        return self._settings

    def team(self) -> str:
        """The team whose topic is published to. Raises `NotConfigured` if it is nobody's."""
        if self.given_team is not None:
            return self.given_team
        settings = self.settings()
        topic = self.place.topic.rsplit("/", 1)[-1]
        if settings is None:
            raise NotReadable(
                f"the settings are not in Firestore yet (database {self.place.environment.database}), so "
                "nobody knows whose topic this is: give team=..., or wait for the first sweep",
                may_pass=True,
            )
        team = settings.team_of_topic(topic)
        if team is None:
            topics = ", ".join(name for each in settings.teams for name in each.topics)
            raise NotConfigured(f"topic {topic} belongs to no team: give topic=..., one of {topics}")
        return team.name

    def command_topic(self) -> str | None:
        """The team's own, else the administrators'; None if the settings are not known."""
        settings = self.settings()
        if settings is None:
            return None
        team = settings.team_named(self.team())
        own = () if team is None else team.command_topics
        return next(iter((*own, *settings.admin_command_topics)), None)


@dataclass(kw_only=True)
class RecordWatch:
    """Looks at the job's record: one read, and a second one until it is known to be ours."""

    installation: Installation
    job_id: str
    published: Published | None = None
    _is_ours: bool = field(default=False, init=False)

    def look(self) -> JobReport:
        with reading(self.installation.place):
            team = self.installation.team()
            return self._look(team)

    def pauses(self) -> Iterator[float]:
        pause = FIRST_PAUSE_SECONDS
        while True:
            yield pause
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)

    def _look(self, team: str) -> JobReport:
        nothing = JobReport(job_id=self.job_id, team=team)
        paths = [job_path(job_key(team, self.job_id))]
        if self.published is not None and not self._is_ours:
            paths.append(job_path(job_key(team, self.published.refused_id)))
        document, *refused = self.installation.documents.read(paths)
        if refused and refused[0].fields is not None:
            return report_of(read_job(refused[0].fields))
        job = self._ours(document)
        return nothing if job is None else report_of(job)

    def _ours(self, document: Document) -> Job | None:
        """The job, unless it is an earlier one that had this id: ours is then still to be recorded."""
        if document.fields is None:
            return None
        job = read_job(document.fields)
        self._is_ours = self._is_ours or self.published is None or self._is_same(job, self.published)
        return job if self._is_ours else None

    def _is_same(self, job: Job, ours: Published) -> bool:
        """Whether this message made it, or one of the same content before."""
        if job.message_id == ours.message_id:
            return True
        if job.outcome is Outcome.REJECTED:  # it makes room for ours, though that be the same
            return False
        home = ResourceName.from_key(job.resource)
        places = [(home.project, home.location), *self._topics_place()]
        return any(
            ours.composed.digest(project=project, location=location) == job.digest
            for project, location in places
        )

    def _topics_place(self) -> list[tuple[str, str]]:
        settings = self.installation.settings()
        if settings is None:
            return []
        team = settings.team_named(self.installation.team())
        if team is None:
            return []
        return [(team.project or settings.project, team.location or settings.location)]


@dataclass(kw_only=True)
class OutcomeWatch:
    """Listens to a subscription, which whoever waits in this process shares."""

    reader: OutcomeReader
    job_id: str
    team: str | None = None
    published: Published | None = None
    _seen: JobReport | None = field(default=None, init=False)

    def look(self) -> JobReport:
        ids = [self.job_id, *([] if self.published is None else [self.published.refused_id])]
        self._seen = self.reader.latest(ids, team=self.team, seen=self._seen, wait_seconds=PULL_SECONDS)
        return self._seen or JobReport(job_id=self.job_id, team=self.team)

    def pauses(self) -> Iterator[float]:
        while True:
            yield 0.0
