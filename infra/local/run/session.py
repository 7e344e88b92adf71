"""Runs the demo: publishes wave after wave, shows what happens, and knows when it is over."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from infra.local.checker import Report
from infra.local.run.demo import TEAM, Demo, Entry, Publications
from infra.local.run.progress import JobProgress, progress
from infra.local.run.results import learnt, remark
from infra.local.run.screen import Screen
from infra.local.stack import Announcement, Stack
from poolqueue.ports import StoreUnavailable
from poolqueue.records import job_path, read_job
from poolqueue.scheduling.jobs import Outcome, job_key
from poolqueue.viewing.reading import Reader
from poolqueue.viewing.text import safe
from poolqueue.viewing.views import ResourceView

LOOK_SECONDS = 0.25
LONGEST_SECONDS = 150.0
SETTLE_SECONDS = 5.0


class Session:
    """One demo on one stack."""

    def __init__(self, stack: Stack, demo: Demo) -> None:
        self.publications = Publications(stack)
        self._stack = stack
        self._demo = demo
        self._reader = Reader.of(stack.documents, stack.settings)
        self._scores: dict[str, str] = {}
        self._began = time.monotonic()

    @property
    def elapsed(self) -> timedelta:
        return timedelta(seconds=time.monotonic() - self._began)

    def run(self, console: Console) -> None:
        """Until every job has ended, or the time is up; what is missing then is for the verdicts."""
        if console.is_terminal:
            with Live(console=console, screen=True, auto_refresh=False) as live:
                for _ in self._steps():
                    live.update(self._screen(), refresh=True)
        else:
            lines = Lines(self._stack, console)
            for _ in self._steps():
                lines.print_new()
            lines.print_new()

    def settled_report(self) -> Report:
        """The checker's report, once the last replicas are released; what is found after a while stays."""
        until = time.monotonic() + SETTLE_SECONDS
        while (report := self._stack.report()).findings and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        return report

    def _steps(self) -> Iterator[None]:
        """One look after the other, publishing what is due before each, beside the looking."""
        waves = iter(self._demo.waves)
        beside = ThreadPoolExecutor(1)
        publishing: Future[None] | None = beside.submit(self._publish, next(waves))
        try:
            while self.elapsed.total_seconds() < LONGEST_SECONDS:
                heard_of = progress(self._stack.outcomes())
                if publishing is None and self._have_ended(heard_of):
                    return
                if publishing is not None and publishing.done() and self._are_considered(heard_of):
                    publishing.result()
                    wave = next(waves, None)
                    publishing = beside.submit(self._publish, wave) if wave else None
                yield
                time.sleep(LOOK_SECONDS)
        finally:
            # Interrupted, it does not wait for a function that is being asked: that ends with the system.
            beside.shutdown(wait=False, cancel_futures=True)

    def _publish(self, wave: Iterable[Entry]) -> None:
        for entry in wave:
            self.publications.publish(entry)

    def _expected(self) -> list[str]:
        entries = [each for each in self._demo.entries if each.job in self.publications.published]
        return [self.publications.job_id(entry) for entry in entries]

    def _are_considered(self, heard_of: dict[str, JobProgress]) -> bool:
        return all(job in heard_of and heard_of[job].is_considered for job in self._expected())

    def _have_ended(self, heard_of: dict[str, JobProgress]) -> bool:
        return all(job in heard_of and heard_of[job].has_ended for job in self._expected())

    def _screen(self) -> Screen:
        """With what can be read just now."""
        jobs = list(progress(self._stack.outcomes()).values())
        resources: list[ResourceView] = []
        with contextlib.suppress(StoreUnavailable):
            resources = self._reader.resources(now=datetime.now(UTC))
            self._read_scores(jobs)
        return Screen(
            title="Pool Queue",
            elapsed=self.elapsed,
            resources=resources,
            jobs=jobs,
            remarks=self._scores,
        )

    def _read_scores(self, jobs: Iterable[JobProgress]) -> None:
        """Of the jobs that succeeded, each once."""
        for job in jobs:
            if job.outcome is Outcome.SUCCEEDED and job.job_id not in self._scores:
                fields = self._stack.documents.read([job_path(job_key(TEAM, job.job_id))])[0].fields
                found = learnt(self._stack.buckets, read_job(fields)) if fields else None
                self._scores[job.job_id] = remark(found) if found else ""


class Lines:
    """Announcements as lines of text, for logs and pipes, and for a system that stays up."""

    def __init__(self, stack: Stack, console: Console, *, seen: int = 0) -> None:
        self._stack = stack
        self._console = console
        self._seen = seen

    def print_new(self) -> None:
        found = self._stack.outcomes()
        new = sorted(found[self._seen :], key=lambda each: (each.body["at"], each.body["sequence"]))
        for each in new:
            self._console.print(_line(each), soft_wrap=True)
        self._seen = len(found)
        sys.stdout.flush()


def _line(announcement: Announcement) -> Text:
    body: dict[str, Any] = announcement.body
    moment = datetime.fromisoformat(body["at"])
    state = body.get("outcome") or body["state"]
    note = body.get("error") or body.get("note") or ""
    reason = f"{body['reason']}: {note}" if body.get("reason") else str(note)
    return Text(f"{moment:%H:%M:%S}  {safe(body['job_id']):<16}  {state:<10} {safe(reason)}".rstrip())


def watch(stack: Stack, console: Console) -> None:
    """Print what is announced from now on, until interrupted."""
    lines = Lines(stack, console, seen=len(stack.outcomes()))
    while True:
        lines.print_new()
        time.sleep(LOOK_SECONDS)
