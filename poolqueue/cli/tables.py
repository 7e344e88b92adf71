"""Draws views for a terminal, as rich renderables that fit its width."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from poolqueue.dead_letters import DeadLetter
from poolqueue.scheduling.jobs import Outcome, Reason, State
from poolqueue.viewing import wording
from poolqueue.viewing.text import safe
from poolqueue.viewing.views import HOLDING, JobView, PoolView, ResourceView

BAR_CELLS = 12
USUAL_ID_CELLS = 20  # an id of so many is not folded: rather is the reason cut, which is told below in full

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


def jobs_table(jobs: Sequence[JobView]) -> Table:
    """One row per job, as given. Team and resource are left out where all rows share them. A job's id is
    folded rather than cut, so that it can always be copied; what else does not fit is cut.
    """
    has_team = len({job.team for job in jobs}) > 1
    has_resource = len({job.resource for job in jobs}) > 1
    has_turn = any(job.position is not None for job in jobs)
    has_start = any(job.expected is not None for job in jobs)
    table = plain_table()
    longest = max((len(wording.name(job.job_id)) for job in jobs), default=0)
    table.add_column("job", no_wrap=longest <= USUAL_ID_CELLS)
    if has_team:
        table.add_column("team", max_width=12)
    table.add_column("state", no_wrap=True)
    if has_resource:
        table.add_column("resource", max_width=14)
    table.add_column("pools", max_width=24)
    table.add_column("prio", justify="right", no_wrap=True)
    if has_turn:
        table.add_column("turn", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    if has_start:
        table.add_column("starts", no_wrap=True)
    table.add_column("reason")
    for job in jobs:
        cells = _cells(
            job, has_team=has_team, has_resource=has_resource, has_turn=has_turn, has_start=has_start
        )
        table.add_row(*cells)
    return table


def reasons_table(jobs: Iterable[JobView]) -> RenderableType:
    """Why the jobs given wait: how many for each reason, and what the first of them is told."""
    told: dict[Reason, str] = {}
    numbers: Counter[Reason] = Counter()
    for job in jobs:
        if job.reason is not None:
            numbers[job.reason] += 1
            told.setdefault(job.reason, job.note)
    grid = _grid()
    for reason, number in numbers.most_common():
        note = Text(safe(told[reason], limit=wording.NOTE_LIMIT))
        grid.add_row(Text(f"{number:,}", justify="right"), Text(reason.value, style="yellow"), note)
    return grid


def estimates_line(jobs: Iterable[JobView]) -> Text | None:
    told = wording.basis(jobs)
    return None if told is None else Text(told, style="dim")


def counts_line(jobs: Iterable[JobView]) -> Text:
    """`2 running · 1 submitted · 10,012 queued`."""
    numbers = Counter(job.state for job in jobs)
    parts = [
        Text(f"{numbers[state]:,} {state.value}", style=_STATES.get(state, ""))
        for state in (*HOLDING, State.QUEUED, State.HELD, State.ENDED)
        if state in numbers
    ]
    return Text(" · ").join(parts) if parts else Text("no jobs")


def _cells(
    job: JobView, *, has_team: bool, has_resource: bool, has_turn: bool, has_start: bool
) -> Iterable[Text]:
    yield Text(wording.name(job.job_id), overflow="fold")
    if has_team:
        yield _cut(wording.name(job.team))
    yield Text(wording.state(job), style=_style(job))
    if has_resource:
        yield _cut(wording.name(job.resource))
    yield _cut(wording.shares(job))
    yield Text(wording.priority(job))
    if has_turn:
        yield Text(wording.turn(job))
    yield Text(wording.time(job))
    if has_start:
        yield Text(wording.starts(job))
    yield _cut(wording.reason(job))


def _cut(text: str) -> Text:
    """One line, cut where it does not fit."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _style(job: JobView) -> str:
    return _STATES.get(job.state, "") if job.outcome is None else _OUTCOMES.get(job.outcome, "red")


# --- dead letters ----------------------------------------------------------------------------------------


def dead_letters_table(letters: Iterable[DeadLetter]) -> Table:
    table = plain_table()
    for name in wording.LETTER_COLUMNS:
        table.add_column(name, justify="right" if name == "bytes" else "left")
    for letter in letters:
        table.add_row(*map(_cut, wording.dead_letter(letter)))
    return table


# --- pools -----------------------------------------------------------------------------------------------


def pools_table(view: ResourceView) -> RenderableType:
    """A persistent resource: its state, a row of numbers per pool, and what else there is to say of each."""
    parts: list[RenderableType] = [resource_line(view)]
    if view.drained is not None:
        parts.append(Text(wording.drained(view.drained, view.seen_at), style="yellow"))
    if view.pools:
        parts += [_numbers(view.pools), _facts(view)]
    return Group(*parts)


def resource_line(view: ResourceView) -> Text:
    """`gpu-a  RUNNING, seen 12s ago  (my-project, us-central1)`."""
    line = Text(wording.name(view.name.id), style="bold")
    style = "bold green" if view.state == "RUNNING" else "bold red"
    line.append("  ").append(wording.name(view.state), style=style)
    line.append(f", {wording.observed(view)}", style="not bold" if view.is_fresh else "not bold red")
    return line.append(f"  {wording.whereabouts(view)}", style="not bold dim")


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


def _numbers(pools: Iterable[PoolView]) -> Table:
    table = plain_table()
    table.add_column("pool", overflow="fold")
    table.add_column("occupancy", no_wrap=True)
    for name in wording.POOL_COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for pool in pools:
        numbers = (Text(f"{n:,}") for n in wording.pool_numbers(pool))
        table.add_row(Text(wording.name(pool.name)), occupancy_bar(pool), *numbers)
    return table


def _facts(view: ResourceView) -> Table:
    grid = _grid()
    for pool in view.pools:
        title = wording.name(pool.name)
        for fact in wording.facts(pool, view.seen_at):
            grid.add_row(
                Text(title, overflow="fold"), Text(fact.text, style="yellow" if fact.is_warning else "")
            )
            title = ""
    return grid


def plain_table() -> Table:
    """Columns under a line, without a frame."""
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold"
    )


def _grid() -> Table:
    return Table.grid(padding=(0, 2, 0, 0))
