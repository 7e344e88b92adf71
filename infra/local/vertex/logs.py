"""Log lines of custom jobs: all are written to files, those that the sink keeps go to its Pub/Sub topic.

What replicas print becomes entries when it is looked for: every half second, when a replica ends, and when
somebody asks.
"""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.local.vertex.custom_jobs import CustomJob
from infra.local.vertex.names import now, rfc3339
from infra.local.vertex.outputs import Outputs, Printed
from infra.local.vertex.world import World

SERVICE = "service"
COLLECT_SECONDS = 0.5
_KEPT = re.compile(r"Job (completed successfully|failed|cancelled)\.?")

Publish = Callable[[bytes, Mapping[str, str]], None]


@dataclass(frozen=True, kw_only=True)
class Line:
    """`task` is `service` or a replica such as `workerpool0-0`."""

    text: str
    task: str = SERVICE
    severity: str = "INFO"


def entry(job: CustomJob, line: Line) -> dict[str, Any]:
    """A Cloud Logging LogEntry as Vertex AI writes it."""
    return {**_entry(job, line.task, now()), "severity": line.severity, "textPayload": line.text}


def printed_entry(job: CustomJob, printed: Printed) -> dict[str, Any]:
    """Likewise, of a line that a replica printed; both of its streams are one here."""
    payload = {"message": printed.text, "levelname": "INFO"}
    return {**_entry(job, printed.replica, printed.at), "severity": "INFO", "jsonPayload": payload}


_numbers = itertools.count()


def _entry(job: CustomJob, task: str, at: datetime) -> dict[str, Any]:
    """Entries of one time are listed in the order of their ids."""
    labels = {"job_id": job.id, "project_id": job.project, "task_name": task}
    return {
        "insertId": f"{next(_numbers):010x}{uuid.uuid4().hex[:6]}",
        "logName": f"projects/{job.project}/logs/ml.googleapis.com%2F{job.id}",
        "resource": {"type": "ml_job", "labels": labels},
        "timestamp": rfc3339(at),
        "receiveTimestamp": rfc3339(now()),
    }


def text_of(log_entry: Mapping[str, Any]) -> str:
    payload = log_entry.get("jsonPayload", {}).get("message", "")
    return str(log_entry.get("textPayload") or payload)


def kept_by_sink(log_entry: Mapping[str, Any]) -> bool:
    """The sink's filter: ends of jobs, as the service itself says them."""
    resource = log_entry.get("resource", {})
    by_service = resource.get("labels", {}).get("task_name") == SERVICE
    return resource.get("type") == "ml_job" and by_service and bool(_KEPT.fullmatch(text_of(log_entry)))


class Logs:
    """Guarded by the timeline's lock. `publish` hands data and attributes to the topic without waiting."""

    def __init__(self, world: World, publish: Publish | None) -> None:
        self._world = world
        self._publish = publish
        self._directory = world.directory / "logs"
        self._directory.mkdir(parents=True, exist_ok=True)
        self._outputs = Outputs(world.directory / "output")

    def entries(self, job: CustomJob) -> list[dict[str, Any]]:
        """All that the job and its replicas wrote so far."""
        self._collect(job)
        try:
            written = (self._directory / f"{job.id}.jsonl").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        # Not by splitlines, which takes more for the end of a line than JSON escapes.
        return [json.loads(line) for line in written.split("\n") if line]

    def follow(self, job: CustomJob) -> None:
        """Look for what its replicas print, until it has ended."""
        self._collect(job)
        if not job.ended:
            self._world.timeline.after(COLLECT_SECONDS, lambda: self.follow(job))

    def _collect(self, job: CustomJob, *, ended: str | None = None) -> None:
        printed = self._outputs.fresh(job.id, ended=ended)
        self._append(job.id, [printed_entry(job, each) for each in printed])

    def write(self, job: CustomJob, line: Line) -> None:
        """After all that was printed before; a replica's own line is its last one."""
        self._collect(job, ended=line.task)
        log_entry = entry(job, line)
        self._append(job.id, [log_entry])
        if not kept_by_sink(log_entry) or self._publish is None:
            self._record(job.id, log_entry, published=False)
            return
        copies = self._world.misbehaviour.copies_of_a_line()
        if not copies:
            self._record(job.id, log_entry, published=False)
        for _ in range(copies):
            delay = (
                self._world.settings.timings.log_delay_seconds + self._world.misbehaviour.line_delay_seconds()
            )
            self._world.timeline.after(delay, lambda: self._deliver(job.id, log_entry))

    def forge(self, log_entry: Mapping[str, Any]) -> None:
        """Deliver any entry at once, whether the sink would keep it or not."""
        labels = log_entry.get("resource", {}).get("labels", {})
        self._deliver(str(labels.get("job_id", "")), log_entry)

    def _deliver(self, custom_job: str, log_entry: Mapping[str, Any]) -> None:
        if self._publish is not None:
            attributes = {"logging.googleapis.com/timestamp": str(log_entry.get("timestamp", rfc3339(now())))}
            self._publish(json.dumps(log_entry).encode(), attributes)
        self._record(custom_job, log_entry, published=self._publish is not None)

    def _append(self, custom_job: str, log_entries: Iterable[Mapping[str, Any]]) -> None:
        if lines := "".join(json.dumps(each) + "\n" for each in log_entries):
            with (self._directory / f"{custom_job}.jsonl").open("a", encoding="utf-8") as file:
                file.write(lines)

    def _record(self, custom_job: str, log_entry: Mapping[str, Any], *, published: bool) -> None:
        self._world.journal.write(
            "log_line", custom_job=custom_job, text=text_of(log_entry), published=published
        )
