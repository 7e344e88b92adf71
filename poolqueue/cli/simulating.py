"""What `poolctl simulate` does: one workload, some policies, and their figures side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from poolqueue.cli.drawing import check_drawing, draw
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output
from poolqueue.cli.past import past_workload, read_past
from poolqueue.cli.session import Session
from poolqueue.cli.simulation_progress import progress_of
from poolqueue.cli.simulation_shown import (
    MOST_PARTS_DRAWN,
    figures_fields,
    figures_lines,
    figures_table,
    parts_fields,
    parts_lines,
    parts_table,
)
from poolqueue.cli.sizing_shown import sizing_fields, sizing_lines, sizing_sentence, sizing_table
from poolqueue.simulation.metrics import By, figures, waits_by
from poolqueue.simulation.placing import ONE_POOL, on_one_pool, on_pools
from poolqueue.simulation.pools_file import PoolsError, read_pools
from poolqueue.simulation.run import Run, RunTimesMode, Simulator
from poolqueue.simulation.simulators import SIMULATORS, USUAL, PolicyName, expected_with
from poolqueue.simulation.sizing import Sizing, UnknownPool, find_replicas, needs, pool_called, resized
from poolqueue.simulation.trace import TraceError, read_trace
from poolqueue.simulation.workload import SimulatedPool, Workload
from poolqueue.viewing import as_json

USUAL_P90_WAIT = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class Machines:
    """On which machines: one pool of `capacity`, or the pools of a file, or those that there are; some of
    them with other `replicas`, by id.
    """

    capacity: int | None = None
    pools: Path | None = None
    replicas: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which policies to simulate, how, and what to show. No policies: the usual ones. `find`: a pool whose
    replicas are to be found with which 90 % of its jobs wait at most `p90_wait`. `firm_after`: as the setting
    of that name, for `expected`.
    """

    policies: Sequence[PolicyName] = ()
    run_times: RunTimesMode = RunTimesMode.LEARNED
    firm_after: timedelta | None = None
    by: By | None = None
    plot: Path | None = None
    find: str | None = None
    p90_wait: timedelta | None = None
    in_json: bool = False


def simulate_trace(trace: Path | None, machines: Machines, output: Output, asked: Asked) -> None:
    if trace is None:
        raise Failure("simulate what? Give a TRACE, or --history 30d for your own jobs", Exit.USAGE)
    _check(asked)
    try:
        workload = _traced(trace, machines)
    except (TraceError, PoolsError, UnknownPool) as error:
        raise Failure(str(error), Exit.USAGE) from error
    _simulate(workload, output, asked, source=trace.name)


def simulate_history(
    session: Session,
    span: timedelta,
    machines: Machines,
    output: Output,
    asked: Asked,
    *,
    trace: Path | None,
    resource: str | None,
) -> None:
    if trace is not None:
        raise Failure("give a TRACE or --history, not both", Exit.USAGE)
    if machines.pools is not None:
        raise Failure("--pools goes with a trace: with --history, give --resize POOL=N", Exit.USAGE)
    _check(asked)
    with output.notes.status("reading the jobs that ended"):
        past = read_past(session, span=span, resource=resource)
    try:
        workload = past_workload(past, capacity=machines.capacity, replicas=machines.replicas)
    except UnknownPool as error:
        raise Failure(str(error), Exit.USAGE) from error
    _simulate(workload, output, asked, source=past.resource.name.rsplit("/", 1)[-1])


def _traced(trace: Path, machines: Machines) -> Workload:
    """A trace on one pool, or on the pools of a file. Raises `Failure` and errors of the files."""
    match machines:
        case Machines(capacity=int(capacity), pools=None):
            (pool,) = resized([SimulatedPool(id=ONE_POOL, replicas=capacity)], machines.replicas)
            return on_one_pool(read_trace(trace, needed=("gpus",)), pool.replicas)
        case Machines(capacity=None, pools=Path() as file):
            pools = resized(read_pools(file), machines.replicas)
            return on_pools(read_trace(trace, needed=("replicas", "gpus_per_replica")), pools)
        case _:
            told = "give either --capacity N, for one pool of one-GPU machines, or --pools FILE"
            raise Failure(f"on which machines? For a trace, {told}", Exit.USAGE)


def _check(asked: Asked) -> None:
    """What can be known to be wrong before anything is read or simulated."""
    if asked.p90_wait is not None and asked.find is None:
        raise Failure("--p90-wait goes with --find-replicas POOL", Exit.USAGE)
    if asked.firm_after is not None and PolicyName.EXPECTED not in _policies(asked):
        raise Failure("--firm-after goes with --policy expected", Exit.USAGE)
    if asked.find is not None and (asked.plot is not None or asked.by is not None):
        told = "--find-replicas tells of many simulations: ask for --plot and --by of one, with --resize"
        raise Failure(told, Exit.USAGE)
    if asked.plot is not None:
        check_drawing(asked.plot)


def _simulate(workload: Workload, output: Output, asked: Asked, *, source: str) -> None:
    for reason, jobs in workload.left_out.items():
        output.note(f"left out {jobs:,} {'job' if jobs == 1 else 'jobs'}: {reason}")
    if not workload.jobs:
        raise Failure("there is no job to simulate: see above why each was left out", Exit.USAGE)
    if asked.find is not None:
        _find_replicas(workload, output, asked, asked.find)
        return
    runs = [_run(policy, workload, output, asked) for policy in _policies(asked)]
    if asked.plot is not None:
        draw(runs, asked.plot, title=f"{source}: {_on_what(workload)}")
        output.note(f"drew {asked.plot}")
    if asked.in_json:
        output.lines([_as_json(runs, asked.by)])
    else:
        _show(runs, output, asked.by)


def _policies(asked: Asked) -> Sequence[PolicyName]:
    return tuple(dict.fromkeys(asked.policies or USUAL))


def _run(policy: PolicyName, workload: Workload, output: Output, asked: Asked, *, told: str = "") -> Run:
    with progress_of(output, told or policy, len(workload.jobs)) as progress:
        return _simulator(policy, asked)(workload, run_times=asked.run_times, progress=progress)


def _simulator(policy: PolicyName, asked: Asked) -> Simulator:
    if policy is PolicyName.EXPECTED and asked.firm_after is not None:
        return expected_with(firm_after=asked.firm_after)
    return SIMULATORS[policy]


def _on_what(workload: Workload) -> str:
    pools = ", ".join(f"{pool.id} x{pool.replicas:,}" for pool in workload.pools)
    return f"{len(workload.jobs):,} jobs on {pools}"


# --- figures ---------------------------------------------------------------------------------------------


def _show(runs: Sequence[Run], output: Output, by: By | None) -> None:
    found = {run.policy: figures(run) for run in runs}
    parts = {run.policy: waits_by(run, by) for run in runs} if by is not None else {}
    if output.is_plain:
        output.lines(figures_lines(found))
        output.lines(["", *parts_lines(parts, by)] if by is not None else [])
        return
    output.tell(f"{_on_what(runs[0].workload)}; waits:", style="bold")
    output.show(figures_table(found))
    if by is not None:
        output.show("", parts_table(parts, by))
        more = len(parts[runs[0].policy]) - MOST_PARTS_DRAWN
        if more > 0:
            output.note(f"… and {more:,} more; in a pipe and with --json there are all")


def _as_json(runs: Sequence[Run], by: By | None) -> str:
    fields: dict[str, Any] = {run.policy: figures_fields(figures(run)) for run in runs}
    if by is not None:
        for run in runs:
            fields[run.policy][f"by_{by.value}"] = parts_fields(waits_by(run, by))
    return as_json.as_text(fields)


# --- enough replicas -------------------------------------------------------------------------------------


def _find_replicas(workload: Workload, output: Output, asked: Asked, id_: str) -> None:
    limit = asked.p90_wait or USUAL_P90_WAIT
    found = {policy.value: _sizing(policy, workload, output, asked, id_) for policy in _policies(asked)}
    if asked.in_json:
        fields = {policy: sizing_fields(sizing, id_, limit) for policy, sizing in found.items()}
        output.lines([as_json.as_text(fields)])
    elif output.is_plain:
        output.lines(sizing_lines(found))
    for policy, sizing in found.items():
        sentence = f"{policy}: {sizing_sentence(sizing, id_, limit)}"
        if asked.in_json or output.is_plain:
            output.note(sentence)
        else:
            output.tell(sentence, style="bold")
            output.show(sizing_table(sizing), "")


def _sizing(policy: PolicyName, workload: Workload, output: Output, asked: Asked, id_: str) -> Sizing:
    try:
        pool = pool_called(workload.pools, id_)
    except UnknownPool as error:
        raise Failure(f"--find-replicas: {error}", Exit.USAGE) from error
    if not any(needs(job, pool) for job in workload.jobs):
        raise Failure(f"--find-replicas: no job needs the pool {id_}", Exit.USAGE)

    def simulate(resized_workload: Workload) -> Run:
        told = f"{policy}, {resized_workload.pools[pool].replicas:,} replicas"
        return _run(policy, resized_workload, output, asked, told=told)

    limit = asked.p90_wait or USUAL_P90_WAIT
    return find_replicas(workload, pool, p90_wait=limit.total_seconds(), simulate=simulate)
