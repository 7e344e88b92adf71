"""The live picture: pools with who holds what, running jobs, the queue with its reasons, latest outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from infra.local.run.progress import JobProgress
from poolqueue.cli.tables import occupancy_bar
from poolqueue.scheduling.jobs import Outcome, job_key
from poolqueue.viewing.text import safe, short_time
from poolqueue.viewing.views import JobView, PoolView, ResourceView

NARROWEST_CELL = 5
MOST_RUNNING = 8
LEAST_QUEUE = 3
WIDE = 110
STYLES = ("white on blue", "black on green", "white on magenta", "black on cyan", "black on yellow")
OUTCOME_STYLES = {Outcome.SUCCEEDED: "green", Outcome.CANCELLED: "magenta"}


@dataclass(frozen=True, kw_only=True)
class Screen:
    """One picture; it fills the terminal that it is drawn on, and cuts the longest lists to fit.

    `remarks` say more of ended jobs, by `job_id`.
    """

    title: str
    elapsed: timedelta
    resources: Sequence[ResourceView]
    jobs: Sequence[JobProgress]
    remarks: Mapping[str, str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.max_height
        pools = [line for view in self.resources for line in _resource(view, width)]
        pools = pools or [Text("no persistent resource is known yet: the first job asks for one", "dim")]
        holding = [job for view in self.resources for job in view.holding]
        waiting = [job for view in self.resources for job in view.waiting]
        ended = [job for job in self.jobs if job.has_ended]
        left = height - 2 - len(pools) - 3 * 2
        running_rows = min(len(holding), MOST_RUNNING, max(1, left - LEAST_QUEUE))
        left -= max(1, running_rows)
        queue_rows = min(len(waiting), max(LEAST_QUEUE, left - 3))
        left -= max(1, queue_rows)
        names = name_width(width)
        yield self._heading(width, ended)
        yield Text()
        yield Group(*pools)
        yield _section(f"running {len(holding)}", _running(holding[:running_rows], names))
        queue = _queue(waiting, names, queue_rows) if self.resources else _recorded(self.jobs)
        yield _section(f"queue {len(waiting)}", queue)
        yield _section(f"ended {len(ended)}", _ended(ended, self.remarks, names, max(1, left)))

    def _heading(self, width: int, ended: Sequence[JobProgress]) -> RenderableType:
        line = Text.assemble((self.title, "bold"), f"  {len(self.jobs)} jobs, {len(ended)} ended")
        clock = f"{self.elapsed.total_seconds():.0f} s"
        line.truncate(width - len(clock) - 1)
        line.pad_right(width - len(clock) - line.cell_len)
        return line.append(clock, "dim")


def name_width(width: int) -> int:
    """Columns for a job's name on a terminal of `width`."""
    return 28 if width >= WIDE else 16


def _section(name: str, table: RenderableType) -> RenderableType:
    return Group(Rule(Text(name, "bold"), align="left", style="dim"), table)


# --- pools -----------------------------------------------------------------------------------------------


def _resource(view: ResourceView, width: int) -> Iterable[Text]:
    state_style = "green" if view.state == "RUNNING" else "red"
    yield Text.assemble((view.name.id, "bold"), " ", (view.state, state_style))
    if not view.pools:
        yield Text("its pools are not known yet", "dim")
    names = max((len(pool.name) for pool in view.pools), default=0)
    styles = _styles(view)
    for pool in view.pools:
        taken = pool.capacity - pool.free
        line = Text.assemble((f"{pool.name:<{names}} ", "bold"), f"{taken:>2}/{pool.capacity:<2} ")
        line.append(_bar(pool, width - line.cell_len, styles))
        yield line


def _styles(view: ResourceView) -> dict[str, str]:
    """By job; the same for as long as it holds replicas, whoever else comes and goes."""
    keys = [job.key for job in view.holding]
    return {key: STYLES[sum(map(ord, key)) % len(STYLES)] for key in keys}


def _bar(pool: PoolView, width: int, styles: dict[str, str]) -> Text:
    """A cell per replica with the holder's name in it; where cells would be too narrow, a plain bar."""
    cell = width // max(pool.capacity, 1)
    if cell < NARROWEST_CELL:
        names = ", ".join(holder.job_id for holder in pool.holders)
        line = occupancy_bar(pool).append(f" {safe(names)}")
        line.truncate(width, overflow="ellipsis")
        return line
    bar = Text()
    previous = ""
    for holder in pool.holders:
        style = styles.get(job_key(holder.team, holder.job_id), STYLES[0])
        if style == previous:
            style = STYLES[(STYLES.index(style) + 1) % len(STYLES)]
        previous = style
        bar.append(_cell(holder.job_id, cell * holder.replicas), style).append(" ")
    others = pool.foreign + pool.surplus
    if others:
        bar.append(_cell("others", cell * others), "black on white").append(" ")
    for _ in range(max(0, pool.free)):
        bar.append(_cell("free", cell), "dim reverse").append(" ")
    return bar


def _cell(name: str, width: int) -> str:
    """One column less, for the gap."""
    room = width - 3
    shown = name if len(name) <= room else name[: room - 1] + "…"
    return f" {safe(shown, limit=width):<{room}} "


# --- jobs ------------------------------------------------------------------------------------------------


def _grid(*widths: int | None) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for width in widths:
        grid.add_column(width=width, ratio=1 if width is None else None, no_wrap=True, overflow="ellipsis")
    return grid


def _running(jobs: Sequence[JobView], job_width: int) -> RenderableType:
    if not jobs:
        return Text("nothing", "dim")
    grid = _grid(job_width, 9, 6, None)
    for job in jobs:
        since = job.ran if job.ran is not None else job.held
        grid.add_row(
            Text(safe(job.job_id)), Text(job.state.value, "cyan"), Text(short_time(since)), _shares(job)
        )
    return grid


def _queue(jobs: Sequence[JobView], job_width: int, rows: int) -> RenderableType:
    if not jobs:
        return Text("nothing waits", "dim")
    shown = jobs if len(jobs) <= rows else jobs[: rows - 1]
    grid = _grid(job_width, 9, 6, None)
    for job in shown:
        grid.add_row(
            Text(safe(job.job_id)),
            Text(f"prio {job.priority}"),
            Text(short_time(job.waited)),
            Text.assemble(_shares(job), "  ", (_planned(job), "cyan"), (_why(job), "yellow")),
        )
    if len(jobs) > len(shown):
        grid.add_row(Text(f"… {len(jobs) - len(shown)} more", "dim"))
    return grid


def _recorded(jobs: Sequence[JobProgress]) -> RenderableType:
    """Jobs that no admission cycle has looked at, for want of any knowledge of their resource."""
    names = ", ".join(safe(job.job_id) for job in jobs if not job.has_ended)
    said = f"recorded: {names}" if names else "nothing waits"
    return Text(said, "dim", no_wrap=True, overflow="ellipsis")


def _ended(
    jobs: Sequence[JobProgress], remarks: Mapping[str, str], job_width: int, rows: int
) -> RenderableType:
    """The latest first."""
    if not jobs:
        return Text("nothing yet", "dim")
    grid = _grid(job_width, 9, 6, None)
    latest = sorted(jobs, key=lambda job: str(job.last["at"]), reverse=True)
    for job in latest[:rows]:
        assert job.outcome is not None
        note = remarks.get(job.job_id) or str(job.last.get("error") or job.last.get("note") or "")
        outcome = Text(job.outcome.value, OUTCOME_STYLES.get(job.outcome, "red"))
        grid.add_row(Text(safe(job.job_id)), outcome, Text(short_time(job.ran)), Text(safe(note), "dim"))
    return grid


def _why(job: JobView) -> str:
    return safe(job.note) if job.note or job.reason is None else job.reason.value


def _planned(job: JobView) -> str:
    return "" if job.planned is None else f"planned for {job.planned:%H:%M:%S}Z  "


def _shares(job: JobView) -> Text:
    return Text(", ".join(f"{share.replicas} {safe(share.pool, limit=40)}" for share in job.shares))
