"""Draws views for a terminal as rich renderables, and plainly, a fact a line, for pipes and files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from rich import box
from rich.console import Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from poolqueue.cli.text import clock_time, safe, short_time
from poolqueue.cli.views import HOLDING, JobView, PoolView, ResourceView
from poolqueue.scheduling.jobs import Outcome, Reason, State
from poolqueue.scheduling.pools import Drain

BAR_CELLS = 12
NAMES_SHOWN = 3
NAME_LIMIT = 63
JOB_LIMIT = 80
NOTE_LIMIT = 160

_STATES = {
    State.RUNNING: "green",
    State.SUBMITTED: "cyan",
    State.RESERVED: "cyan",
    State.CANCELLING: "magenta",
    State.QUEUED: "yellow",
    State.HELD: "yellow",
}
_OUTCOMES = {Outcome.SUCCEEDED: "green", Outcome.CANCELLED: "magenta"}
_BAR = (("reserved", "█", "green"), ("foreign", "▓", "magenta"), ("surplus", "▒", "red"))


# --- jobs ------------------------------------------------------------------------------------------------


def jobs_table(jobs: Sequence[JobView], *, plain: bool = False) -> Table:
    """One row per job, as given. On a terminal, team and resource are left out where all rows share them,
    and what does not fit is cut from the reason alone: an id can always be copied.
    """
    has_team = plain or len({job.team for job in jobs}) > 1
    has_resource = plain or len({job.resource for job in jobs}) > 1
    widths = {"team": 12, "resource": 14, "pools": 24}
    table = _table(plain=plain)
    for name in _columns(has_team=has_team, has_resource=has_resource):
        justify: JustifyMethod = "right" if name in {"prio", "time"} else "left"
        is_last = name == "reason"
        width = None if plain else widths.get(name)
        table.add_column(
            name, justify=justify, no_wrap=plain or not is_last, overflow="ellipsis", max_width=width
        )
    for job in jobs:
        table.add_row(*_cells(job, has_team=has_team, has_resource=has_resource, plain=plain))
    return table


def reasons_table(jobs: Iterable[JobView]) -> RenderableType:
    """Why the jobs given wait: how many for each reason, and what the first of them is told."""
    told: dict[Reason, str] = {}
    numbers: Counter[Reason] = Counter()
    for job in jobs:
        if job.reason is not None:
            numbers[job.reason] += 1
            told.setdefault(job.reason, job.note)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for reason, number in numbers.most_common():
        note = safe(told[reason], limit=NOTE_LIMIT)
        grid.add_row(Text(f"{number:,}"), Text(reason.value, style="yellow"), Text(note))
    return grid


def _columns(*, has_team: bool, has_resource: bool) -> Iterable[str]:
    yield "job"
    if has_team:
        yield "team"
    yield "state"
    if has_resource:
        yield "resource"
    yield from ("pools", "prio", "time", "reason")


def _cells(job: JobView, *, has_team: bool, has_resource: bool, plain: bool) -> Iterable[Text]:
    yield Text(safe(job.job_id, limit=JOB_LIMIT), no_wrap=plain, overflow="fold")
    if has_team:
        yield Text(safe(job.team, limit=NAME_LIMIT))
    yield _state(job)
    if has_resource:
        yield Text(safe(job.resource, limit=NAME_LIMIT))
    yield Text(_shares(job))
    yield Text("" if job.priority is None else str(job.priority))
    yield Text(_time(job))
    yield Text(_reason(job), no_wrap=True, overflow="ellipsis")


def counts_line(jobs: Iterable[JobView]) -> Text:
    """`2 running · 1 submitted · 10,012 queued`."""
    numbers: dict[State, int] = {}
    for job in jobs:
        numbers[job.state] = numbers.get(job.state, 0) + 1
    order = [*HOLDING, State.QUEUED, State.HELD, State.ENDED]
    parts = [
        Text(f"{numbers[state]:,} {state.value}", style=_STATES.get(state, ""))
        for state in order
        if state in numbers
    ]
    return Text(" · ").join(parts) if parts else Text("no jobs")


def _state(job: JobView) -> Text:
    if job.outcome is not None:
        return Text(job.outcome.value, style=_OUTCOMES.get(job.outcome, "red"))
    return Text(job.state.value, style=_STATES.get(job.state, ""))


def _shares(job: JobView) -> str:
    return ", ".join(f"{safe(share.pool, limit=40)} x{share.replicas}" for share in job.shares)


def _time(job: JobView) -> str:
    """How long it ran, or has had replicas, or has waited."""
    if job.state is State.ENDED and job.ran is None:
        return "never ran"
    for span in (job.ran, job.held, job.waited):
        if span is not None:
            return short_time(span)
    return ""


def _reason(job: JobView) -> str:
    note = safe(job.note, limit=NOTE_LIMIT)
    if job.reason is None:
        return note
    return f"{job.reason.value}: {note}" if note else job.reason.value


# --- pools -----------------------------------------------------------------------------------------------


def pools_table(view: ResourceView, *, plain: bool = False) -> RenderableType:
    """A persistent resource: its state, a row of numbers per pool, and what else there is to say of each."""
    table = _table(plain=plain)
    table.add_column("pool", overflow="fold", no_wrap=plain)
    if not plain:
        table.add_column("occupancy", no_wrap=True)
    for name in ("capacity", "reserved", "foreign", "surplus", "free", "waiting"):
        table.add_column(name, justify="right", no_wrap=True)
    for pool in view.pools:
        numbers = (pool.capacity, pool.reserved, pool.foreign, pool.surplus, pool.free, pool.waiting)
        bar = [] if plain else [occupancy_bar(pool)]
        table.add_row(Text(_name(pool)), *bar, *(Text(str(n) if plain else f"{n:,}") for n in numbers))
    facts = [(pool, fact) for pool in view.pools for fact in _facts(pool, view.seen_at)]
    parts: list[RenderableType] = [resource_line(view)]
    if view.drained is not None:
        parts.append(Text(f"drained {_who(view.drained, view.seen_at)}", style="yellow"))
    if view.pools:
        parts += [table, _grid(facts, plain=plain)]
    return Group(*parts)


def resource_line(view: ResourceView) -> Text:
    """`gpu-a  RUNNING, seen 12s ago  (my-project, us-central1)`."""
    line = Text(safe(view.name.id, limit=NAME_LIMIT), style="bold")
    line.append("  ")
    line.append(safe(view.state, limit=20), style="bold green" if view.state == "RUNNING" else "bold red")
    told = "not seen yet" if view.age is None else f"seen {short_time(view.age)} ago"
    line.append(f", {told}", style="" if view.is_fresh else "red")
    where = f"  ({safe(view.name.project, limit=60)}, {safe(view.name.location, limit=30)})"
    return line.append(where, style="dim")


def occupancy_bar(pool: PoolView, *, cells: int = BAR_CELLS) -> Text:
    """Reserved, foreign and surplus replicas in proportion to the capacity; each that is there is seen."""
    parts = [(getattr(pool, name), sign, style) for name, sign, style in _BAR]
    whole = max(pool.capacity, sum(n for n, _, _ in parts), 1)
    bar, left = Text(), cells
    for n, sign, style in parts:
        length = min(left, max(1, round(n * cells / whole))) if n else 0
        bar.append(sign * length, style=style)
        left -= length
    return bar.append("·" * left, style="dim")


def _facts(pool: PoolView, now: datetime) -> Iterable[Text]:
    yield Text(f"{safe(pool.machine, limit=120)}, {safe(pool.disk, limit=120)}")
    if pool.drained is not None:
        yield Text(f"drained {_who(pool.drained, now)}", style="yellow")
    if pool.backoff is not None:
        why = "quota" if pool.backoff.quota else "capacity"
        told = f"left alone until {clock_time(pool.backoff.until, now)}: Vertex AI refused a job for {why}"
        yield Text(told, style="yellow")
    if pool.holders:
        yield Text(f"held by {_holders(pool)}")


def _holders(pool: PoolView) -> str:
    shown = pool.holders[:NAMES_SHOWN]
    parts = [f"{safe(f'{h.team}/{h.job_id}', limit=NAME_LIMIT)} x{h.replicas}" for h in shown]
    more = len(pool.holders) - len(shown)
    return ", ".join(parts) + (f" … and {more:,} more" if more else "")


def _who(drain: Drain, now: datetime) -> str:
    author, reason = safe(drain.author, limit=60), safe(drain.reason, limit=NOTE_LIMIT)
    return f"by {author} {short_time(now - drain.at)} ago: {reason}"


def _name(pool: PoolView) -> str:
    return safe(pool.name, limit=NAME_LIMIT)


def _grid(facts: Iterable[tuple[PoolView, Text]], *, plain: bool) -> RenderableType:
    """Facts beside their pool's name, which a terminal shows once and a plain line repeats."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="fold", no_wrap=plain)
    grid.add_column(overflow="fold", no_wrap=plain)
    last: PoolView | None = None
    for pool, fact in facts:
        grid.add_row(Text(_name(pool) if plain or pool is not last else ""), fact)
        last = pool
    return grid


def _table(*, plain: bool) -> Table:
    shape = None if plain else box.SIMPLE_HEAD
    gap = (0, 2, 0, 0) if plain else (0, 1, 0, 0)
    style = "" if plain else "bold"
    return Table(box=shape, show_edge=False, padding=gap, pad_edge=False, header_style=style)
