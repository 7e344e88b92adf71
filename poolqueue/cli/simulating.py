"""What `poolctl simulate` does: one workload, some policies, and their figures side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from poolqueue.cli import as_json
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output
from poolqueue.cli.simulation_shown import (
    MOST_PARTS_DRAWN,
    figures_fields,
    figures_lines,
    figures_table,
    parts_fields,
    parts_lines,
    parts_table,
)
from poolqueue.simulation.metrics import By, figures, waits_by
from poolqueue.simulation.placing import on_one_pool, on_pools
from poolqueue.simulation.pools_file import PoolsError, read_pools
from poolqueue.simulation.run import Run, RunTimesMode
from poolqueue.simulation.simulators import SIMULATORS, USUAL, PolicyName
from poolqueue.simulation.trace import TraceError, read_trace
from poolqueue.simulation.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which policies to simulate, how, and what to show. No policies: the usual ones."""

    policies: Sequence[PolicyName] = ()
    run_times: RunTimesMode = RunTimesMode.LEARNED
    by: By | None = None
    in_json: bool = False


def traced_workload(trace: Path, *, capacity: int | None, pools: Path | None) -> Workload:
    """A trace on one pool of `capacity`, or on the pools of a file. Raises `Failure`."""
    try:
        if capacity is not None and pools is None:
            return on_one_pool(read_trace(trace, needed=("gpus",)), capacity)
        if pools is not None and capacity is None:
            found = read_pools(pools)
            return on_pools(read_trace(trace, needed=("replicas", "gpus_per_replica")), found)
    except (TraceError, PoolsError) as error:
        raise Failure(str(error), Exit.USAGE) from error
    told = "on which machines? Give either --capacity N, for one pool of one-GPU machines, or --pools FILE"
    raise Failure(told, Exit.USAGE)


def simulate(workload: Workload, output: Output, asked: Asked) -> None:
    """Run the policies and show their figures."""
    _tell_left_out(workload, output)
    if not workload.jobs:
        raise Failure("there is no job to simulate: see above why each was left out", Exit.USAGE)
    runs = [_run(policy, workload, output, asked) for policy in dict.fromkeys(asked.policies or USUAL)]
    if asked.in_json:
        output.lines([_as_json(runs, asked.by)])
    else:
        _show(runs, output, asked.by)


def _tell_left_out(workload: Workload, output: Output) -> None:
    for reason, jobs in workload.left_out.items():
        output.note(f"left out {jobs:,} {'job' if jobs == 1 else 'jobs'}: {reason}")


def _run(policy: str, workload: Workload, output: Output, asked: Asked) -> Run:
    with _progress(output, policy, len(workload.jobs)) as progress:
        return SIMULATORS[policy](workload, run_times=asked.run_times, progress=progress)


class _Bar:
    """A bar on standard error, if that is a terminal; it is gone when the policy is through."""

    def __init__(self, bar: Progress, policy: str, jobs: int) -> None:
        self._bar = bar
        self._task = bar.add_task(policy, total=jobs)

    def __call__(self, started: int) -> None:
        self._bar.update(self._task, completed=started)


@contextmanager
def _progress(output: Output, policy: str, jobs: int) -> Iterator[_Bar]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("jobs started"),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=output.notes, transient=True, disable=not output.notes.is_terminal)
    with bar:
        yield _Bar(bar, policy, jobs)


def _show(runs: Sequence[Run], output: Output, by: By | None) -> None:
    found = {run.policy: figures(run) for run in runs}
    parts = {run.policy: waits_by(run, by) for run in runs} if by is not None else {}
    if output.is_plain:
        output.lines(figures_lines(found))
        output.lines(["", *parts_lines(parts, by)] if by is not None else [])
        return
    workload = runs[0].workload
    pools = ", ".join(f"{pool.id} x{pool.replicas:,}" for pool in workload.pools)
    output.tell(f"{len(workload.jobs):,} jobs on {pools}; waits:", style="bold")
    output.show(figures_table(found))
    if by is not None:
        output.show("", parts_table(parts, by))
        more = len(parts[runs[0].policy]) - MOST_PARTS_DRAWN
        if more > 0:
            output.note(f"… and {more:,} more; in a pipe and with --json there are all")


def _as_json(runs: Sequence[Run], by: By | None) -> str:
    fields = {run.policy: figures_fields(figures(run)) for run in runs}
    if by is not None:
        for run in runs:
            fields[run.policy][f"by_{by.value}"] = parts_fields(waits_by(run, by))
    return as_json.as_text(fields)
