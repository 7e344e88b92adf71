"""What became of each job of the demo: outcome, wait and run time by the journal, score by its result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from infra.local.checker import CustomJobLife, Report
from infra.local.run.demo import TEAM, Demo, Entry, Publications
from infra.local.run.progress import JobProgress, progress
from infra.local.run.screen import WIDE, name_width
from infra.local.stack import Stack
from poolqueue.records import job_path, read_job
from poolqueue.scheduling.jobs import Job, Outcome, job_key

SHORT = {"root mean square error": "error", "bits per character": "bits/char"}
WIDTHS = {"prio": 4, "waited": 6, "ran": 6, "score": 5, "baseline": 8}


@dataclass(frozen=True, kw_only=True)
class Result:
    """`job` is its document, `lives` its custom jobs by the journal, `learnt` the result file, if any;
    `last_words` are the last line that the primary replica printed.
    """

    entry: Entry
    job_id: str
    job: Job | None
    progress: JobProgress | None
    waited: timedelta | None
    lives: tuple[CustomJobLife, ...]
    learnt: dict[str, Any] | None
    last_words: str = ""

    @property
    def outcome(self) -> Outcome | None:
        return self.progress.outcome if self.progress else None

    @property
    def ran(self) -> timedelta | None:
        return self.lives[-1].run_time if self.lives else None

    @property
    def why(self) -> str:
        """Why it did not succeed; nothing if it did."""
        if self.progress is None:
            return "never heard of"
        last = self.progress.last
        return "" if self.outcome is Outcome.SUCCEEDED else str(last.get("error") or last.get("note") or "")


def results(stack: Stack, demo: Demo, publications: Publications, report: Report) -> list[Result]:
    heard_of = progress(stack.outcomes())
    by_job = {publications.job_id(entry): entry for entry in demo.entries}
    published = {(TEAM, job_id): publications.published.get(entry.job) for job_id, entry in by_job.items()}
    waits = report.waits({key: at for key, at in published.items() if at is not None})
    jobs = _jobs(stack, by_job)
    return [
        Result(
            entry=entry,
            job_id=job_id,
            job=jobs.get(job_id),
            progress=heard_of.get(job_id),
            waited=waits.get((TEAM, job_id)),
            lives=(lives := report.jobs.get((TEAM, job_id), ())),
            learnt=learnt(stack.buckets, jobs[job_id]) if job_id in jobs else None,
            last_words=_last_words(stack.stand_in / "output" / lives[-1].custom_job) if lives else "",
        )
        for job_id, entry in by_job.items()
    ]


def _last_words(output: Path) -> str:
    log = output / "workerpool0-0.log"
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
    return next((line for line in reversed(lines) if line.strip()), "")


def _jobs(stack: Stack, job_ids: Iterable[str]) -> dict[str, Job]:
    documents = stack.documents.read([job_path(job_key(TEAM, job_id)) for job_id in job_ids])
    found = [read_job(document.fields) for document in documents if document.fields is not None]
    return {job.job_id: job for job in found}


def learnt(buckets: Path, job: Job) -> dict[str, Any] | None:
    """The result file that the job's training wrote, if it did."""
    spec = json.loads(job.custom_job_body).get("jobSpec", {})
    prefix = spec.get("baseOutputDirectory", {}).get("outputUriPrefix", "").removeprefix("gs://")
    path = buckets / prefix / "model" / "result.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if prefix and path.is_file() else None


# --- the table -------------------------------------------------------------------------------------------


def show_results(found: list[Result], console: Console) -> None:
    is_wide = console.width >= WIDE
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=is_wide)
    table.add_column("job", no_wrap=True, overflow="ellipsis", width=name_width(console.width))
    table.add_column("outcome", no_wrap=True, min_width=9)
    for name, width in WIDTHS.items():
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    table.add_column("measure", no_wrap=True, overflow="ellipsis")
    if is_wide:
        table.add_column("published as", no_wrap=True, overflow="ellipsis", ratio=1, style="dim")
    for each in found:
        table.add_row(*_cells(each), *([each.entry.about] if is_wide else []))
    console.print(table)
    for each in found:
        for line in _explanation(each):
            console.print(Padding(line, (0, 0, 0, 2), expand=False), highlight=False)


def _explanation(result: Result) -> Iterator[Text]:
    """Why a job did not succeed, a line for each problem, and the last that it said itself."""
    if not result.why:
        return
    problems = result.progress.last.get("problems", []) if result.progress else []
    if not problems:
        yield Text.assemble((f"{result.job_id}: ", "bold"), result.why)
    for problem in problems:
        place = problem["path"].removeprefix("custom_job.jobSpec.")
        yield Text.assemble((f"{result.job_id}: ", "bold"), (f"{place} ", "dim"), problem["problem"])
    if result.last_words:
        yield Text(f"it said: {result.last_words}", "dim")


def _cells(result: Result) -> list[Text]:
    found = result.learnt or {}
    return [
        Text(result.job_id),
        _outcome(result),
        Text(_priority(result.job)),
        Text(_seconds(result.waited)),
        Text(_seconds(result.ran)),
        Text(_number(found.get("score")), "" if found.get("beats_baseline", True) else "red"),
        Text(_number(found.get("baseline")), "dim"),
        Text(measure(found), "dim"),
    ]


def _outcome(result: Result) -> Text:
    if result.outcome is None:
        return Text("no end", "bold red")
    is_expected = result.outcome is result.entry.outcome
    succeeded = result.outcome is Outcome.SUCCEEDED
    style = ("green" if succeeded else "yellow") if is_expected else "bold red"
    return Text(result.outcome.value, style)


def _priority(job: Job | None) -> str:
    return "-" if job is None or job.outcome is Outcome.REJECTED else str(job.priority)


def _seconds(span: timedelta | None) -> str:
    return "-" if span is None else f"{span.total_seconds():.1f} s"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"  # noqa: PLR2004  three digits either way


def measure(found: dict[str, Any]) -> str:
    """What the score measures; an arrow where less is better."""
    metric = str(found.get("metric", ""))
    return SHORT.get(metric, metric) + ("" if found.get("higher_is_better", True) else " ↓")


def remark(found: dict[str, Any]) -> str:
    """`accuracy 0.961, baseline 0.102`."""
    return f"{measure(found)} {_number(found.get('score'))}, baseline {_number(found.get('baseline'))}"
