"""What may be given beside a job when it is enqueued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict

Span = timedelta | float | str


class QueueSettings(TypedDict, total=False):
    """The queue's settings, as docs/messages.md has them. A span is a `timedelta`, seconds, or text as
    `"30m"`; a time is an aware `datetime`, or RFC 3339.
    """

    job_id: str
    priority: int
    display_name: str
    expected_run: Span
    min_run: Span
    max_preemptions: int
    not_before: datetime | str
    deadline: datetime | str
    max_wait: Span
    alternatives: Sequence[Any]
    retries: Mapping[str, Any]
    depends_on: Sequence[str | Mapping[str, str]]
    on_failed_dependency: str
    hold: bool
    serial_key: str
    serial_limit: int
    array: Mapping[str, Any]


class RunOptions(TypedDict, total=False):
    """What `aiplatform.CustomJob.run()` takes and reaches Vertex AI; only for an `aiplatform.CustomJob`."""

    service_account: str
    network: str
    timeout: int
    restart_job_on_worker_restart: bool
    enable_web_access: bool
    tensorboard: str
    disable_retries: bool
    persistent_resource_id: str
    scheduling_strategy: Any
    max_wait_duration: int


class Settings(QueueSettings, RunOptions, total=False):
    """All that `enqueue` takes beside the job and where the queue is."""
