"""A job that was enqueued: where it is, how it ends, and how to cancel it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from poolqueue.client.cancelling import COMMAND_TOPIC, publish_cancel, wait_for_answer
from poolqueue.client.connection import Connection
from poolqueue.client.errors import NotReadable
from poolqueue.client.report import JobReport
from poolqueue.client.troubles import reading
from poolqueue.client.waiting import Timeout, Waiting, checked, seconds_of
from poolqueue.client.watching import Watch

CANCEL_SECONDS = 60.0

OnChange = Callable[[JobReport], object]


class Handle:
    """A job by its id. It holds nothing that must be closed; another process makes one of the same job by
    `PoolQueue(...).handle(job_id)`.
    """

    def __init__(self, job_id: str, *, message_id: str | None, watch: Watch, connection: Connection) -> None:
        self.job_id = job_id
        self.message_id = message_id
        self._watch = watch
        self._connection = connection
        self._outside = connection.outside

    def __repr__(self) -> str:
        return f"<job {self.job_id} on {self._connection.place.topic}>"

    # --- where it is

    def status(self) -> JobReport:
        """What is known of it now: `state` is None until the request was taken up. Raises `NotReadable`.

        By a subscription it is what was last heard, and this may take a few seconds.
        """
        return self._watch.look()

    async def status_async(self) -> JobReport:
        """As `status`, without blocking the event loop."""
        return await asyncio.to_thread(self.status)

    # --- how it ends

    def wait(
        self, timeout: Timeout = None, *, check: bool = True, on_change: OnChange | None = None
    ) -> JobReport:
        """Wait until it has ended; the report tells custom job, error and log.

        `timeout` is in seconds, or a `timedelta`. `on_change` is called with a report first, and whenever
        state, reason or attempt changed. Raises `JobDidNotSucceed` (`JobFailed`, `JobCancelled`,
        `JobRejected`, `JobExpired`, `JobLost`) unless `check` is False, `WaitedTooLong` after the timeout,
        and `NotReadable` if nothing can be read for minutes. The job takes its course whatever this raises.
        """
        waiting = self._waiting(timeout)
        while True:
            report = self._looked(waiting)
            if report is not None:
                if waiting.is_news(report) and on_change is not None:
                    on_change(report)
                if report.is_ended:
                    return checked(report, check=check)
            self._outside.pause(waiting.pause(now=self._outside.monotonic()))

    async def wait_async(
        self,
        timeout: Timeout = None,  # noqa: ASYNC109 - raises what `wait` raises, with the job's last report
        *,
        check: bool = True,
        on_change: Callable[[JobReport], object | Awaitable[object]] | None = None,
    ) -> JobReport:
        """As `wait`, without blocking the event loop; `on_change` may be a coroutine function. Cancelling
        this coroutine does not cancel the job.
        """
        waiting = self._waiting(timeout)
        while True:
            report = await asyncio.to_thread(self._looked, waiting)
            if report is not None:
                if waiting.is_news(report) and on_change is not None:
                    answer = on_change(report)
                    if inspect.isawaitable(answer):
                        await answer
                if report.is_ended:
                    return checked(report, check=check)
            await asyncio.sleep(waiting.pause(now=self._outside.monotonic()))

    def _waiting(self, timeout: Timeout) -> Waiting:
        seconds = seconds_of(timeout)
        until = None if seconds is None else self._outside.monotonic() + seconds
        return Waiting(until=until, pauses=self._watch.pauses(), last=JobReport(job_id=self.job_id))

    def _looked(self, waiting: Waiting) -> JobReport | None:
        """None if nothing can be read just now."""
        try:
            return self.status()
        except NotReadable as error:
            waiting.bear(error, now=self._outside.monotonic())
            return None

    # --- how to cancel it

    def cancel(self, reason: str, *, author: str | None = None, timeout: Timeout = CANCEL_SECONDS) -> str:
        """Cancel it, whether it waits or runs; what became of that, in a sentence.

        It is asked for once the job is recorded, and the result is waited for. Where Firestore is not read,
        it is published only. `author` is `USER@HOST` by default. Raises `CommandRefused`; `WaitedTooLong` if
        there is no answer yet (once published, it is carried out all the same); `NotPublished`;
        `NotReadable`; `RequestRefused` for a reason that cannot be recorded.
        """
        installation = self._connection.installation
        if installation is None:
            topic = self._connection.command_topic or COMMAND_TOPIC
            id_ = self._publish_cancel(topic, self._connection.team, reason, author)
            return f"published as command {id_}; wait() tells whether the job ends cancelled"
        waiting = self._waiting(timeout)
        self._wait_until_recorded(waiting)
        with reading(self._connection.place):
            topic = self._connection.command_topic or installation.command_topic() or COMMAND_TOPIC
            team = installation.team()
        id_ = self._publish_cancel(topic, team, reason, author)
        return wait_for_answer(self._connection, installation, id_, waiting)

    async def cancel_async(
        self,
        reason: str,
        *,
        author: str | None = None,
        timeout: Timeout = CANCEL_SECONDS,  # noqa: ASYNC109 - as above
    ) -> str:
        """As `cancel`, without blocking the event loop."""
        return await asyncio.to_thread(self.cancel, reason, author=author, timeout=timeout)

    def _publish_cancel(self, topic: str, team: str | None, reason: str, author: str | None) -> str:
        return publish_cancel(
            self._connection, self.job_id, topic=topic, team=team, reason=reason, author=author
        )

    def _wait_until_recorded(self, waiting: Waiting) -> None:
        """A command that overtakes the request would find no job."""
        while True:
            report = self._looked(waiting)
            if report is not None and waiting.is_news(report) and report.state is not None:
                return
            self._outside.pause(waiting.pause(now=self._outside.monotonic()))
