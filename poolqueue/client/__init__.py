"""The publishing client: queue a custom job instead of running it, and wait for how it ends.

    from poolqueue.client import enqueue

    handle = enqueue(custom_job, job_id="resnet-2026-11-23")    # instead of custom_job.run()
    print(handle.wait().custom_job)

See docs/publishing.md.
"""

from poolqueue.client.errors import (
    CommandRefused,
    JobCancelled,
    JobDidNotSucceed,
    JobExpired,
    JobFailed,
    JobLost,
    JobRejected,
    NotConfigured,
    NotPublished,
    NotReadable,
    PoolQueueError,
    RequestRefused,
    WaitedTooLong,
)
from poolqueue.client.handle import Handle
from poolqueue.client.queue import PoolQueue, enqueue, enqueue_async
from poolqueue.client.report import JobReport
from poolqueue.client.settings import Settings
from poolqueue.messages import Problem
from poolqueue.scheduling.jobs import Outcome, State

__all__ = [
    "CommandRefused",
    "Handle",
    "JobCancelled",
    "JobDidNotSucceed",
    "JobExpired",
    "JobFailed",
    "JobLost",
    "JobRejected",
    "JobReport",
    "NotConfigured",
    "NotPublished",
    "NotReadable",
    "Outcome",
    "PoolQueue",
    "PoolQueueError",
    "Problem",
    "RequestRefused",
    "Settings",
    "State",
    "WaitedTooLong",
    "enqueue",
    "enqueue_async",
]
