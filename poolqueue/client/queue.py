"""A queue to publish to: by name, or the one that the environment names."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any, Unpack

from poolqueue.client.composing import compose
from poolqueue.client.connection import Connection
from poolqueue.client.handle import Handle
from poolqueue.client.outcomes import OutcomeReader
from poolqueue.client.place import Outside, Place
from poolqueue.client.settings import Settings
from poolqueue.client.troubles import publishing
from poolqueue.client.watching import Installation, OutcomeWatch, Published, RecordWatch, Watch
from poolqueue.config import Environment

CONNECTED_QUEUES = 32


class PoolQueue:
    """A queue: `topic` of `project` for requests, and the Firestore `database` in which its jobs are.

    What is not given comes from `GOOGLE_CLOUD_PROJECT`, `POOL_QUEUE_TOPIC` (else `job-requests`) and
    `POOL_QUEUE_DATABASE` (else `(default)`). With `outcomes`, a pull subscription to `job-outcomes` that this
    process alone uses, nothing is read from Firestore. `team` is whose topic it is, and `command_topic` where
    jobs are cancelled; both are read from the settings in force if they are not given. Nothing is connected
    to before it is needed. Safe to share between threads.
    """

    def __init__(
        self,
        *,
        project: str | None = None,
        topic: str | None = None,
        database: str | None = None,
        team: str | None = None,
        command_topic: str | None = None,
        outcomes: str | None = None,
        outside: Outside | None = None,
    ) -> None:
        """Raises `NotConfigured` if no project is named."""
        outside = outside or Outside()
        place = Place.of(outside.environment(), project=project, topic=topic, database=database)
        installation = Installation(place=place, outside=outside, given_team=team)
        self._reader = None if outcomes is None else _outcome_reader(place, outside, outcomes)
        self._connection = Connection(
            place=place,
            outside=outside,
            publisher=outside.publisher(place.environment),
            installation=installation if self._reader is None else None,
            team=team,
            command_topic=command_topic,
        )

    def enqueue(self, job: object, **settings: Unpack[Settings]) -> Handle:
        """Publish a job instead of running it; returns as soon as Pub/Sub has it.

        `job` is an `aiplatform.CustomJob` that was not run; a custom job as the REST reference has it, or the
        spec that gcloud's `--config` takes, as a dict in camelCase or snake_case; or a job request, as a dict
        or as JSON or YAML text. `settings` are the queue's, and for an `aiplatform.CustomJob` what `run()`
        takes.

        Give a `job_id` if this may happen twice: the same id with the same content is one job. Without one,
        the job gets an id of its own. Raises `RequestRefused` before anything is published, `NotPublished`,
        and TypeError for what is no job.
        """
        connection = self._connection
        composed = compose(job, settings, now=connection.outside.now())
        topic = connection.place.topic_name(connection.place.topic)
        with publishing(connection.place, topic):
            message_id = connection.publisher.publish(topic, composed.data, {})
        return self._handle(composed.job_id, Published(composed=composed, message_id=message_id))

    async def enqueue_async(self, job: object, **settings: Unpack[Settings]) -> Handle:
        """As `enqueue`, without blocking the event loop."""
        return await asyncio.to_thread(self.enqueue, job, **settings)

    def handle(self, job_id: str) -> Handle:
        """Of a job that was enqueued earlier, or elsewhere."""
        return self._handle(job_id, None)

    def _handle(self, job_id: str, published: Published | None) -> Handle:
        message_id = None if published is None else published.message_id
        watch = self._watch(job_id, published)
        return Handle(job_id, message_id=message_id, watch=watch, connection=self._connection)

    def _watch(self, job_id: str, published: Published | None) -> Watch:
        installation = self._connection.installation
        if installation is not None:
            return RecordWatch(installation=installation, job_id=job_id, published=published)
        assert self._reader is not None
        team = self._connection.team
        return OutcomeWatch(reader=self._reader, job_id=job_id, team=team, published=published)


def _outcome_reader(place: Place, outside: Outside, subscription: str) -> OutcomeReader:
    name = place.subscription_name(subscription)
    return OutcomeReader(outside.subscription(place.environment, name), name=name, place=place)


def enqueue(
    job: object,
    *,
    project: str | None = None,
    topic: str | None = None,
    database: str | None = None,
    team: str | None = None,
    command_topic: str | None = None,
    outcomes: str | None = None,
    **settings: Unpack[Settings],
) -> Handle:
    """Publish a job instead of running it: `enqueue(custom_job)` for `custom_job.submit()`,
    `enqueue(custom_job).wait()` for `custom_job.run()`. See `PoolQueue` and `PoolQueue.enqueue`.
    """
    where = (project, topic, database, team, command_topic, outcomes)
    return _queue(Outside().environment(), *where).enqueue(job, **settings)


async def enqueue_async(
    job: object,
    *,
    project: str | None = None,
    topic: str | None = None,
    database: str | None = None,
    team: str | None = None,
    command_topic: str | None = None,
    outcomes: str | None = None,
    **settings: Unpack[Settings],
) -> Handle:
    """As `enqueue`, without blocking the event loop."""
    where = (project, topic, database, team, command_topic, outcomes)
    return await _queue(Outside().environment(), *where).enqueue_async(job, **settings)


@lru_cache(maxsize=CONNECTED_QUEUES)
def _queue(environment: Environment, *where: Any) -> PoolQueue:
    """One for all calls that name the same, so that connections are kept."""
    project, topic, database, team, command_topic, outcomes = where
    return PoolQueue(
        project=project,
        topic=topic,
        database=database,
        team=team,
        command_topic=command_topic,
        outcomes=outcomes,
        outside=Outside(environment=lambda: environment),
    )
